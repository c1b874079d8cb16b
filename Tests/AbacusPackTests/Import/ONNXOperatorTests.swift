import Foundation
import Testing

@testable import AbacusPack

/// What operators compute after their import, against numbers worked out by hand.
@Suite struct ONNXOperatorTests {
  typealias Writer = ONNXModelWriter
  typealias Attributes = [(String, ONNXModelWriter.Attribute)]

  /// An operator with one run-time input and constants.
  private func result(
    _ operation: String, _ shape: [Int], _ x: [Float], version: Int = 20, constants: [ONNXTensorProto] = [],
    _ attributes: Attributes = []
  ) throws -> FloatTensor {
    try Writer.single(operation, shape, version: version, constants: constants, attributes).evaluate([x])[0]
  }

  private func isClose(_ a: [Float], _ b: [Float]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) < 1e-5 }
  }

  private let ramp9 = (0..<9).map(Float.init)

  // MARK: Windows

  static let paddedConvolutions: [(String, [Int], [Float])] = [
    ("VALID", [1, 1, 2, 2], [8, 12, 20, 24]),
    ("SAME_UPPER", [1, 1, 3, 3], [8, 12, 7, 20, 24, 13, 13, 15, 8]),
    ("SAME_LOWER", [1, 1, 3, 3], [0, 1, 3, 3, 8, 12, 9, 20, 24]),
  ]

  @Test(arguments: paddedConvolutions)
  func convolutionPadsAsAsked(_ mode: String, _ shape: [Int], _ expected: [Float]) throws {
    let ones = Writer.floats("w", [1, 1, 2, 2], [1, 1, 1, 1])
    let output = try result("Conv", [1, 1, 3, 3], ramp9, constants: [ones], [("auto_pad", .string(mode))])
    #expect(output == FloatTensor(shape: shape, values: expected))
  }

  @Test func convolutionInOneDimensionAndGroups() throws {
    let kernel = Writer.floats("w", [2, 1, 2], [1, 2, 10, 20])
    let output = try result(
      "Conv", [1, 2, 3], [1, 2, 3, 4, 5, 6], constants: [kernel], [("group", .int(2)), ("pads", .ints([1, 0]))])
    #expect(output == FloatTensor(shape: [1, 2, 3], values: [2, 5, 8, 80, 140, 170]))
    let graph = try Writer.single("Conv", [1, 2, 3], constants: [kernel], [("group", .int(2))]).load()
    let isDepthwise = { (operation: AbacusPack.Operation) in
      if case .depthwiseConvolution(_, multiplier: 1, .none) = operation { true } else { false }
    }
    #expect(graph.nodes.contains { isDepthwise($0.operation) })
  }

  @Test func transposedConvolution() throws {
    let kernel = Writer.floats("w", [1, 1, 2, 2], [1, 2, 3, 4])
    let whole = try result("ConvTranspose", [1, 1, 2, 2], [1, 2, 3, 4], constants: [kernel], [("strides", .ints([2, 2]))])
    #expect(
      whole == FloatTensor(shape: [1, 1, 4, 4], values: [1, 2, 2, 4, 3, 4, 6, 8, 3, 6, 4, 8, 9, 12, 12, 16]))
    let overlapping = try result("ConvTranspose", [1, 1, 2, 2], [1, 2, 3, 4], constants: [kernel], [("pads", .ints([1, 1, 0, 0]))])
    #expect(overlapping == FloatTensor(shape: [1, 1, 2, 2], values: [20, 16, 24, 16]))
  }

  @Test func poolsCountPaddingAsAsked() throws {
    let window: Attributes = [("kernel_shape", .ints([2, 2])), ("pads", .ints([1, 1, 0, 0]))]
    let without = try result("AveragePool", [1, 1, 2, 2], [4, 8, 12, 16], window)
    #expect(without.values == [4, 6, 8, 10])
    let with = try result("AveragePool", [1, 1, 2, 2], [4, 8, 12, 16], window + [("count_include_pad", .int(1))])
    #expect(with.values == [1, 3, 4, 10])
    let ceiled = try result(
      "MaxPool", [1, 1, 3, 3], ramp9, [("kernel_shape", .ints([2, 2])), ("strides", .ints([2, 2])), ("ceil_mode", .int(1))])
    #expect(ceiled == FloatTensor(shape: [1, 1, 2, 2], values: [4, 5, 7, 8]))
    #expect(try result("GlobalAveragePool", [1, 1, 3, 3], ramp9) == FloatTensor(shape: [1, 1, 1, 1], values: [4]))
  }

  // MARK: Products

  @Test func generalProduct() throws {
    let (b, c) = (Writer.floats("b", [2, 2], [1, 2, 3, 4]), Writer.floats("c", [2], [10, 20]))
    let plain = try result("Gemm", [1, 2], [1, 2], constants: [b, c])
    #expect(plain.values == [17, 30])
    let scaled = try result(
      "Gemm", [2, 1], [1, 2], constants: [b, c],
      [("transA", .int(1)), ("transB", .int(1)), ("alpha", .real(2)), ("beta", .real(0.5))])
    #expect(scaled.values == [15, 32])
    // With constant weights and bias it is one layer.
    let graph = try Writer.single("Gemm", [1, 2], constants: [b, c]).load()
    #expect(graph.nodes.map(\.operation) == [.fullyConnected(.none)])
    #expect(graph.nodes[0].inputs.count == 3)
  }

  static let sums: [(String, [Int], [Float], [Int], [Float])] = [
    ("ij,jk->ik", [2, 2], [1, 2, 3, 4], [2, 2], [7, 10, 15, 22]),
    ("ij,kj->ki", [2, 2], [1, 2, 3, 4], [2, 2], [5, 11, 11, 25]),
    ("ij,ij->j", [2, 2], [1, 2, 3, 4], [2], [10, 20]),
    ("...i,...i->...", [2, 2], [1, 2, 3, 4], [2], [5, 25]),
    ("ij,kl->", [2, 2], [1, 2, 3, 4], [], [100]),
  ]

  @Test(arguments: sums)
  func einsteinSums(_ equation: String, _ shape: [Int], _ b: [Float], _ expected: [Int], _ values: [Float]) throws {
    let output = try result(
      "Einsum", shape, [1, 2, 3, 4], constants: [Writer.floats("b", shape, b)], [("equation", .string(equation))])
    #expect(output == FloatTensor(shape: expected, values: values))
  }

  // MARK: Movement

  @Test func slicesAndSplits() throws {
    func list(_ name: String, _ values: [Int]) -> ONNXTensorProto { Writer.integers(name, [values.count], values) }
    let backwards = try result(
      "Slice", [2, 3], [1, 2, 3, 4, 5, 6],
      constants: [list("b", [-1]), list("e", [Int(Int64.min)]), list("a", [1]), list("s", [-2])])
    #expect(backwards == FloatTensor(shape: [2, 2], values: [3, 1, 6, 4]))
    var writer = Writer(version: 18)
    writer.input("x", [5])
    writer.node("Split", ["x"], ["a", "b", "c"], [("num_outputs", .int(3))])
    for name in ["a", "b", "c"] { writer.output(name) }
    #expect(try writer.evaluate([[1, 2, 3, 4, 5]]).map(\.values) == [[1, 2], [3, 4], [5]])
  }

  static let paddings: [(String, [Float])] = [
    ("constant", [9, 9, 1, 2, 3, 9]), ("reflect", [3, 2, 1, 2, 3, 2]),
    ("edge", [1, 1, 1, 2, 3, 3]), ("wrap", [2, 3, 1, 2, 3, 1]),
  ]

  @Test(arguments: paddings)
  func padding(_ mode: String, _ expected: [Float]) throws {
    let constants = [Writer.integers("p", [2], [2, 1]), Writer.floats("v", [], [9])]
    #expect(try result("Pad", [3], [1, 2, 3], constants: constants, [("mode", .string(mode))]).values == expected)
    let cut = [Writer.integers("p", [2], [-1, 1])]
    #expect(try result("Pad", [3], [1, 2, 3], constants: cut).values == [2, 3, 0])
  }

  @Test func gathersAndRepeats() throws {
    let picked = try result("Gather", [3, 2], [1, 2, 3, 4, 5, 6], constants: [Writer.integers("i", [2], [-1, 0])])
    #expect(picked == FloatTensor(shape: [2, 2], values: [5, 6, 1, 2]))
    let one = try Writer.single("Gather", [3, 2], constants: [Writer.integers("i", [], [1])], [("axis", .int(1))]).load()
    #expect(one.nodes.map(\.operation) == [.slice(starts: [0, 1], strides: [1, 1]), .reshape])
    let expanded = try result("Expand", [2, 1], [1, 2], constants: [Writer.integers("s", [3], [2, 1, 2])])
    #expect(expanded == FloatTensor(shape: [2, 2, 2], values: [1, 1, 2, 2, 1, 1, 2, 2]))
    #expect(try result("Tile", [2], [1, 2], constants: [Writer.integers("r", [1], [2])]).values == [1, 2, 1, 2])
  }

  @Test func blocks() throws {
    let x = (0..<8).map(Float.init)
    let depth = try result("DepthToSpace", [1, 8, 1, 1], x, [("blocksize", .int(2))])
    #expect(depth == FloatTensor(shape: [1, 2, 2, 2], values: [0, 2, 4, 6, 1, 3, 5, 7]))
    let other = try result("DepthToSpace", [1, 8, 1, 1], x, [("blocksize", .int(2)), ("mode", .string("CRD"))])
    #expect(other.values == x)
    let space = try result("SpaceToDepth", [1, 2, 2, 2], depth.values, [("blocksize", .int(2))])
    #expect(space == FloatTensor(shape: [1, 8, 1, 1], values: x))
  }

  // MARK: Functions

  @Test func softmaxOfOldVersionsFlattens() throws {
    let old = try result("Softmax", [1, 2, 2], [0, 0, 0, 0], version: 11)
    #expect(isClose(old.values, [0.25, 0.25, 0.25, 0.25]))
    #expect(isClose(try result("Softmax", [1, 2, 2], [0, 0, 0, 0]).values, [0.5, 0.5, 0.5, 0.5]))
    let first = try result("Softmax", [2, 2], [0, 100, 0, 100], [("axis", .int(0))])
    #expect(isClose(first.values, [0.5, 0.5, 0.5, 0.5]))
    // Far from the largest, the logarithm is exact, where that of a probability would be infinite.
    #expect(isClose(try result("LogSoftmax", [2], [0, 200]).values, [-200, 0]))
  }

  static let functionValues: [(String, Attributes, [Float])] = [
    ("Celu", [("alpha", .real(2))], [-1.2642411, 0, 3]),
    ("Clip", [], [-2, 0, 3]), ("HardSigmoid", [], [0.1, 0.5, 1]), ("HardSwish", [], [-0.3333333, 0, 3]),
    ("LeakyRelu", [("alpha", .real(0.5))], [-1, 0, 3]), ("Mish", [], [-0.2525015, 0, 2.9865351]),
    ("Selu", [], [-1.5201665, 0, 3.152103]), ("Softsign", [], [-0.6666667, 0, 0.75]),
    ("Swish", [], [-0.2384058, 0, 2.8577223]), ("ThresholdedRelu", [], [0, 0, 3]), ("Reciprocal", [], [-0.5, .infinity, 0.3333333]),
    ("Gelu", [("approximate", .string("tanh"))], [-0.0454023, 0, 2.9963627]),
  ]

  @Test(arguments: functionValues)
  func functions(_ operation: String, _ attributes: [(String, ONNXModelWriter.Attribute)], _ expected: [Float]) throws {
    let values = try result(operation, [3], [-2, 0, 3], version: 24, attributes).values
    #expect(zip(values, expected).allSatisfy { $0 == $1 || abs($0 - $1) < 1e-5 }, "\(values)")
  }

  @Test func powersBecomeFunctions() throws {
    let powers: [(Float, UnaryFunction)] = [(2, .square), (0.5, .sqrt), (-0.5, .rsqrt), (-1, .reciprocal)]
    for (exponent, function) in powers {
      let graph = try Writer.single("Pow", [2], constants: [Writer.floats("e", [], [exponent])]).load()
      #expect(graph.nodes.map(\.operation) == [.unary(function)])
    }
    #expect(try result("Pow", [2], [2, 3], constants: [Writer.floats("e", [], [3])]).values == [8, 27])
  }

  @Test func reductions() throws {
    let axes = [Writer.integers("a", [1], [-1])]
    let x: [Float] = [3, -4, 1, 2]
    #expect(try result("ReduceL2", [2, 2], x, constants: axes, [("keepdims", .int(0))]) == FloatTensor(shape: [2], values: [5, 2.236068]))
    #expect(try result("ReduceSum", [2, 2], x) == FloatTensor(shape: [1, 1], values: [2]))
    #expect(try result("ReduceSum", [2, 2], x, [("noop_with_empty_axes", .int(1))]).values == x)
    #expect(try result("ReduceMax", [2, 2], x, version: 11, [("axes", .ints([0])), ("keepdims", .int(0))]).values == [3, 2])
    #expect(isClose(try result("ReduceLogSumExp", [2], [1000, 1000]).values, [1000 + log(2)]))
  }

  @Test func comparisonsAndChoices() throws {
    var writer = Writer()
    writer.input("x", [4])
    writer.constant("limit", [], [2])
    writer.constant("other", [], [-1])
    writer.node("GreaterOrEqual", ["x", "limit"], ["large"])
    writer.node("Equal", ["x", "other"], ["equal"])
    writer.node("Or", ["large", "equal"], ["either"])
    writer.node("Not", ["either"], ["neither"])
    writer.node("Where", ["neither", "x", "other"], ["y"])
    writer.output("y")
    #expect(try writer.evaluate([[1, 2, -1, 0]])[0].values == [1, -1, -1, 0])
  }

  // MARK: Normalisation

  @Test func layerNormalizationOverSeveralDimensions() throws {
    var writer = Writer()
    writer.input("x", [1, 2, 2])
    writer.constant("scale", [2, 2], [1, 2, 3, 4])
    writer.constant("bias", [2, 2], [0, 0, 0, 10])
    writer.node("LayerNormalization", ["x", "scale", "bias"], ["y", "mean", "deviation"], [("axis", .int(1)), ("epsilon", .real(0))])
    for name in ["y", "mean", "deviation"] { writer.output(name) }
    let outputs = try writer.evaluate([[1, 1, 3, 3]])
    #expect(isClose(outputs[0].values, [-1, -2, 3, 14]))
    #expect(outputs[1] == FloatTensor(shape: [1, 1, 1], values: [2]))
    #expect(isClose(outputs[2].values, [1]))
    #expect(try writer.load().nodes.contains { $0.operation == .layerNormalization(epsilon: 0) })
  }

  @Test func normalizationsOfChannels() throws {
    let affine = [Writer.floats("s", [2], [2, 1]), Writer.floats("b", [2], [0, 5])]
    let instance = try result("InstanceNormalization", [1, 2, 2], [1, 3, 5, 9], constants: affine, [("epsilon", .real(0))])
    #expect(isClose(instance.values, [-2, 2, 4, 6]))
    let group = try result(
      "GroupNormalization", [1, 2, 2], [1, 3, 1, 3], version: 21, constants: affine, [("num_groups", .int(1)), ("epsilon", .real(0))])
    #expect(isClose(group.values, [-2, 2, 4, 6]))
    let batch = try result(
      "BatchNormalization", [1, 2, 1], [1, 2],
      constants: affine + [Writer.floats("m", [2], [0, 1]), Writer.floats("v", [2], [4, 0.25])], [("epsilon", .real(0))])
    #expect(isClose(batch.values, [1, 7]))
    // All of its constants are folded into one factor and one summand.
    let statistics = [Writer.floats("m", [2], [0, 1]), Writer.floats("v", [2], [4, 1])]
    let graph = try Writer.single("BatchNormalization", [1, 2, 1], constants: affine + statistics).load()
    #expect(graph.nodes.map(\.operation) == [.binary(.multiply, .none), .binary(.add, .none)])
  }

  // MARK: Attention

  /// Query, key and value as inputs, more as constants.
  private func attention(_ constants: [ONNXTensorProto] = [], _ attributes: Attributes) -> Writer {
    var writer = Writer(version: 23)
    writer.input("q", [1, 3, 8])
    writer.input("k", [1, 3, 4])
    writer.input("v", [1, 3, 4])
    for constant in constants { writer.constant(constant) }
    writer.node(
      "Attention", ["q", "k", "v"] + constants.map(\.name), ["y"],
      attributes + [("q_num_heads", .int(4)), ("kv_num_heads", .int(2))])
    writer.output("y")
    return writer
  }

  /// As one operation, and with a mask that hides nothing as products and a softmax.
  @Test(arguments: [0, 1])
  func attentionInBothForms(_ causal: Int) throws {
    let attributes: Attributes = [("is_causal", .int(causal)), ("scale", .real(0.75))]
    let single = attention([], attributes)
    let operation = Operation.attention(
      AttentionAttributes(heads: 4, keyValueHeads: 2, scale: 0.75, isCausal: causal == 1))
    #expect(try single.load().nodes.map(\.operation) == [operation])
    let open = attention([Writer.floats("mask", [3, 3], Array(repeating: 0, count: 9))], attributes)
    #expect(try open.load().nodes.contains { $0.operation == .softmax(beta: 1) })
    var generator = SeededGenerator(state: 3)
    let inputs = [24, 12, 12].map { count in (0..<count).map { _ in Float.random(in: -2...2, using: &generator) } }
    #expect(isClose(try single.evaluate(inputs)[0].values, try open.evaluate(inputs)[0].values))
  }

  /// All of a head rotated is one operation; half of it is written out. The halves that are rotated
  /// agree with a head of that size.
  @Test(arguments: [0, 1])
  func rotaryEmbedding(_ interleaved: Int) throws {
    func writer(_ extent: Int) -> Writer {
      let tables = ["cos", "sin"].enumerated().map { index, name in
        Writer.floats(name, [1, 2, 2], (0..<4).map { index == 0 ? cos(Float($0)) : sin(Float($0)) })
      }
      return .single(
        "RotaryEmbedding", [1, 2, extent], version: 23, constants: tables,
        [("num_heads", .int(1)), ("interleaved", .int(interleaved)), ("rotary_embedding_dim", .int(4))])
    }
    let rotary = Operation.rotary(RotaryAttributes(heads: 1, isInterleaved: interleaved == 1))
    #expect(try writer(4).load().nodes.map(\.operation) == [rotary])
    let rows: [[Float]] = [[1, 2, 3, 4], [5, 6, 7, 8]]
    let whole = try writer(4).evaluate([rows.flatMap { $0 }])[0].values
    let half = try writer(6).evaluate([rows.flatMap { $0 + [20, 30] }])[0].values
    #expect(isClose(half, Array(whole[..<4]) + [20, 30] + Array(whole[4...]) + [20, 30]))
  }
}
