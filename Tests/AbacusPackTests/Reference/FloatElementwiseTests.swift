import Testing

@testable import AbacusPack

@Suite struct FloatElementwiseTests {
  static let functions: [BinaryFunction] = [
    .add, .subtract, .multiply, .squaredDifference, .maximum, .minimum, .divide, .power,
  ]

  @Test(arguments: functions) func binary(_ function: BinaryFunction) throws {
    for seed in 0..<30 {
      var test = FloatCase(seed: seed)
      let shape = test.shape(test.random(0...4))
      let (first, second) = test.flip() ? (test.narrowed(shape), shape) : (shape, test.narrowed(shape))
      // A power of a negative number is no number.
      test.input(first, in: function == .power ? 0.1...2 : -2...2)
      test.either(second)
      try test.check(.binary(function, seed % 3 == 0 ? .reluN1To1 : .none), shape, tolerance: 1e-5)
    }
  }

  @Test func prelu() throws {
    for seed in 0..<20 {
      var test = FloatCase(seed: seed)
      let shape = test.shape(3)
      test.input(shape)
      test.constant(test.narrowed(shape))
      try test.check(.prelu, shape)
    }
  }

  /// Every function on a grid that has its corners and poles.
  @Test(arguments: RealReference.allFunctions) func unary(_ function: UnaryFunction) throws {
    var test = FloatCase(seed: 0)
    let values = (-96...96).map { Float($0) / 16 }
    test.input([values.count], values)
    try test.check(.unary(function), [values.count], tolerance: 1e-5)
  }

  @Test func requantizeWithoutScaleKeepsValues() throws {
    var test = FloatCase(seed: 0)
    test.input([2, 3])
    try test.check(.requantize, [2, 3], tolerance: 0)
  }

  @Test func requantizeRoundsAndClamps() throws {
    var graph = Graph()
    let input = graph.add(Tensor(name: "in", shape: [7], type: .float32))
    let output = graph.add(
      Tensor(
        name: "out", shape: [7], type: .int8, quantization: Quantization(scale: 0.5, zeroPoint: -10)))
    graph.nodes = [Node(.requantize, inputs: [input], outputs: [output], origin: "the node")]
    (graph.inputs, graph.outputs) = ([input], [output])
    let values: [Float] = [0, 0.2, 0.25, -0.25, -0.3, 1000, -1000]
    let result = try FloatEvaluator(graph).evaluate([FloatTensor(shape: [7], values: values)])
    // Codes from -128 to 127 are -59 to 68.5; halves go up.
    #expect(result[0].values == [0, 0, 0.5, 0, -0.5, 68.5, -59])
  }

  @Test func requantizeByChannel() throws {
    var graph = Graph()
    let input = graph.add(Tensor(name: "in", shape: [2, 2], type: .float32))
    let output = graph.add(
      Tensor(
        name: "out", shape: [2, 2], type: .int16,
        quantization: Quantization(scales: [1, 0.25], zeroPoints: [0, 4], axis: 1)))
    graph.nodes = [Node(.requantize, inputs: [input], outputs: [output], origin: "the node")]
    (graph.inputs, graph.outputs) = ([input], [output])
    let result = try FloatEvaluator(graph).evaluate(
      [FloatTensor(shape: [2, 2], values: [1.3, 1.3, 40_000, -40_000])])
    #expect(result[0].values == [1, 1.25, 32_767, -8193])
  }
}
