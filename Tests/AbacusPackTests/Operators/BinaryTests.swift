import Testing

@testable import AbacusPack

@Suite struct BinaryTests {
  static let functions: [BinaryFunction] = [
    .add, .subtract, .multiply, .squaredDifference, .maximum, .minimum,
  ]

  static let broadcasts: [(a: [Int], b: [Int], output: [Int])] = [
    ([1], [1], [1]), ([], [], []), ([7], [7], [7]), ([2, 3], [2, 3], [2, 3]), ([2, 3, 4], [2, 3, 4], [2, 3, 4]),
    ([2, 3], [3], [2, 3]), ([3], [2, 3], [2, 3]), ([2, 3], [1], [2, 3]), ([2, 3], [], [2, 3]),
    ([], [2, 3], [2, 3]), ([2, 1], [1, 3], [2, 3]), ([1, 2, 1, 3], [4, 1, 2, 1], [4, 2, 2, 3]),
    ([2, 3, 4], [2, 1, 4], [2, 3, 4]), ([2, 1, 4], [2, 3, 4], [2, 3, 4]), ([1, 3, 1], [2, 3, 4], [2, 3, 4]),
    ([2, 1, 2, 1, 2, 1], [1, 2, 1, 2, 1, 2], [2, 2, 2, 2, 2, 2]), ([1, 5, 5, 3], [1, 1, 1, 3], [1, 5, 5, 3]),
    ([1, 5, 5, 3], [1, 5, 5, 1], [1, 5, 5, 3]),
  ]

  /// An output scale that covers what the operands can reach.
  static func outputScale(_ function: BinaryFunction, _ a: Double, _ b: Double) -> Double {
    switch function {
    case .add, .subtract: a + b
    case .multiply: a * b * 100
    case .squaredDifference: (a + b) * (a + b) * 160
    case .maximum, .minimum, .divide, .power: max(a, b)
    }
  }

  private func node(
    _ function: BinaryFunction, _ shapes: (a: [Int], b: [Int], output: [Int]), seed: Int,
    activation: Activation = .none, constantB: Bool = false, spread: Double = 2
  ) -> TestGraph {
    var test = TestGraph(seed: seed)
    let a = test.input(shapes.a, scale: test.scale(spread: spread))
    let b =
      constantB
      ? test.constant(shapes.b, Quantization(scale: test.scale(spread: spread), zeroPoint: test.random(-30...30)))
      : test.input(shapes.b, scale: test.scale(spread: spread))
    let scales = [a, b].map { test.graph.tensors[$0].quantization!.scales[0] }
    test.output(
      .binary(function, activation), [a, b], shapes.output,
      scale: Self.outputScale(function, scales[0], scales[1]), zeroPoint: test.random(-20...20))
    return test
  }

  @Test(arguments: functions)
  func broadcasting(function: BinaryFunction) throws {
    for (index, shapes) in Self.broadcasts.enumerated() {
      for constantB in [false, true] {
        let test = node(function, shapes, seed: index, constantB: constantB)
        try Execution.check(test, "\(shapes), constant \(constantB)")
      }
    }
  }

  @Test(arguments: functions)
  func scalesAndActivations(function: BinaryFunction) throws {
    for seed in 0..<80 {
      let activation = [Activation.none, .relu, .relu6, .reluN1To1][seed % 4]
      let test = node(
        function, ([2, 40], [2, 40], [2, 40]), seed: seed + 77, activation: activation,
        spread: seed % 5 == 0 ? 30 : 2)
      try Execution.check(test, "seed \(seed), \(activation)")
    }
  }

  /// All pairs of codes, at once.
  @Test(arguments: functions)
  func everyPairOfCodes(function: BinaryFunction) throws {
    for (zeroA, zeroB, zeroOut) in [(0, 0, 0), (-128, 127, 5), (127, -128, -100)] {
      var test = TestGraph(seed: 1)
      let all = Array(-128...127)
      let a = test.input([256, 1], scale: 0.031, zeroPoint: zeroA, codes: all)
      let b = test.input([1, 256], scale: 0.017, zeroPoint: zeroB, codes: all)
      test.output(
        .binary(function, .none), [a, b], [256, 256],
        scale: Self.outputScale(function, 0.031, 0.017), zeroPoint: zeroOut)
      try Execution.check(test, "\(zeroA) \(zeroB)")
    }
  }

  @Test(arguments: functions)
  func bothOperandsAreOneTensor(function: BinaryFunction) throws {
    var test = TestGraph(seed: 3)
    let a = test.input([30], scale: 0.05)
    test.output(.binary(function, .none), [a, a], [30], scale: 0.2, zeroPoint: -3)
    try Execution.check(test)
  }

  /// Far larger scales than the output's: the result saturates, and does not wrap.
  @Test(arguments: functions)
  func outputsFarOutOfRangeSaturate(function: BinaryFunction) throws {
    for exponent in [10, 20, 24, 26, 27] {
      var test = TestGraph(seed: exponent)
      let scale = Double(1 << exponent)
      let a = test.input([2, 200], scale: scale, zeroPoint: 3)
      let b = test.input([2, 200], scale: scale * 0.7, zeroPoint: -5)
      test.output(.binary(function, .none), [a, b], [2, 200], scale: 1, zeroPoint: 1)
      do {
        try Execution.check(test, "ratio 2^\(exponent)")
      } catch let error as PackError {
        // What it cannot compute it must refuse.
        #expect(error.kind == .unsupported)
      }
    }
  }

  @Test func prelu() throws {
    for (index, shapes) in Self.broadcasts.enumerated() where shapes.a == shapes.output {
      for constantSlope in [false, true] {
        for seed in 0..<8 {
          var test = TestGraph(seed: seed * 100 + index)
          let input = test.input(shapes.a)
          let slope =
            constantSlope
            ? test.constant(shapes.b, Quantization(scale: test.scale(0.01), zeroPoint: test.random(-30...30)))
            : test.input(shapes.b, scale: test.scale(0.01))
          let scale = test.graph.tensors[input].quantization!.scales[0] * Double.random(in: 0.5...2, using: &test.generator)
          test.output(.prelu, [input, slope], shapes.output, scale: scale, zeroPoint: test.random(-20...20))
          try Execution.check(test, "\(shapes) seed \(seed)")
        }
      }
    }
  }

  @Test func shapesThatDoNotBroadcastAreRefused() {
    for (a, b, output) in [([2, 3], [2], [2, 3]), ([2, 3], [2, 3], [3]), ([4], [2, 3], [2, 3]), ([2], [2], [4])] {
      let test = node(.add, (a, b, output), seed: 1)
      #expect(throws: PackError.self) { try Packer.pack(test.graph) }
    }
  }

  /// Scales that no dyadic multiplier can hold are refused, not trapped on.
  @Test(arguments: functions)
  func absurdScalesAreRefused(function: BinaryFunction) {
    for (scale, output) in [(1e9, 1e9), (1e-9, 1e-30), (1e30, 1e30), (1e-300, 1e300), (1e200, 1e200)] {
      var test = TestGraph(seed: 1)
      let a = test.input([4], scale: scale)
      let b = test.input([4], scale: scale)
      test.output(.binary(function, .none), [a, b], [4], scale: output)
      expectPackedOrRefused(test.graph)
    }
  }

  @Test func absurdSlopesAreRefused() {
    for (scale, slope, output) in [(1e9, 1e-3, 1e-9), (1.0, 1e12, 1.0), (1e-9, 1e30, 1e-9)] {
      var test = TestGraph(seed: 1)
      let a = test.input([4], scale: scale)
      let b = test.input([4], scale: slope)
      test.output(.prelu, [a, b], [4], scale: output)
      expectPackedOrRefused(test.graph)
    }
  }
}

/// Packing returns or throws an error for people.
func expectPackedOrRefused(_ graph: Graph, sourceLocation: SourceLocation = #_sourceLocation) {
  do {
    _ = try Packer.pack(graph)
  } catch let error as PackError {
    #expect(!error.description.contains("internal error"), "\(error)", sourceLocation: sourceLocation)
  } catch {
    Issue.record(error, sourceLocation: sourceLocation)
  }
}
