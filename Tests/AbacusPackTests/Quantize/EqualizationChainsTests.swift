import Testing

@testable import AbacusPack

/// Cross-layer equalisation between convolutions.
@Suite struct EqualizationChainsTests {
  private typealias ID = Graph.TensorID

  // MARK: Graphs

  /// A layer whose output channels reach up to 64 times as far as others.
  private static func layer(
    _ float: inout FloatGraph, _ x: ID, _ channels: Int, size: Int = 3, depthwise: Bool = false, groups: Int = 1,
    _ activation: Activation = .relu
  ) -> ID {
    let shape = float.shape(x)
    let padding = [(size - 1) / 2, (size - 1) / 2]
    let window = WindowAttributes(size: [size, size], padBefore: padding, padAfter: padding)
    let weights = depthwise ? [1, size, size, channels] : [channels, size, size, shape[3] / groups]
    let depth = depthwise ? channels : weights[1...].reduce(1, *)
    let values = float.values(weights.reduce(1, *)).enumerated().map { position, value in
      value * reach(of: depthwise ? position % channels : position / depth)
    }
    let bias = float.values(channels).enumerated().map { $1.magnitude * reach(of: $0) }
    let operands = [x, float.constant(weights, values), float.constant([channels], bias)]
    let operation: AbacusPack.Operation =
      depthwise
      ? .depthwiseConvolution(window, multiplier: channels / shape[3], activation)
      : .convolution(window, groups: groups, activation)
    return float.add(operation, operands, shape.dropLast() + [channels])
  }

  private static func reach(of channel: Int) -> Float { Float(1 << (channel * 5 % 7)) / 32 }

  /// Convolution, depthwise convolution and convolution; a pool; a grouped convolution, a flattened image,
  /// and two fully connected layers.
  private static func network() -> (graph: Graph, chained: [ID]) {
    var float = FloatGraph(seed: 4)
    let stem = layer(&float, float.input([1, 8, 8, 3]), 8)
    let depthwise = layer(&float, stem, 16, depthwise: true)
    let pointwise = layer(&float, depthwise, 12, size: 1)
    let window = WindowAttributes(size: [2, 2], strides: [2, 2])
    let pooled = float.add(.pool(.max, window, .none), [pointwise], [1, 4, 4, 12])
    let grouped = layer(&float, pooled, 6, groups: 3, .none)
    let hidden = float.fullyConnected(float.reshape(grouped, [1, 96]), 10)
    float.graph.outputs = [float.fullyConnected(hidden, 5)]
    return (float.graph, [stem, depthwise, pointwise, grouped, hidden])
  }

  private static func samples(_ graph: Graph) -> [FloatTensor] {
    var float = FloatGraph(seed: 9)
    let shape = graph.tensors[graph.inputs[0]].shape
    return (0..<6).map { _ in FloatTensor(shape: shape, values: float.values(shape.reduce(1, *))) }
  }

  private static func calibrate(_ graph: Graph) throws -> Calibration {
    let samples = samples(graph)
    return try Calibration(graph, samples: { [samples[$0]] }, count: samples.count)
  }

  /// The farthest-reaching channel of a tensor, over the one that reaches least far.
  private static func unevenness(_ id: ID, _ calibration: Calibration) -> Float {
    let statistics = calibration[id]
    let reaches = zip(statistics.channelMinimum, statistics.channelMaximum).map { max(-$0, $1) }
    return reaches.max()! / reaches.min()!
  }

  /// Both graphs compute the same.
  private static func expectSameFunction(_ graph: Graph, _ even: Graph) throws {
    let (before, after) = (try FloatEvaluator(graph), try FloatEvaluator(even))
    for sample in samples(graph) {
      let (expected, found) = (try before.evaluate([sample])[0].values, try after.evaluate([sample])[0].values)
      let largest = expected.reduce(0) { max($0, $1.magnitude) }
      for (a, b) in zip(expected, found) { #expect((a - b).magnitude <= 1e-5 * largest) }
    }
  }

  private static func weights(_ graph: Graph) -> [[UInt8]] {
    graph.nodes.compactMap { node in node.inputs.count > 1 ? node.inputs[1].flatMap { graph.tensors[$0].data } : nil }
  }

  // MARK: Tests

  @Test(arguments: [0.0, 0.5, 1.0])
  func theNetworkComputesTheSame(balance: Double) throws {
    let (graph, _) = Self.network()
    let even = try Equalization.apply(graph, try Self.calibrate(graph), balance: balance)
    try Self.expectSameFunction(graph, even)
    let differing = zip(Self.weights(graph), Self.weights(even)).count { $0 != $1 }
    #expect(differing == 6)
  }

  /// With all of the unevenness in the weights every chained tensor becomes even.
  @Test func channelsBecomeEven() throws {
    let (graph, chained) = Self.network()
    let before = try Self.calibrate(graph)
    let after = try Self.calibrate(try Equalization.apply(graph, before, balance: 1))
    for id in chained.dropLast() {
      #expect(Self.unevenness(id, before) > 8)
      #expect(Self.unevenness(id, after) < 1.01)
    }
    #expect(Self.unevenness(chained.last!, after) < 1.01)
  }

  /// A depthwise layer has a scale for each channel that it reads: balance is not needed.
  @Test func depthwiseReadersTakeAllUnevenness() throws {
    let (graph, chained) = Self.network()
    let before = try Self.calibrate(graph)
    let after = try Self.calibrate(try Equalization.apply(graph, before, balance: 0.5))
    #expect(Self.unevenness(chained[0], after) < 1.01)
    #expect(Self.unevenness(chained[1], after) > 1.5)
    #expect(Self.unevenness(chained[1], after) < Self.unevenness(chained[1], before) / 2)
  }

  /// Layers between which something stands that does not let factors through, or that others read.
  enum Obstacle: CaseIterable {
    case twoReaders, output, residual, clampAtSix, clampAtOne, otherFunction, sharedWeights
  }

  @Test(arguments: Obstacle.allCases)
  func nothingIsChangedWhereItWouldBeWrong(obstacle: Obstacle) throws {
    var float = FloatGraph(seed: 7)
    let x = float.input([1, 4, 4, 8])
    let activation: Activation =
      switch obstacle {
      case .clampAtSix: .relu6
      case .clampAtOne: .reluN1To1
      default: .relu
      }
    let first = Self.layer(&float, x, 8, activation)
    var middle = first
    if obstacle == .otherFunction { middle = float.unary(.tanh, first) }
    if obstacle == .residual { middle = float.binary(.add, first, x) }
    var last = Self.layer(&float, middle, 8, .none)
    if obstacle == .sharedWeights {
      float.graph.nodes[float.graph.nodes.count - 1].inputs[1] = float.graph.nodes[0].inputs[1]
    }
    if obstacle == .twoReaders { last = float.binary(.add, last, float.unary(.tanh, first)) }
    float.graph.outputs = obstacle == .output ? [last, first] : [last]
    let calibration = try Self.calibrate(float.graph)
    if obstacle == .clampAtSix { #expect(calibration[first].maximum == 6) }
    let even = try Equalization.apply(float.graph, calibration, balance: 1)
    #expect(Self.weights(even) == Self.weights(float.graph))
    #expect(even.nodes.map(\.operation) == float.graph.nodes.map(\.operation))
  }

  /// The same graph as where nothing may be changed, without an obstacle.
  @Test(arguments: [Activation.none, .relu])
  func pairsAreChanged(activation: Activation) throws {
    var float = FloatGraph(seed: 7)
    let first = Self.layer(&float, float.input([1, 4, 4, 8]), 8, activation)
    float.graph.outputs = [Self.layer(&float, first, 8, .none)]
    let even = try Equalization.apply(float.graph, try Self.calibrate(float.graph), balance: 1)
    #expect(zip(Self.weights(float.graph), Self.weights(even)).allSatisfy { $0 != $1 })
    #expect(Self.unevenness(first, try Self.calibrate(even)) < 1.01)
  }

  /// A clamp at 6 that nothing reaches is none, and must not be reached after channels have grown.
  @Test func aClampAtSixThatNothingReachesGoes() throws {
    var float = FloatGraph(seed: 5)
    let x = float.input([1, 4, 4, 1])
    let first = Self.layer(&float, x, 8, size: 1, .relu6)
    float.graph.outputs = [Self.layer(&float, first, 4, .none)]
    let calibration = try Self.calibrate(float.graph)
    #expect(calibration[first].maximum < 6)
    let even = try Equalization.apply(float.graph, calibration, balance: 1)
    guard case .convolution(_, _, let activation) = even.nodes[0].operation else {
      Issue.record("\(even.nodes[0].operation)")
      return
    }
    #expect(activation == .relu)
    try Self.expectSameFunction(float.graph, even)
  }
}
