import Testing

@testable import AbacusPack

@Suite struct AlternatingRoundingTests {
  private static let depth = 40

  private func start(_ format: WeightFormat) throws -> (RoundingProblem, [Lanes], PanelGrid, [Lanes]) {
    let problem = try RoundingProblem(channels: 16, depth: Self.depth, directions: 12, seed: 21)
    let lanes = ChannelPanel.lanes(0, of: problem.weights, channels: 16)
    let grid = PanelGrid(GroupScales(spanning: lanes, format), kept: nil, depth: Self.depth, floor: 1e-3, format)
    return (problem, lanes, grid, lanes.indices.map { grid.code(lanes[$0], $0) })
  }

  @Test(arguments: RoundingProblem.formats)
  func descentNeverClimbs(_ format: WeightFormat) throws {
    let (problem, lanes, grid, nearest) = try start(format)
    var codes = nearest
    var error = problem.moments.error(grid.difference(lanes, codes))
    let first = error
    for _ in 0..<4 {
      AlternatingRounding.descend(lanes, codes: &codes, on: grid, problem.moments, passes: 1)
      let next = problem.moments.error(grid.difference(lanes, codes))
      #expect(all(next .<= error * (1 + 1e-12)))
      error = next
    }
    #expect(error.sum() < first.sum())
  }

  /// Before they are rounded, fitted scales are no worse than those that they replace, nor, where they are new, than any near them.
  @Test(arguments: RoundingProblem.formats)
  func fittedScalesAreBest(_ format: WeightFormat) throws {
    let (problem, lanes, grid, codes) = try start(format)
    let scales = AlternatingRounding.fittedScales(lanes, codes: codes, on: grid, problem.moments, floor: 1e-3)
    let size = format.groupSize(depth: Self.depth)
    func error(_ scales: GroupScales) -> Lanes {
      problem.moments.error(lanes.indices.map { lanes[$0] - codes[$0] * scales.steps[$0 / size] - scales.zeros[$0 / size] })
    }
    let best = error(scales)
    #expect(all(best .<= error(grid.scales) * (1 + 1e-9)))
    #expect(zip(scales.steps, grid.scales.steps).allSatisfy { any($0 .!= $1) })
    for group in scales.steps.indices {
      for factor in [0.9, 1.1] {
        var other = scales
        other.steps[group] *= factor
        #expect(all(best .<= error(other) .| scales.steps[group] .== grid.scales.steps[group]))
      }
    }
  }
}
