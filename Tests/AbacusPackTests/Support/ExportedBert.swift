@testable import AbacusPack

/// A BERT encoder as PyTorch exports transformers' implementation, from weights under its names: 2
/// layers, 2 heads, width 8, 6 tokens.
struct ExportedBert {
  private(set) var script = ExporterScript(version: 14)
  private let weights: SafeTensorsWriter
  private let rows = 6
  private let heads = 2
  private let width = 8
  private var mask = ""

  /// Types of tokens are an input, not all 0.
  private let takesTypes: Bool

  init(_ weights: SafeTensorsWriter, takesTypes: Bool = false) throws {
    self.weights = weights
    self.takesTypes = takesTypes
    try build()
  }

  private mutating func constant(_ name: String) throws -> String {
    let entry = weights.tensors[name]!
    return script.constant(try NumericArray(shape: entry.shape, type: .float32, bytes: entry.bytes).floats(), entry.shape)
  }

  private mutating func build() throws {
    script.writer.input("input_ids", [1, rows], .int64)
    script.writer.input("attention_mask", [1, rows], .int64)
    if takesTypes { script.writer.input("token_type_ids", [1, rows], .int64) }
    let wide = script.cast(script.unsqueeze(script.unsqueeze("attention_mask", 1), 2), to: .float)
    mask = script.node("Mul", script.node("Sub", script.scalar(1), wide), script.scalar(-3.4028235e38))
    let words = script.node("Gather", try constant("embeddings.word_embeddings.weight"), "input_ids")
    let zeros = script.node(
      "ConstantOfShape", script.node("Shape", "input_ids"),
      with: [("value", .tensor(ONNXModelWriter.integers("", [1], [0])))])
    let types = script.node("Gather", try constant("embeddings.token_type_embeddings.weight"), takesTypes ? "token_type_ids" : zeros)
    let numbers = script.slice(script.integers(Array(0..<8), [1, 8]), 1, 0, rows)
    let positions = script.node("Gather", try constant("embeddings.position_embeddings.weight"), numbers)
    let sum = script.node("Add", script.node("Add", words, types), positions)
    var x = try normalized(sum, "embeddings.LayerNorm")
    for layer in 0..<2 { x = try self.layer(x, "encoder.layer.\(layer).") }
    script.writer.node("Identity", [x], ["last_hidden_state"])
    script.writer.output("last_hidden_state")
  }

  /// Nine nodes.
  private mutating func normalized(_ x: String, _ module: String) throws -> String {
    let axes: ExporterScript.Attributes = [("axes", .ints([-1]))]
    let difference = script.node("Sub", x, script.node("ReduceMean", x, with: axes))
    let variance = script.node("ReduceMean", script.node("Pow", difference, script.scalar(2)), with: axes)
    let deviation = script.node("Sqrt", script.node("Add", variance, script.scalar(1e-12)))
    let normal = script.node("Div", difference, deviation)
    let scaled = script.node("Mul", normal, try constant("\(module).weight"))
    return script.node("Add", scaled, try constant("\(module).bias"))
  }

  private mutating func linear(_ x: String, _ module: String) throws -> String {
    let turned = script.transpose(try constant("\(module).weight"), 1, 0)
    return script.node("Add", try constant("\(module).bias"), script.node("MatMul", x, turned))
  }

  private mutating func layer(_ x: String, _ prefix: String) throws -> String {
    let (rows, heads, depth) = (rows, heads, width / heads)
    let query = script.heads(try linear(x, "\(prefix)attention.self.query"), rows, heads, depth)
    let key = try linear(x, "\(prefix)attention.self.key")
    let keys = script.transpose(script.reshape(key, 1, rows, heads, depth), 0, 2, 3, 1)
    let value = script.heads(try linear(x, "\(prefix)attention.self.value"), rows, heads, depth)
    let scores = script.node("Div", script.node("MatMul", query, keys), script.scalar(Float(depth).squareRoot()))
    let mixed = script.node("MatMul", script.softmax(script.node("Add", scores, mask)), value)
    let projected = try linear(script.rows(mixed, rows, width), "\(prefix)attention.output.dense")
    let middle = try normalized(script.node("Add", projected, x), "\(prefix)attention.output.LayerNorm")
    let hidden = try linear(middle, "\(prefix)intermediate.dense")
    let error = script.node("Erf", script.node("Div", hidden, script.scalar(Float(2).squareRoot())))
    let gate = script.node("Mul", hidden, script.node("Add", error, script.scalar(1)))
    let fed = try linear(script.node("Mul", gate, script.scalar(0.5)), "\(prefix)output.dense")
    return try normalized(script.node("Add", fed, middle), "\(prefix)output.LayerNorm")
  }
}
