import Testing

@testable import AbacusPack

/// Norms, gates, attention nodes and heads of classifiers as exporters and onnxruntime's optimiser write
/// them.
@Suite struct ExportedFormTests {
  private static let (rows, width) = (6, 8)

  typealias Form = @Sendable (inout ExporterScript, _ x: String) -> String

  /// A layer, the form, a layer.
  private func between(_ form: Form, version: Int = 17) -> ExporterScript {
    var script = ExporterScript(version: version)
    script.writer.importDomain("com.microsoft", 1)
    script.writer.input("x", [1, Self.rows, Self.width])
    let before = script.linear("x", Self.width, Self.width)
    script.writer.node("Identity", [script.linear(form(&script, before), Self.width, Self.width)], ["y"])
    script.writer.output("y")
    return script
  }

  private static let axes: ExporterScript.Attributes = [("axes", .ints([-1]))]

  private static func meanSquare(_ script: inout ExporterScript, _ x: String) -> String {
    script.node("ReduceMean", script.node("Pow", x, script.scalar(2)), with: axes)
  }

  // MARK: Normalisations

  static let norms: [(String, String, Form)] = [
    ("RMS, Div of 1", "rmsNormalization 1e-06", { script, x in
      let sum = script.node("Add", meanSquare(&script, script.cast(x, to: .float)), script.scalar(1e-6))
      let inverse = script.node("Div", script.scalar(1), script.node("Sqrt", sum))
      return script.node("Mul", script.weights(width), script.cast(script.node("Mul", x, inverse), to: .float))
    }),
    ("RMS, Reciprocal, x * x, the scale before", "rmsNormalization 1e-06", { script, x in
      let square = script.node("ReduceMean", script.node("Mul", x, x), with: axes)
      let root = script.node("Sqrt", script.node("Add", script.scalar(1e-6), square))
      let scaled = script.node("Mul", x, script.weights(width))
      return script.node("Mul", scaled, script.node("Reciprocal", root))
    }),
    ("RMS, x / Sqrt", "rmsNormalization 1e-06", { script, x in
      let root = script.node("Sqrt", script.node("Add", meanSquare(&script, x), script.scalar(1e-6)))
      return script.node("Mul", script.node("Div", x, root), script.weights(width))
    }),
    ("RMS, Pow(-0.5), 1 + scale (Gemma)", "rmsNormalization 1e-06", { script, x in
      let sum = script.node("Add", meanSquare(&script, x), script.scalar(1e-6))
      let normal = script.node("Mul", x, script.node("Pow", sum, script.scalar(-0.5)))
      return script.node("Mul", normal, script.node("Add", script.weights(width), script.scalar(1)))
    }),
    ("SimplifiedLayerNormalization", "rmsNormalization 1e-05", { script, x in
      script.node("SimplifiedLayerNormalization", x, script.weights(width))
    }),
    ("without scale and bias", "layerNormalization 1e-05", { script, x in
      let difference = script.node("Sub", x, script.node("ReduceMean", x, with: axes))
      let variance = meanSquare(&script, difference)
      let deviation = script.node("Sqrt", script.node("Add", variance, script.scalar(1e-5)))
      return script.node("Div", difference, deviation)
    }),
    ("difference times itself, Reciprocal", "layerNormalization 1e-05", { script, x in
      let difference = script.node("Sub", x, script.node("ReduceMean", x, with: axes))
      let square = script.node("ReduceMean", script.node("Mul", difference, difference), with: axes)
      let deviation = script.node("Sqrt", script.node("Add", square, script.scalar(1e-5)))
      let normal = script.node("Mul", difference, script.node("Reciprocal", deviation))
      return script.node("Add", script.node("Mul", normal, script.weights(width)), script.weights(width))
    }),
    ("LayerNormalization without a bias", "layerNormalization 1e-05", { script, x in
      script.node("LayerNormalization", x, script.weights(width))
    }),
    ("SkipLayerNormalization", "layerNormalization 1e-12", { script, x in
      let inputs = [x, "x", script.weights(width), script.weights(width), script.weights(width)]
      return script.nodes("SkipLayerNormalization", inputs, outputs: 1, domain: "com.microsoft")[0]
    }),
    ("SkipSimplifiedLayerNormalization", "rmsNormalization 1e-05", { script, x in
      let results = script.nodes(
        "SkipSimplifiedLayerNormalization", [x, "x", script.weights(width)], outputs: 4, domain: "com.microsoft")
      // The sum is the residual.
      script.writer.model.graph.node[script.writer.model.graph.node.count - 1].output[1] = ""
      script.writer.model.graph.node[script.writer.model.graph.node.count - 1].output[2] = ""
      return script.node("Add", results[3], script.linear(results[0], width, width))
    }),
  ]

  @Test(arguments: norms.indices) func normalization(_ form: Int) throws {
    let (name, expected, build) = Self.norms[form]
    try between(build).check([expected: 1], comment: name)
  }

  // MARK: Functions

  private static func tanhGate(_ script: inout ExporterScript, _ x: String, _ cube: String) -> String {
    let sum = script.node("Add", x, script.node("Mul", script.scalar(0.044715), cube))
    return script.node("Tanh", script.node("Mul", sum, script.scalar(0.79788456)))
  }

  static let gates: [(String, String, Form)] = [
    ("x * (0.5 * (1 + erf(x * 0.7071)))", "gelu(approximate: false)", { script, x in
      let error = script.node("Erf", script.node("Mul", x, script.scalar(0.70710677)))
      let half = script.node("Mul", script.scalar(0.5), script.node("Add", script.scalar(1), error))
      return script.node("Mul", x, half)
    }),
    ("0.5 * x * (erf(x / Sqrt(2)) + 1), Sqrt in the graph", "gelu(approximate: false)", { script, x in
      let error = script.node("Erf", script.node("Div", x, script.node("Sqrt", script.scalar(2))))
      let half = script.node("Mul", x, script.scalar(0.5))
      return script.node("Mul", half, script.node("Add", error, script.scalar(1)))
    }),
    ("NewGELU: Pow(3)", "gelu(approximate: true)", { script, x in
      let gate = tanhGate(&script, x, script.node("Pow", x, script.scalar(3)))
      return script.node("Mul", script.node("Mul", script.scalar(0.5), x), script.node("Add", script.scalar(1), gate))
    }),
    ("x * x * x, 0.5 last", "gelu(approximate: true)", { script, x in
      let gate = tanhGate(&script, x, script.node("Mul", script.node("Mul", x, x), x))
      let product = script.node("Mul", x, script.node("Add", gate, script.scalar(1)))
      return script.node("Mul", product, script.scalar(0.5))
    }),
    ("FastGELU: 0.5 * (1 + tanh(x * 0.79788 * (1 + 0.044715 x x))) * x", "gelu(approximate: true)", { script, x in
      let square = script.node("Mul", script.node("Mul", script.scalar(0.044715), x), x)
      let inner = script.node("Mul", script.node("Mul", x, script.scalar(0.7978845608)), script.node("Add", script.scalar(1), square))
      let gate = script.node("Add", script.scalar(1), script.node("Tanh", inner))
      return script.node("Mul", script.node("Mul", script.scalar(0.5), gate), x)
    }),
    ("SiLU", "silu", { script, x in script.node("Mul", x, script.node("Sigmoid", x)) }),
    ("Swish", "silu", { script, x in script.node("Swish", x) }),
    ("HardSwish", "hardSwish", { script, x in script.node("HardSwish", x) }),
    ("QuickGELU", "quickGelu", { script, x in
      script.node("Mul", x, script.node("Sigmoid", script.node("Mul", script.scalar(1.702), x)))
    }),
    ("com.microsoft.BiasGelu", "gelu(approximate: false)", { script, x in
      script.node("BiasGelu", x, script.weights(width), domain: "com.microsoft")
    }),
    ("com.microsoft.FastGelu", "gelu(approximate: true)", { script, x in
      script.node("FastGelu", x, script.weights(width), domain: "com.microsoft")
    }),
    ("com.microsoft.QuickGelu", "quickGelu", { script, x in script.node("QuickGelu", x, domain: "com.microsoft") }),
  ]

  @Test(arguments: gates.indices) func gate(_ form: Int) throws {
    let (name, expected, build) = Self.gates[form]
    let version = name == "Swish" ? 24 : 17
    try between(build, version: version).check([expected: 1, "fullyConnected": 2], comment: name)
  }

  // MARK: Attention in one node

  static let attention: [(String, String, inputs: Int, Form)] = [
    ("Attention, heads side by side", "attention heads 2 scale 0.5", 3, { script, x in
      let operands = (0..<3).map { _ in script.linear(x, width, width) }
      return script.nodes("Attention", operands, outputs: 1, [("q_num_heads", .int(2)), ("kv_num_heads", .int(2))])[0]
    }),
    ("Attention, shared heads, causal, a scale", "attention heads 2 of 1 scale 0.25 causal", 3, { script, x in
      let q = script.heads(script.linear(x, width, width), rows, 2, 4)
      let k = script.heads(script.linear(x, width, 4), rows, 1, 4)
      let v = script.heads(script.linear(x, width, 4), rows, 1, 4)
      let result = script.nodes("Attention", [q, k, v], outputs: 1, [("is_causal", .int(1)), ("scale", .real(0.25))])[0]
      return script.rows(result, rows, width)
    }),
    ("Attention, a bool mask of keys, shared heads", "attention heads 2 of 1 scale 0.5", 4, { script, x in
      script.writer.input("mask", [1, rows], .int64)
      let mask = script.node(
        "Expand", script.unsqueeze(script.cast("mask", to: .bool), 1), script.integers(1, rows, rows))
      let operands = [script.linear(x, width, width), script.linear(x, width, 4), script.linear(x, width, 4), mask]
      return script.nodes("Attention", operands, outputs: 1, [("q_num_heads", .int(2)), ("kv_num_heads", .int(1))])[0]
    }),
    ("Attention, a float mask, causal", "attention heads 2 scale 0.5 causal", 4, { script, x in
      script.writer.input("mask", [1, rows], .int64)
      let hidden = script.node("Sub", script.scalar(1), script.cast(script.unsqueeze("mask", 1, 2), to: .float))
      let mask = script.node("Mul", hidden, script.scalar(-1e9))
      let operands = (0..<3).map { _ in script.linear(x, width, width) } + [mask]
      return script.nodes(
        "Attention", operands, outputs: 1,
        [("q_num_heads", .int(2)), ("kv_num_heads", .int(2)), ("is_causal", .int(1))])[0]
    }),
    ("com.microsoft.Attention", "attention heads 2 scale 0.5", 4, { script, x in
      script.writer.input("mask", [1, rows], .int32)
      let inputs = [x, script.weights(width, 3 * width), script.weights(3 * width), "mask"]
      return script.nodes("Attention", inputs, outputs: 1, domain: "com.microsoft", [("num_heads", .int(2))])[0]
    }),
    ("com.microsoft.MultiHeadAttention", "attention heads 2 scale 0.5", 4, { script, x in
      script.writer.input("mask", [1, rows], .int32)
      let operands = (0..<3).map { _ in script.linear(x, width, width, bias: false) }
      return script.nodes(
        "MultiHeadAttention", operands + [script.weights(3 * width), "mask"], outputs: 1, domain: "com.microsoft",
        [("num_heads", .int(2))])[0]
    }),
    ("com.microsoft.GroupQueryAttention", "attention heads 2 of 1 scale 0.5 causal", 3, { script, x in
      script.writer.input("past_key", [1, 1, "past", 4])
      script.writer.input("past_value", [1, 1, "past", 4])
      let inputs = [
        script.linear(x, width, 2 * width), "", "", "past_key", "past_value", script.integers([rows - 1], [1], .int32),
        script.integers([rows], [1], .int32), script.constant((0..<16).map { 1 - Float($0) / 40 }, [8, 2]),
        script.constant((0..<16).map { Float($0) / 20 }, [8, 2]),
      ]
      return script.nodes(
        "GroupQueryAttention", inputs, outputs: 3, domain: "com.microsoft",
        [("num_heads", .int(2)), ("kv_num_heads", .int(1)), ("do_rotary", .int(1))])[0]
    }),
  ]

  @Test(arguments: attention.indices) func attentionNode(_ form: Int) throws {
    let (name, expected, inputs, build) = Self.attention[form]
    let graph = try between(build, version: 23).check([expected: 1], dimensions: ["past": 0], comment: name)
    let node = try #require(graph.nodes.first { $0.operation.summary == expected })
    #expect(node.inputs.count == inputs, "\(name)\n\(graph.summary())")
  }

  /// Keys and values of earlier runs are inputs like others: one query sees them all.
  @Test func attentionWithAPast() throws {
    try between({ script, x in
      script.writer.input("past_key", [1, 2, 3, 4])
      script.writer.input("past_value", [1, 2, 3, 4])
      let last = script.slice(x, 1, Self.rows - 1, Self.rows)
      let operands = (0..<3).map { _ in script.linear(last, Self.width, Self.width) }
      let results = script.nodes(
        "Attention", operands + ["", "past_key", "past_value"], outputs: 3,
        [("q_num_heads", .int(2)), ("kv_num_heads", .int(2)), ("is_causal", .int(1))])
      return results[0]
    }, version: 23).check(["attention heads 2 scale 0.5": 1])
  }

  static let refused: [(String, [(String, ONNXModelWriter.Attribute)], Int, String)] = [
    ("GroupQueryAttention", [("num_heads", .int(2)), ("kv_num_heads", .int(2))], 3, "--dim past_sequence_length=0"),
    ("GroupQueryAttention", [("num_heads", .int(2)), ("kv_num_heads", .int(2)), ("local_window_size", .int(4))], -1, "local"),
    ("MultiHeadAttention", [("num_heads", .int(2))], 5, "a bias of scores (input 5)"),
    ("MultiHeadAttention", [("num_heads", .int(2))], 4, "a number for each key"),
    ("SkipLayerNormalization", [], -1, "is not"),
  ]

  @Test(arguments: refused.indices) func namesWhatIsRefused(_ form: Int) throws {
    let (operation, attributes, extra, wanted) = Self.refused[form]
    let script = between({ script, x in
      var inputs = Array(repeating: x, count: 3)
      while inputs.count < extra { inputs.append("") }
      if extra >= 0 { inputs.append(script.weights(1, 2, 3, 4)) }
      return script.nodes(operation, inputs, outputs: 1, domain: "com.microsoft", attributes)[0]
    })
    let error = #expect(throws: PackError.self) { try script.writer.load() }
    let text = error?.description ?? ""
    #expect(text.hasPrefix("com.microsoft.\(operation), node ") && (text.contains(wanted) || wanted == "is not"), "\(text)")
  }

  // MARK: Vision transformers

  /// A class token from Expand of a dimension, positions, and what is read of the rows in the end.
  static let pools: [(String, Form)] = [
    ("Gather of row 0", { script, x in script.node("Gather", x, script.integer(0), with: [("axis", .int(1))]) }),
    ("Slice and Squeeze", { script, x in
      script.node("Squeeze", script.slice(x, 1, 0, 1), script.integers(1))
    }),
    ("mean of the patches", { script, x in
      let patches = script.slice(x, 1, 1, 10)
      return script.node("ReduceMean", patches, with: [("axes", .ints([1])), ("keepdims", .int(0))])
    }),
    ("class token beside the mean", { script, x in
      let first = script.node("Gather", x, script.integer(0), with: [("axis", .int(1))])
      let mean = script.node("ReduceMean", script.slice(x, 1, 1, 10), with: [("axes", .ints([1])), ("keepdims", .int(0))])
      return script.node("Add", first, mean)
    }),
    ("DeiT: two heads averaged", { script, x in
      let parts = (0..<2).map { script.node("Gather", x, script.integer($0), with: [("axis", .int(1))]) }
      let logits = parts.map { script.node("Gemm", $0, script.weights(8, 8), script.weights(8)) }
      return script.node("Div", script.node("Add", logits[0], logits[1]), script.scalar(2))
    }),
  ]

  @Test(arguments: pools.indices) func visionTransformer(_ form: Int) throws {
    let (name, pool) = Self.pools[form]
    var script = ExporterScript()
    script.writer.input("image", [1, 3, 6, 6])
    let patches = script.nodes(
      "Conv", ["image", script.weights(8, 3, 2, 2), script.weights(8)], outputs: 1,
      [("kernel_shape", .ints([2, 2])), ("strides", .ints([2, 2]))])[0]
    let flat = script.transpose(script.reshape(patches, 1, 8, 9), 0, 2, 1)
    let batch = script.unsqueeze(script.node("Gather", script.node("Shape", flat), script.integer(0)), 0)
    let shape = script.node("Concat", batch, script.integers(-1, -1), with: [("axis", .int(0))])
    let ones = script.node(
      "ConstantOfShape", script.integers(3), with: [("value", .tensor(ONNXModelWriter.integers("", [1], [1])))])
    let isOpen = script.node("Equal", shape, script.node("Mul", ones, script.integer(-1)))
    let token = script.node("Expand", script.weights(1, 1, 8), script.node("Where", isOpen, ones, shape))
    var x = script.node("Add", script.concatenate(token, flat, axis: 1), script.weights(1, 10, 8))
    let normal = script.node("LayerNormalization", x, script.weights(8), script.weights(8))
    let all = script.transpose(script.reshape(script.linear(normal, 8, 24), 1, 10, 3, 2, 4), 2, 0, 3, 1, 4)
    let parts = script.nodes("Split", [all, script.integers(1, 1, 1)], outputs: 3, [("axis", .int(0))]).map {
      script.node("Squeeze", $0, script.integers(0))
    }
    let root = script.scalar(0.70710677)
    let scores = script.node(
      "MatMul", script.node("Mul", parts[0], root), script.node("Mul", script.transpose(parts[1], 0, 1, 3, 2), root))
    let mixed = script.rows(script.node("MatMul", script.softmax(scores), parts[2]), 10, 8)
    x = script.node("Add", x, script.linear(mixed, 8, 8))
    let last = script.node("LayerNormalization", x, script.weights(8), script.weights(8))
    script.writer.node("Gemm", [pool(&script, last), script.weights(8, 5), script.weights(5)], ["logits"])
    script.writer.output("logits")
    let graph = try script.check(["attention heads 2": 1], decibels: 20, comment: name)
    #expect(!graph.nodes.contains { $0.operation.summary.hasPrefix("gather") }, "\(name)\n\(graph.summary())")
  }
}
