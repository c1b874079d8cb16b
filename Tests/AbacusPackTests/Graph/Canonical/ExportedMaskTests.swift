import Testing

@testable import AbacusPack

/// Masks of attention as exporters write them.
@Suite struct ExportedMaskTests {
  private static let (rows, heads, depth) = (6, 2, 4)
  private static let width = heads * depth
  private static let lowest: Float = -3.4028235e38

  typealias Masking = @Sendable (inout ExporterScript, _ scores: String, _ mask: String) -> String

  /// The mask as what (1 - mask) * lowest is, [1, 1, 1, n].
  private static func additive(_ script: inout ExporterScript, _ mask: String, _ lowest: Float) -> String {
    let wide = script.cast(script.unsqueeze(script.unsqueeze(mask, 1), 2), to: .float)
    return script.node("Mul", script.node("Sub", script.scalar(1), wide), script.scalar(lowest))
  }

  /// The mask as [1, 1, n, n].
  private static func expanded(_ script: inout ExporterScript, _ mask: String) -> String {
    let wide = script.unsqueeze(script.unsqueeze(mask, 1), 2)
    return script.node("Expand", wide, script.integers(1, 1, rows, rows))
  }

  private static func causal(_ value: (_ isLater: Bool) -> Float) -> [Float] {
    (0..<rows * rows).map { value($0 % rows > $0 / rows) }
  }

  /// True where a key is no later than the query: Range and LessOrEqual.
  private static func triangle(_ script: inout ExporterScript) -> String {
    let range = script.node("Range", script.integer(0), script.integer(rows), script.integer(1))
    return script.node("LessOrEqual", script.unsqueeze(range, 0), script.unsqueeze(range, 1))
  }

  static let keyMasks: [(String, Masking)] = [
    ("BERT, -10000", { script, scores, mask in
      script.node("Add", scores, additive(&script, mask, -10_000))
    }),
    ("BERT, the lowest float", { script, scores, mask in
      script.node("Add", scores, additive(&script, mask, lowest))
    }),
    ("TensorFlow, -1e9, the mask first", { script, scores, mask in
      script.node("Add", additive(&script, mask, -1e9), scores)
    }),
    ("DistilBERT: Where(Expand(mask == 0), lowest, scores)", { script, scores, mask in
      let hidden = script.reshape(script.node("Equal", mask, script.integer(0)), 1, 1, 1, rows)
      let wide = script.node("Expand", hidden, script.integers(1, heads, rows, rows))
      return script.node("Where", script.cast(wide, to: .bool), script.scalar(lowest), scores)
    }),
    ("Where(mask, scores, -inf)", { script, scores, mask in
      let seen = script.unsqueeze(script.cast(mask, to: .bool), 1, 2)
      return script.node("Where", seen, scores, script.scalar(-.infinity))
    }),
    ("Where(Not(mask), -inf, scores)", { script, scores, mask in
      let hidden = script.node("Not", script.unsqueeze(script.cast(mask, to: .bool), 1, 2))
      return script.node("Where", hidden, script.scalar(-.infinity), scores)
    }),
    ("sdpa of transformers: masked_fill(1 - expanded)", { script, scores, mask in
      let wide = script.cast(expanded(&script, mask), to: .float)
      let inverted = script.node("Sub", script.scalar(1), wide)
      let filled = script.node("Where", script.cast(inverted, to: .bool), script.scalar(lowest), inverted)
      return script.node("Add", scores, filled)
    }),
    ("sdpa with a bool mask: Where(mask, 0, -inf)", { script, scores, mask in
      let seen = script.cast(expanded(&script, mask), to: .bool)
      let summand = script.node("Where", seen, script.scalar(0), script.scalar(-.infinity))
      return script.node("Add", scores, summand)
    }),
    ("mask > 0, sliced and moved", { script, scores, mask in
      let seen = script.node("Greater", script.cast(mask, to: .float), script.scalar(0))
      let wide = script.node("Expand", script.reshape(seen, 1, rows, 1, 1), script.integers(1, rows, rows, 1))
      let part = script.slice(script.transpose(wide, 0, 3, 2, 1), 2, 0, rows)
      return script.node("Where", part, scores, script.scalar(-65_504))
    }),
    ("written into a tensor: ScatterND", { script, scores, mask in
      let places = script.integers((0..<rows).flatMap { [0, 0, 0, $0] }, [1, 1, 1, rows, 4])
      let zeros = script.node("ConstantOfShape", script.integers(1, 1, 1, rows))
      let summand = script.node("ScatterND", zeros, places, additive(&script, mask, lowest))
      return script.node("Add", scores, summand)
    }),
  ]

  static let causalMasks: [(String, Masking)] = [
    ("a constant summand", { script, scores, _ in
      script.node("Add", scores, script.constant(causal { $0 ? lowest : 0 }, [1, 1, rows, rows]))
    }),
    ("Trilu of ConstantOfShape", { script, scores, _ in
      let full = script.node(
        "ConstantOfShape", script.integers(rows, rows), with: [("value", .tensor(ONNXModelWriter.floats("", [1], [lowest])))])
      return script.node("Add", scores, script.node("Trilu", full, script.integer(1), with: [("upper", .int(1))]))
    }),
    ("Where(tril of bool, scores, lowest), a slice of a table", { script, scores, _ in
      let ones = script.cast(script.node("ConstantOfShape", script.integers(1, 1, 9, 9),
        with: [("value", .tensor(ONNXModelWriter.floats("", [1], [1])))]), to: .bool)
      let table = script.node("Trilu", ones, with: [("upper", .int(0))])
      let part = script.slice(script.slice(table, 2, 0, rows), 3, 0, rows)
      return script.node("Where", part, scores, script.scalar(lowest))
    }),
    ("Range and Less", { script, scores, _ in
      script.node("Where", triangle(&script), scores, script.scalar(-1e9))
    }),
  ]

  static let bothMasks: [(String, Masking)] = [
    ("two summands", { script, scores, mask in
      let later = script.constant(causal { $0 ? lowest : 0 }, [1, 1, rows, rows])
      return script.node("Add", scores, script.node("Add", later, additive(&script, mask, lowest)))
    }),
    ("one after the other", { script, scores, mask in
      let seen = script.node("Where", triangle(&script), scores, script.scalar(lowest))
      return script.node("Add", seen, additive(&script, mask, lowest))
    }),
    ("clamped sum", { script, scores, mask in
      let later = script.constant(causal { $0 ? lowest : 0 }, [1, 1, rows, rows])
      let sum = script.node("Add", later, additive(&script, mask, lowest))
      return script.node("Add", scores, script.node("Max", sum, script.scalar(lowest)))
    }),
    ("Llama: masked_fill(causal + mask == 0)", { script, scores, mask in
      let later = script.constant(causal { $0 ? lowest : 0 }, [1, 1, rows, rows])
      let wide = script.cast(script.unsqueeze(mask, 1, 2), to: .float)
      let isPadding = script.node("Equal", script.node("Add", later, wide), script.scalar(0))
      return script.node("Add", scores, script.node("Where", isPadding, script.scalar(lowest), later))
    }),
    ("And of conditions", { script, scores, mask in
      let both = script.node("And", triangle(&script), script.unsqueeze(script.cast(mask, to: .bool), 1, 2))
      return script.node("Add", scores, script.node("Where", both, script.scalar(0), script.scalar(-.infinity)))
    }),
    ("And of conditions, the mask by GatherND", { script, scores, mask in
      let places = script.integers((0..<rows).flatMap { [0, $0] }, [1, 1, 1, rows, 2])
      let seen = script.node("GatherND", script.cast(mask, to: .bool), places)
      return script.node("Where", script.node("And", triangle(&script), seen), scores, script.scalar(lowest))
    }),
  ]

  private func script(_ mask: Masking, type: ONNXTensorProto.DataType = .int64, named name: String) -> ExporterScript {
    var script = ExporterScript()
    script.writer.input("x", [1, Self.rows, Self.width])
    script.writer.input(name, [1, Self.rows], type)
    let (rows, heads, depth, width) = (Self.rows, Self.heads, Self.depth, Self.width)
    let (q, k, v) = (script.linear("x", width, width), script.linear("x", width, width), script.linear("x", width, width))
    let keys = script.transpose(script.reshape(k, 1, rows, heads, depth), 0, 2, 3, 1)
    let scores = script.node("Div", script.node("MatMul", script.heads(q, rows, heads, depth), keys), script.scalar(2))
    let weights = script.softmax(mask(&script, scores, name))
    // A mask that hides everything gives no numbers, which newer exporters replace.
    let sound = script.node("Where", script.node("IsNaN", weights), script.scalar(0), weights)
    let mixed = script.node("MatMul", sound, script.heads(v, rows, heads, depth))
    let result = script.linear(script.rows(mixed, rows, width), width, width)
    script.writer.node("Identity", [result], ["y"])
    script.writer.output("y")
    return script
  }

  @Test(arguments: keyMasks.indices) func keyMask(_ form: Int) throws {
    let (name, mask) = Self.keyMasks[form]
    let graph = try script(mask, named: "attention_mask").check(["attention heads 2 scale 0.5": 1, "gather": 0], comment: name)
    let attention = try #require(graph.nodes.first { $0.operation.summary == "attention heads 2 scale 0.5" }, "\(name)")
    #expect(attention.inputs.count == 4 && attention.inputs[3] == graph.inputs[1], "\(name)\n\(graph.summary())")
    // 64 bits are no type of devices.
    #expect(graph.tensors[graph.inputs[1]].type == .int32)
  }

  @Test(arguments: causalMasks.indices) func causalMask(_ form: Int) throws {
    let (name, mask) = Self.causalMasks[form]
    let graph = try script(mask, named: "attention_mask").check(["attention heads 2 scale 0.5 causal": 1], comment: name)
    #expect(graph.nodes.allSatisfy { $0.inputs.count <= 3 }, "\(name)\n\(graph.summary())")
  }

  @Test(arguments: bothMasks.indices) func causalAndKeyMask(_ form: Int) throws {
    let (name, mask) = Self.bothMasks[form]
    let graph = try script(mask, named: "attention_mask").check(["attention heads 2 scale 0.5 causal": 1], comment: name)
    #expect(graph.nodes.contains { $0.inputs.count == 4 && $0.inputs[3] == graph.inputs[1] }, "\(name)\n\(graph.summary())")
  }

  /// nn.Transformer's key_padding_mask: true where there is no token.
  @Test func flagsOfPadding() throws {
    let mask: Masking = { script, scores, mask in
      script.node("Where", script.unsqueeze(mask, 1, 2), script.scalar(-.infinity), scores)
    }
    try script(mask, type: .bool, named: "key_padding_mask").check(["attention heads 2": 1, "gather": 1])
  }

  /// Where a token is not the one of padding, 0.
  @Test func maskOfTokens() throws {
    let mask: Masking = { script, scores, tokens in
      let seen = script.node("Not", script.node("Equal", tokens, script.integer(0)))
      return script.node("Where", script.unsqueeze(seen, 1, 2), scores, script.scalar(-1e9))
    }
    try script(mask, named: "tokens").check(["attention heads 2": 1], tokens: 3)
  }

  static let others: [(String, Masking)] = [
    ("padding that is not 0", { script, scores, tokens in
      let seen = script.node("Not", script.node("Equal", tokens, script.integer(2)))
      return script.node("Where", script.unsqueeze(seen, 1, 2), scores, script.scalar(-1e9))
    }),
    ("a mask for each query", { script, scores, mask in
      let seen = script.unsqueeze(script.cast(mask, to: .bool), 1, 3)
      return script.node("Where", seen, scores, script.scalar(-1e9))
    }),
    ("a summand that weighs", { script, scores, mask in
      script.node("Add", scores, additive(&script, mask, -2))
    }),
    ("earlier keys hidden", { script, scores, _ in
      script.node("Add", scores, script.constant(causal { $0 ? 0 : lowest }, [1, 1, rows, rows]))
    }),
  ]

  /// What is no mask stays as it is, and is refused by name where integers cannot say it.
  @Test(arguments: others.indices) func notMasks(_ form: Int) throws {
    let (name, mask) = Self.others[form]
    let source = try script(mask, named: "tokens").writer.load()
    let error = #expect(throws: PackError.self) {
      try PostTraining().pack(try PostTraining().prepare(source), count: 2) { _ in
        source.inputs.map { FloatTensor(shape: source.tensors[$0].shape, values: (0..<source.tensors[$0].elementCount).map { Float($0 % 3) }) }
      }
    }
    let text = error?.description ?? ""
    #expect(text.contains(", node ") && text.contains("attention"), "\(name): \(text)")
    let graph = try source.canonical()
    #expect(graph.nodes.contains { $0.operation.summary.hasPrefix("softmax") }, "\(name)\n\(graph.summary())")
  }
}
