import Testing

@testable import AbacusPack

@Suite struct SequentialTargetTests {
  /// Inputs that come unchanged leave the weights; inputs that come at twice their size halve them.
  @Test(arguments: [Float(1), 2])
  func targetFollowsTheInputs(_ factor: Float) throws {
    let problem = try RoundingProblem(channels: 3, depth: 20, directions: 20, seed: 5)
    let inputs = problem.inputs.map { $0 * factor }
    var second = SecondMoments(depth: 20)
    try second.add(inputs)
    var cross = SecondMoments(depth: 20, isCross: true)
    try cross.add(inputs, problem.inputs)
    let moments = try DampedMoments(second, isCentred: true, share: 1e-9, name: "layer")
    let target = try SequentialTarget.weights(problem.weights, channels: 3, cross: cross, moments, isCentred: true)
    for (weight, value) in zip(problem.weights, target) { #expect(abs(weight / Double(factor) - value) < 1e-3) }
    let none = try SequentialTarget.weights(
      problem.weights, channels: 3, cross: cross, moments, isCentred: true, share: 0)
    #expect(none == problem.weights)
  }

  @Test func biasCorrection() {
    let rounded = RoundedWeights.nearest([7, 1.4, -7, 3.6], channels: 2, WeightFormat(bits: 4, grid: .symmetric))
    let correction = SequentialTarget.biasCorrection([7, 1.4, -7, 3.6], rounded, mean: [1, 10], roundedMean: [2, 10])
    #expect(abs(correction[0] - (7 + 14 - 14 - 10)) < 1e-12)
    #expect(abs(correction[1] - (-7 + 36 + 14 - 40)) < 1e-12)
  }
}
