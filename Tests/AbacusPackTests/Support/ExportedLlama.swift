import Foundation

@testable import AbacusPack

/// A Llama as PyTorch exports Hugging Face's implementation: opset 17, weights transposed, shapes
/// computed from shapes.
struct ExportedLlama {
  enum Form {
    /// Tokens in, logits out.
    case sequence
    /// With mask, positions and a key/value cache, as optimum exports it for generation.
    case cached
  }

  private(set) var script = ExporterScript()
  private let weights: SafeTensorsArchive
  private let form: Form
  private let heads = 8
  private let groups = 4
  private let depth = 8
  private let layers = 5
  /// What all layers share.
  private var mask = ""
  private var cosines = ""
  private var sines = ""

  init(_ folder: String, _ form: Form) throws {
    weights = try SafeTensorsArchive("\(folder)/model.safetensors")
    self.form = form
    try build()
  }

  private mutating func constant(_ name: String) throws -> String {
    let array = try weights.floats(name)
    return script.constant(array.floats(), array.shape)
  }

  private mutating func build() throws {
    script.writer.input("input_ids", ["batch_size", "sequence_length"], .int64)
    if form == .cached {
      script.writer.input("attention_mask", ["batch_size", "past_sequence_length + sequence_length"], .int64)
      script.writer.input("position_ids", ["batch_size", "sequence_length"], .int64)
    }
    let table = try constant("model.embed_tokens.weight")
    var rows = script.node("Gather", table, "input_ids")
    makeRotations()
    for layer in 0..<layers { rows = try self.layer(rows, "model.layers.\(layer).", layer) }
    rows = try normalized(rows, "model.norm")
    script.writer.node("MatMul", [rows, script.transpose(table, 1, 0)], ["logits"])
    script.writer.output("logits")
    if form == .cached {
      for layer in 0..<layers {
        for part in ["key", "value"] { script.writer.output("present.\(layer).\(part)") }
      }
    }
  }

  /// One extent of a tensor, as a number or as a list of one.
  private mutating func extent(_ x: String, _ axis: Int, isList: Bool = false) -> String {
    let number = script.node("Gather", script.node("Shape", x), script.integer(axis))
    return isList ? script.unsqueeze(number, 0) : number
  }

  /// Positions to angles, [1, 1, n, d]; and 0 or the lowest number for each query and key.
  private mutating func makeRotations() {
    let lowest = script.scalar(-3.4028235e38)
    let length = extent("input_ids", 1)
    var positions = script.unsqueeze(script.node("Range", script.integer(0), length, script.integer(1)), 0)
    var total = length
    if form == .cached {
      positions = "position_ids"
      total = extent("attention_mask", 1)
    }
    let values = (0..<depth / 2).map { index in Float(1) / pow(10_000, Float(2 * index) / Float(depth)) }
    let frequencies = script.node(
      "Expand", script.constant(values, [1, depth / 2, 1]), script.node("Concat", extent("input_ids", 0, isList: true),
        script.integers(depth / 2), script.integers(1), with: [("axis", .int(0))]))
    let places = script.cast(script.unsqueeze(positions, 1), to: .float)
    let angles = script.transpose(script.node("MatMul", script.cast(frequencies, to: .float), places), 0, 2, 1)
    let both = script.concatenate(angles, angles, axis: -1)
    cosines = script.unsqueeze(script.cast(script.node("Mul", script.node("Cos", both), script.scalar(1)), to: .float), 1)
    sines = script.unsqueeze(script.cast(script.node("Mul", script.node("Sin", both), script.scalar(1)), to: .float), 1)

    let square = script.concatenate(script.unsqueeze(length, 0), script.unsqueeze(total, 0), axis: 0)
    let full = script.node("Expand", lowest, square)
    let later = script.node("Trilu", full, script.integer(1), with: [("upper", .int(1))])
    mask = script.unsqueeze(later, 0, 1)
    if form == .cached {
      let keys = script.node("Range", script.integer(0), total, script.integer(1))
      let queries = script.reshape(script.node("Range", script.integer(0), length, script.integer(1)), -1, 1)
      let isLater = script.cast(script.node("Greater", keys, queries), to: .float)
      mask = script.unsqueeze(script.node("Mul", later, isLater), 0, 1)
      let tokens = script.cast(script.unsqueeze("attention_mask", 1, 2), to: .float)
      let isPadding = script.node("Equal", script.node("Add", mask, tokens), script.scalar(0))
      mask = script.node("Where", isPadding, lowest, mask)
    }
  }

  /// Pow, ReduceMean, Add, Sqrt, Div, Mul, and casts between.
  private mutating func normalized(_ x: String, _ module: String) throws -> String {
    let wide = script.cast(x, to: .float)
    let mean = script.node("ReduceMean", script.node("Pow", wide, script.scalar(2)), with: [("axes", .ints([-1]))])
    let root = script.node("Sqrt", script.node("Add", mean, script.scalar(1e-5)))
    let normal = script.node("Mul", wide, script.node("Div", script.scalar(1), root))
    return script.node("Mul", try constant("\(module).weight"), script.cast(normal, to: .float))
  }

  private mutating func linear(_ x: String, _ module: String) throws -> String {
    let array = try weights.floats("\(module).weight")
    let (values, rows, columns) = (array.floats(), array.shape[0], array.shape[1])
    let transposed = (0..<rows * columns).map { values[$0 % rows * columns + $0 / rows] }
    return script.node("MatMul", x, script.constant(transposed, [columns, rows]))
  }

  /// [1, n, h * d] as [1, h, n, d]: a reshape to extents that are computed.
  private mutating func split(_ x: String) -> String {
    let shape = script.node(
      "Concat", extent(x, 0, isList: true), extent(x, 1, isList: true), script.integers(-1), script.integers(depth),
      with: [("axis", .int(0))])
    return script.transpose(script.node("Reshape", x, shape), 0, 2, 1, 3)
  }

  private mutating func rotated(_ x: String) -> String {
    let (first, second) = (script.slice(x, 3, 0, depth / 2), script.slice(x, 3, depth / 2, Int(Int64.max)))
    let turned = script.concatenate(script.node("Neg", second), first, axis: -1)
    return script.node("Add", script.node("Mul", x, cosines), script.node("Mul", turned, sines))
  }

  /// Keys or values of earlier runs and of this one.
  private mutating func continued(_ x: String, _ layer: Int, _ part: String) -> String {
    guard form == .cached else { return x }
    let past = "past_key_values.\(layer).\(part)"
    script.writer.input(past, ["batch_size", groups, "past_sequence_length", depth])
    script.writer.node("Concat", [past, x], ["present.\(layer).\(part)"], [("axis", .int(-2))])
    return "present.\(layer).\(part)"
  }

  /// Each key or value head as often as queries share it: Unsqueeze, Expand, Reshape.
  private mutating func repeated(_ x: String) -> String {
    let (batch, rows) = (extent(x, 0, isList: true), extent(x, 2, isList: true))
    let wide = script.node(
      "Concat", batch, script.integers(groups), script.integers(heads / groups), rows, script.integers(depth),
      with: [("axis", .int(0))])
    let shape = script.node(
      "Concat", batch, script.integers(heads), rows, script.integers(depth), with: [("axis", .int(0))])
    return script.node("Reshape", script.node("Expand", script.unsqueeze(x, 2), wide), shape)
  }

  private mutating func layer(_ x: String, _ prefix: String, _ layer: Int) throws -> String {
    let normal = try normalized(x, "\(prefix)input_layernorm")
    let query = rotated(split(try linear(normal, "\(prefix)self_attn.q_proj")))
    let key = continued(rotated(split(try linear(normal, "\(prefix)self_attn.k_proj"))), layer, "key")
    let value = continued(split(try linear(normal, "\(prefix)self_attn.v_proj")), layer, "value")
    let product = script.node("MatMul", query, script.transpose(repeated(key), 0, 1, 3, 2))
    let scores = script.node("Mul", product, script.scalar(1 / Float(depth).squareRoot()))
    let keys = extent(key, 2, isList: true)
    let part = script.node("Slice", mask, script.integers(0), keys, script.integers(3))
    let probabilities = script.cast(script.softmax(script.node("Add", scores, part)), to: .float)
    let mixed = script.transpose(script.node("MatMul", probabilities, repeated(value)), 0, 2, 1, 3)
    let shape = script.node(
      "Concat", extent(x, 0, isList: true), extent(x, 1, isList: true), script.integers(-1), with: [("axis", .int(0))])
    let joined = script.node("Reshape", mixed, shape)
    let middle = script.node("Add", x, try linear(joined, "\(prefix)self_attn.o_proj"))
    let fed = try normalized(middle, "\(prefix)post_attention_layernorm")
    let gate = try linear(fed, "\(prefix)mlp.gate_proj")
    let silu = script.node("Mul", gate, script.node("Sigmoid", gate))
    let hidden = script.node("Mul", silu, try linear(fed, "\(prefix)mlp.up_proj"))
    return script.node("Add", middle, try linear(hidden, "\(prefix)mlp.down_proj"))
  }
}
