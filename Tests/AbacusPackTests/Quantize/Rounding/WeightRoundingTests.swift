import Testing

@testable import AbacusPack

@Suite struct WeightRoundingTests {
  @Test func nearestOfFewWeights() {
    let rounded = RoundedWeights.nearest([7, -3.4, 0.6, -7, 0, 0, 0, 0], channels: 2, WeightFormat(bits: 4, grid: .symmetric))
    #expect(rounded.codes == [7, -3, 1, -7, 0, 0, 0, 0])
    // The channel of zeros gets a thousandth of the other's scale.
    #expect(rounded.scales == [1, 1e-3])
    let odd = RoundedWeights.nearest([3, 0.1, -0.1, -2.5], channels: 1, WeightFormat(bits: 2, grid: .odd))
    #expect(odd.codes == [3, 1, -1, -3])
    let zeros = RoundedWeights.nearest([0, 0], channels: 1, .int8)
    #expect(zeros.scales == [1])
    #expect(zeros.codes == [0, 0])
  }

  /// Two groups, the last one short: 0...3 above a zero point of -1, and steps of half the size.
  @Test func nearestOfGroups() {
    let first = (0..<16).map { Double($0 % 4) - 1 }
    let second = [0, 0.5, 1, 1.5]
    let rounded = RoundedWeights.nearest(first + second, channels: 1, WeightFormat(bits: 2, grid: .offset, groupSize: 16))
    #expect(rounded.relativeScales == [255, 128])
    #expect(rounded.zeros == [-32, 0])
    #expect(rounded.codes == (0..<20).map { Int8($0 % 4) })
    #expect(rounded.integer(0, 0) == -256)
    for (k, weight) in (first + second).enumerated() {
      #expect(abs(Double(rounded.integer(0, k)) * rounded.unit(0) - weight) < 0.02)
    }
  }

  /// All weights far from zero: the scale makes room for the zero point.
  @Test func zeroPointsFit() {
    let weights = (0..<16).map { 10 + Double($0 % 4) * 0.1 }
    let rounded = RoundedWeights.nearest(weights, channels: 1, WeightFormat(bits: 2, grid: .offset, groupSize: 16))
    for (k, weight) in weights.enumerated() {
      #expect(abs(Double(rounded.integer(0, k)) * rounded.unit(0) - weight) < 0.15)
    }
  }

  /// Each method is at least as good as the one before it, in all channels together, on moments with and without an inverse,
  /// with a short last group and channels that do not fill a panel; and codes are of the grid.
  @Test(arguments: RoundingProblem.formats, [40, 3])
  func methodsImprove(_ format: WeightFormat, _ directions: Int) throws {
    let problem = try RoundingProblem(channels: 18, depth: 40, directions: directions, seed: 7)
    var errors: [Double] = []
    for method in RoundingMethod.allCases {
      let rounded = try RoundedWeights.rounding(
        problem.weights, channels: 18, format, method, problem.moments, threads: 2, name: "layer")
      errors.append(problem.errors(rounded).reduce(0, +))
      #expect(rounded.codes.allSatisfy { format.levels.contains(Int($0)) })
      #expect(rounded.scales.count == 18 && rounded.scales.allSatisfy { $0 > 0 })
      #expect(rounded.relativeScales.count == (format.groupSize == nil ? 0 : 18 * rounded.groups))
      let alone = try RoundedWeights.rounding(
        problem.weights, channels: 18, format, method, problem.moments, threads: 1, name: "layer")
      #expect(rounded == alone)
    }
    #expect(errors[1] < errors[0])
    #expect(errors[2] <= errors[1])
    let nearest = try RoundedWeights.rounding(problem.weights, channels: 18, format, .nearest, problem.moments, name: "layer")
    #expect(nearest == .nearest(problem.weights, channels: 18, format))
  }

  /// Channels and groups of zeros among others: scales have a floor, and no code overflows.
  @Test(arguments: RoundingProblem.formats, RoundingMethod.allCases)
  func zerosHaveScales(_ format: WeightFormat, _ method: RoundingMethod) throws {
    let problem = try RoundingProblem(channels: 3, depth: 40, directions: 5, seed: 9)
    var weights = problem.weights
    for k in 0..<40 { weights[40 + k] = 0 }
    for k in 0..<16 { weights[k] = 0 }
    let rounded = try RoundedWeights.rounding(weights, channels: 3, format, method, problem.moments, name: "layer")
    let largest = try #require(rounded.scales.max())
    #expect(rounded.scales.allSatisfy { $0 >= largest * 1e-4 })
    #expect((0..<40).allSatisfy { (Double(rounded.integer(1, $0)) * rounded.unit(1)).magnitude < 0.05 })
    let zeros = try RoundedWeights.rounding(
      [Double](repeating: 0, count: 120), channels: 3, format, method, problem.moments, name: "layer")
    #expect(zeros.scales.allSatisfy { $0 > 0 })
  }

  @Test func shapesMustFit() throws {
    let problem = try RoundingProblem(channels: 2, depth: 16, directions: 16, seed: 9)
    #expect(throws: PackError.self) {
      try RoundedWeights.rounding([1, 2, 3], channels: 2, .int8, .compensated, problem.moments, name: "layer")
    }
    let error = #expect(throws: PackError.self) {
      try RoundedWeights.rounding(
        problem.weights, channels: 2, WeightFormat(bits: 2, grid: .offset), .compensated, problem.moments, name: "the layer")
    }
    #expect(error?.description.contains("the layer") == true)
  }

  /// With inputs that do not depend on each other there is nothing to make up for: codes are the nearest ones.
  @Test func independentInputsRoundToTheNearest() throws {
    let problem = try RoundingProblem(channels: 16, depth: 24, directions: 24, seed: 4)
    var identity = SymmetricMatrix(count: 24, values: [Double](repeating: 0, count: 24 * 24))
    for k in 0..<24 { identity.values[k * 25] = Double(k % 7 + 1) }
    let moments = try DampedMoments(identity, name: "layer")
    let lanes = ChannelPanel.lanes(0, of: problem.weights, channels: 16)
    let format = WeightFormat(bits: 4, grid: .symmetric)
    let grid = PanelGrid(GroupScales(spanning: lanes, format), kept: nil, depth: 24, floor: 1e-3, format)
    let codes = ErrorCompensation.codes(lanes, on: grid, moments)
    #expect(codes == lanes.indices.map { grid.code(lanes[$0], $0) })
  }

  /// Two weights, worked out by hand: inputs that are almost the same, so that the second takes what the first lacks.
  @Test func theSecondWeightMakesUpForTheFirst() throws {
    let moments = try DampedMoments(SymmetricMatrix(count: 2, values: [2, 1.9, 1.9, 1.9]), share: 1e-9, name: "layer")
    let format = WeightFormat(bits: 4, grid: .symmetric)
    let lanes = [Lanes(repeating: 3.4), Lanes(repeating: 7)]
    let grid = PanelGrid(GroupScales(spanning: lanes, format), kept: nil, depth: 2, floor: 1e-3, format)
    // 3.4 -> 3 first (the larger diagonal); then 7 + 0.4 * 1.9 / 1.9 = 7.4 -> 7; with a third weight less, 6.4 -> 6.
    #expect(ErrorCompensation.codes(lanes, on: grid, moments) == [Lanes(repeating: 3), Lanes(repeating: 7)])
    let others = [Lanes(repeating: 3.4), Lanes(repeating: 5.3)]
    // 5.3 + 0.4 = 5.7 -> 6, though 5 lies nearer.
    #expect(ErrorCompensation.codes(others, on: grid, moments) == [Lanes(repeating: 3), Lanes(repeating: 6)])
  }
}
