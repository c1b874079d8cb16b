import Testing

@testable import AbacusPack

@Suite struct UnaryTests {
  /// Every function on every code, with several scales and zero points.
  @Test(arguments: RealReference.allFunctions)
  func everyCode(function: UnaryFunction) throws {
    for (scale, zeroPoint, outputScale, outputZeroPoint) in [
      (0.05, 0, 0.05, 0), (0.02, -128, 0.01, -100), (0.1, 20, 0.004, 11), (0.3, 127, 0.5, 127),
      (1.0 / 16, 3, 1.0 / 128, -1),
    ] {
      var test = TestGraph(seed: 1)
      let input = test.input([256], scale: scale, zeroPoint: zeroPoint, codes: Array(-128...127))
      test.output(.unary(function), [input], [256], scale: outputScale, zeroPoint: outputZeroPoint)
      try Execution.check(test, "\(scale) \(zeroPoint)")
    }
  }

  @Test func anyShape() throws {
    for shape in [[], [1], [3, 5], [1, 2, 3, 4], [2, 1, 2, 1, 2, 3]] {
      var test = TestGraph(seed: shape.count)
      let input = test.input(shape)
      test.output(.unary(.tanh), [input], shape, scale: 1.0 / 128)
      try Execution.check(test, "\(shape)")
    }
  }
}
