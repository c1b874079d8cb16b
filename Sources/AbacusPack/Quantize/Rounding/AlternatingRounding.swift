/// Rounding that solves for codes and for scales in turn (decoupleQ, arXiv 2404.12759), for sixteen channels.
///
/// The error is d H dᵀ of each channel's weights less its rounded ones, with scales as they are stored; what has had the
/// smallest is kept, for each channel alone.
struct AlternatingRounding {
  private let weights: [Lanes]
  private let moments: DampedMoments
  /// The channels with the smallest error so far.
  private(set) var codes: [Lanes]
  private(set) var channels: [ChannelScales]
  private(set) var error: Lanes

  /// Starts from rounded weights.
  init(_ weights: [Lanes], codes: [Lanes], on grid: PanelGrid, _ moments: DampedMoments) {
    self.weights = weights
    self.moments = moments
    self.codes = codes
    channels = grid.channels
    error = moments.error(grid.difference(weights, codes))
  }

  /// - Parameter rounds: how often scales and codes are solved for.
  mutating func run(from grid: PanelGrid, rounds: Int, floor: Double) {
    var (grid, codes) = (grid, codes)
    for _ in 0..<rounds {
      let scales = Self.fittedScales(weights, codes: codes, on: grid, moments, floor: floor)
      grid = PanelGrid(scales, kept: grid.kept, depth: weights.count, floor: floor, grid.format)
      Self.descend(weights, codes: &codes, on: grid, moments, passes: 3)
      keepBetter(codes, grid)
    }
  }

  private mutating func keepBetter(_ codes: [Lanes], _ grid: PanelGrid) {
    let error = moments.error(grid.difference(weights, codes))
    let isBetter = error .< self.error * (1 - 1e-9)
    self.error.replace(with: error, where: isBetter)
    for k in codes.indices { self.codes[k].replace(with: codes[k], where: isBetter) }
    for lane in channels.indices where isBetter[lane] { channels[lane] = grid.channels[lane] }
  }

  /// Coordinate descent: each code in turn becomes the best one for the others as they are, so the error never grows.
  static func descend(
    _ weights: [Lanes], codes: inout [Lanes], on grid: PanelGrid, _ moments: DampedMoments, passes: Int
  ) {
    let diagonal = moments.matrix.diagonal
    var difference = grid.difference(weights, codes)
    difference.withUnsafeMutableBufferPointer { difference in
      for _ in 0..<passes {
        var hasChanged = false
        for k in weights.indices {
          let best = weights[k] - difference[k] + moments.slope(k, difference.baseAddress!) / diagonal[k]
          let code = grid.code(best, k)
          hasChanged = hasChanged || code != codes[k]
          codes[k] = code
          difference[k] = weights[k] - grid.value(code, k)
        }
        if !hasChanged { return }
      }
    }
  }

  /// The scales (and zero points) of all groups of each channel that, together, leave the smallest error with given codes.
  ///
  /// Groups for which none or a negative one would be best keep theirs.
  static func fittedScales(
    _ weights: [Lanes], codes: [Lanes], on grid: PanelGrid, _ moments: DampedMoments, floor: Double
  ) -> GroupScales {
    let groups = grid.format.groups(depth: weights.count)
    let hasZeros = grid.format.grid == .offset
    var unknowns = groups.map { Unknown(inputs: $0, factors: Array(codes[$0])) }
    if hasZeros {
      unknowns += groups.map { Unknown(inputs: $0, factors: [Lanes](repeating: Lanes(repeating: 1), count: $0.count)) }
    }
    let present = grid.scales.steps + (hasZeros ? grid.scales.zeros : [])
    let (system, right) = normalEquations(unknowns, weights, moments)
    var scales = grid.scales
    for lane in 0..<Lanes.scalarCount {
      let solution = solution(
        SymmetricMatrix(count: unknowns.count, values: system.map { $0[lane] }), right.map { $0[lane] },
        present: present.map { $0[lane] }, groups: groups.count, smallestStep: 1e-4 * floor)
      for group in groups.indices {
        scales.steps[group][lane] = solution[group]
        if hasZeros { scales.zeros[group][lane] = solution[groups.count + group] }
      }
    }
    return scales
  }

  /// The steps of the groups of one channel, and behind them the zero points if there are any. Where a step would not be
  /// positive, the group keeps what it has, and the others are solved for again.
  private static func solution(
    _ system: SymmetricMatrix, _ right: [Double], present: [Double], groups: Int, smallestStep: Double
  ) -> [Double] {
    var solution = present
    var free = Array(right.indices)
    while !free.isEmpty {
      let fixed = right.indices.filter { !free.contains($0) }
      let rest = free.map { row in fixed.reduce(right[row]) { $0 - system.values[row * system.count + $1] * present[$1] } }
      let part = system.selecting(free)
      let ridge = 1e-6 * part.diagonal.reduce(0, +) / Double(free.count)
      guard ridge > 0, let factor = CholeskyFactor(part.addingToDiagonal(ridge)) else { return present }
      let solved = factor.solve(rest)
      let lost = zip(free, solved).filter { $0 < groups && $1 <= smallestStep }.map(\.0)
      if lost.isEmpty {
        for (index, value) in zip(free, solved) { solution[index] = value }
        return solution
      }
      free.removeAll { lost.contains($0 % groups) }
    }
    return present
  }

  /// A scale or zero point, and what it is multiplied by in the weights of its group.
  private struct Unknown {
    let inputs: Range<Int>
    let factors: [Lanes]
  }

  /// With A the factors of all unknowns: AᵀHA, row-major, and AᵀH times the weights.
  private static func normalEquations(
    _ unknowns: [Unknown], _ weights: [Lanes], _ moments: DampedMoments
  ) -> (system: [Lanes], right: [Lanes]) {
    let depth = weights.count
    var system = [Lanes](repeating: .zero, count: unknowns.count * unknowns.count)
    var right = [Lanes](repeating: .zero, count: unknowns.count)
    for (column, unknown) in unknowns.enumerated() {
      // HA for this unknown.
      let product = moments.matrix.values.withUnsafeBufferPointer { matrix in
        unknown.factors.withUnsafeBufferPointer { factors in
          (0..<depth).map {
            weightedSum(matrix.baseAddress! + $0 * depth + unknown.inputs.lowerBound, factors.baseAddress!, count: factors.count)
          }
        }
      }
      for k in 0..<depth { right[column] += product[k] * weights[k] }
      for (row, other) in unknowns.enumerated() {
        for (factor, k) in zip(other.factors, other.inputs) { system[row * unknowns.count + column] += factor * product[k] }
      }
    }
    return (system, right)
  }
}
