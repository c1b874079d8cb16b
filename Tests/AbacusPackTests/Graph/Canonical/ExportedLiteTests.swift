import Testing

@testable import AbacusPack

/// Attention with masks of keys as TensorFlow's converter writes it.
@Suite struct ExportedLiteTests {
  typealias Operand = TFLiteModelWriter.Operand
  typealias Step = TFLiteModelWriter.Step

  private static let (rows, width) = (6, 4)

  private static func real(_ name: String, _ shape: [Int], _ values: [Float]? = nil) -> Operand {
    Operand(name: name, shape: shape, type: "float32", data: values.map(Tensor.data(of:)))
  }

  private static func weights(_ name: String, seed: UInt64) -> Operand {
    var generator = SeededGenerator(state: seed)
    return real(name, [width, width], (0..<width * width).map { _ in Float.random(in: -1...1, using: &generator) })
  }

  /// Steps from "mask" [1, n], int32, and "scores" [1, n, n] to "masked".
  static var masks: [(String, [Operand], [Step])] { [
    (
      "(1 - mask) * -1e9",
      [
        real("number", [1, rows]), real("one", [], [1]), real("hidden", [1, rows]), real("lowest", [], [-1e9]),
        real("summand", [1, rows]), .ints("wide", [1, 1, rows]), real("row", [1, 1, rows]),
      ],
      [
        Step(code: "CAST", inputs: ["mask"], outputs: ["number"]),
        Step(code: "SUB", inputs: ["one", "number"], outputs: ["hidden"], options: (28, [:])),
        Step(code: "MUL", inputs: ["hidden", "lowest"], outputs: ["summand"], options: (21, [:])),
        Step(code: "RESHAPE", inputs: ["summand", "wide"], outputs: ["row"]),
        Step(code: "ADD", inputs: ["scores", "row"], outputs: ["masked"], options: (11, [:])),
      ]
    ),
    (
      "SELECT_V2 where mask > 0 and not later",
      [
        .ints("zero", [0], shape: []), Operand(name: "seen", shape: [1, rows], type: "bool"), .ints("wide", [1, 1, rows]),
        Operand(name: "row", shape: [1, 1, rows], type: "bool"), real("lowest", [], [-1e9]),
        Operand(
          name: "earlier", shape: [1, rows, rows], type: "bool",
          data: (0..<rows * rows).map { $0 % rows > $0 / rows ? 0 : 1 }),
        Operand(name: "both", shape: [1, rows, rows], type: "bool"),
      ],
      [
        Step(code: "GREATER", inputs: ["mask", "zero"], outputs: ["seen"]),
        Step(code: "RESHAPE", inputs: ["seen", "wide"], outputs: ["row"]),
        Step(code: "LOGICAL_AND", inputs: ["row", "earlier"], outputs: ["both"]),
        Step(code: "SELECT_V2", inputs: ["both", "scores", "lowest"], outputs: ["masked"]),
      ]
    ),
    (
      "SELECT_V2 where Not(cast(mask)), EQUAL, LOGICAL_OR",
      [
        Operand(name: "flag", shape: [1, rows], type: "bool"), Operand(name: "none", shape: [1, rows], type: "bool"),
        .ints("zero", [0], shape: []), Operand(name: "padding", shape: [1, rows], type: "bool"),
        Operand(name: "either", shape: [1, rows], type: "bool"), .ints("wide", [1, 1, rows]),
        Operand(name: "row", shape: [1, 1, rows], type: "bool"), real("lowest", [], [-1e9]),
      ],
      [
        Step(code: "CAST", inputs: ["mask"], outputs: ["flag"]),
        Step(code: "LOGICAL_NOT", inputs: ["flag"], outputs: ["none"]),
        Step(code: "EQUAL", inputs: ["mask", "zero"], outputs: ["padding"]),
        Step(code: "LOGICAL_OR", inputs: ["none", "padding"], outputs: ["either"]),
        Step(code: "RESHAPE", inputs: ["either", "wide"], outputs: ["row"]),
        Step(code: "SELECT_V2", inputs: ["row", "lowest", "scores"], outputs: ["masked"]),
      ]
    ),
  ] }

  @Test(arguments: 0..<3) func keyMask(_ form: Int) throws {
    let (name, operands, steps) = Self.masks[form]
    let square = [1, Self.rows, Self.rows]
    let whole = [1, Self.rows, Self.width]
    var model = TFLiteModelWriter()
    model.inputs = ["x", "mask"]
    model.operands = [
      Self.real("x", whole), Operand(name: "mask", shape: [1, Self.rows], type: "int32"), Self.weights("a", seed: 1),
      Self.weights("b", seed: 2), Self.weights("c", seed: 3), Self.real("q", whole), Self.real("k", whole),
      Self.real("v", whole), Self.real("product", square), Self.real("half", [], [0.5]), Self.real("scores", square),
      Self.real("masked", square), Self.real("weights", square), Self.real("y", whole),
    ] + operands
    let keeps: (kind: Int, fields: [Int: Flat]) = (8, [2: .byte(1)])
    model.steps = zip(["a", "b", "c"], ["q", "k", "v"]).map {
      Step(code: "FULLY_CONNECTED", inputs: ["x", $0, nil], outputs: [$1], options: keeps)
    } + [
      Step(code: "BATCH_MATMUL", inputs: ["q", "k"], outputs: ["product"], options: (101, [1: .byte(1)])),
      Step(code: "MUL", inputs: ["product", "half"], outputs: ["scores"], options: (21, [:])),
    ] + steps + [
      Step(code: "SOFTMAX", inputs: ["masked"], outputs: ["weights"], options: (9, [0: .real(1)])),
      Step(code: "BATCH_MATMUL", inputs: ["weights", "v"], outputs: ["y"], options: (101, [:])),
    ]
    let graph = try model.load()
    let canonical = try graph.canonical()
    try ExporterScript.expectSame(graph, canonical, tokens: 2, name, #_sourceLocation)
    let causal = form == 1 ? " causal" : ""
    #expect(canonical.nodes.map(\.operation.summary) == ["fullyConnected", "fullyConnected", "fullyConnected",
      "attention heads 1 scale 0.5\(causal)"], "\(name)\n\(canonical.summary())")
    #expect(canonical.nodes.last?.inputs.count == 4)
    #expect(canonical.nodes.last?.inputs.last == canonical.inputs[1])
    var training = PostTraining()
    training.quantize.outputBits = 16
    let prepared = try training.prepare(graph)
    _ = try training.pack(prepared, count: 2) { index in
      prepared.inputs.map { id in
        let shape = prepared.tensors[id].shape
        let count = shape.reduce(1, *)
        return FloatTensor(shape: shape, values: (0..<count).map { count == 6 ? 1 : Float(($0 + index) % 5) - 2 })
      }
    }
  }
}
