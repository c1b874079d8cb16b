import Testing

@testable import AbacusPack

@Suite struct PruningMaskTests {
  @Test func twoOfFour() {
    // The last quad is short, equal ones are taken in their order.
    let weights: [Double] = [1, -3, 2, 0, 5, 5, 5, 5, 0, 1]
    let mask = PruningMask(.twoOfFour, weights: weights, channels: 1)
    #expect(mask.applied(to: weights) == [0, -3, 2, 0, 5, 5, 0, 0, 0, 1])
    #expect(mask.isTwoOfFour)
    // Inputs that are large make weights count.
    let aware = PruningMask(.twoOfFour, weights: weights, channels: 1, inputSquares: [10, 1, 1, 1, 1, 1, 1, 9, 1, 1])
    #expect(aware.applied(to: weights) == [1, -3, 0, 0, 5, 0, 0, 5, 0, 1])
    #expect(!PruningMask(ofNonzero: weights, channels: 1).isTwoOfFour)
  }

  @Test func groups() {
    // Two channels of 40: groups of 16, 16 and 8.
    func values<Value>(_ ofGroups: [Value]) -> [Value] {
      let lengths = [16, 16, 8, 16, 16, 8]
      return zip(ofGroups, lengths).flatMap { [Value](repeating: $0, count: $1) }
    }
    let weights: [Double] = values([3, 1, 3, 4, 1, 7])
    let mask = PruningMask(.groups(prunedShare: 0.5), weights: weights, channels: 2)
    // Energies 144, 16, 72, 256, 16, 392: the three least go.
    let kept = values([true, false, false, true, false, true])
    #expect(mask.keeps == kept)
    #expect(PruningMask(.groups(prunedShare: 0), weights: weights, channels: 2).keeps.allSatisfy { $0 })
    #expect(!PruningMask(.groups(prunedShare: 1), weights: weights, channels: 2).keeps.contains(true))
  }

  /// The slope of the error is zero in all kept weights: no others are better.
  @Test func keptWeightsMakeUpForTheOthers() throws {
    let problem = try RoundingProblem(channels: 5, depth: 24, directions: 24, seed: 2)
    let mask = PruningMask(.twoOfFour, weights: problem.weights, channels: 5)
    let weights = try mask.compensated(problem.weights, problem.moments)
    #expect(mask.applied(to: weights) == weights)
    let matrix = problem.moments.matrix
    for index in weights.indices where mask.keeps[index] {
      let (channel, k) = (index / 24, index % 24)
      var slope = 0.0
      for j in channel * 24..<(channel + 1) * 24 {
        slope += matrix.values[k * 24 + j % 24] * (problem.weights[j] - weights[j])
      }
      #expect(abs(slope) < 1e-8 * matrix.diagonal.max()!)
    }
  }

  @Test(arguments: [WeightFormat(bits: 8, grid: .symmetric), WeightFormat(bits: 4, grid: .symmetric, groupSize: 16)])
  func roundingUnderAMask(_ format: WeightFormat) throws {
    let problem = try RoundingProblem(channels: 5, depth: 40, directions: 9, seed: 2)
    let mask = PruningMask(.twoOfFour, weights: problem.weights, channels: 5, inputSquares: problem.moments.matrix.diagonal)
    var errors: [Double] = []
    for method in RoundingMethod.allCases {
      let rounded = try RoundedWeights.rounding(
        problem.weights, channels: 5, format, method, problem.moments, mask: mask, name: "layer")
      for index in rounded.codes.indices where !mask.keeps[index] { #expect(rounded.codes[index] == 0) }
      errors.append(problem.errors(rounded).reduce(0, +))
    }
    #expect(errors[1] < errors[0] / 2)
    #expect(errors[2] <= errors[1] * (1 + 1e-9))
    #expect(throws: PackError.self) {
      try RoundedWeights.rounding(
        problem.weights, channels: 5, WeightFormat(bits: 2, grid: .offset, groupSize: 16), .compensated, problem.moments,
        mask: mask, name: "layer")
    }
  }
}
