/// Which weights of a matrix product are kept; the others are 0.
struct PruningMask: Sendable, Equatable {
  /// What the device knows to skip.
  enum Pattern: Sendable, Equatable {
    /// Two of every four consecutive weights of a channel (MaskLLM, arXiv 2409.17481).
    case twoOfFour
    /// Whole groups of 16 consecutive weights of a channel (GQSA, arXiv 2412.17560), this share of those of the matrix.
    case groups(prunedShare: Double)
  }

  static let groupSize = 16

  let channels: Int
  let depth: Int
  /// [channels, depth]
  let keeps: [Bool]

  /// A mask that is given: whatever is not 0 is kept.
  init(ofNonzero weights: [Double], channels: Int) {
    self.channels = channels
    depth = weights.count / channels
    keeps = weights.map { $0 != 0 }
  }

  /// Keeps the weights with the largest magnitudes, each times the root mean square of its input where that is known
  /// (Wanda, arXiv 2306.11695); equal ones in their order.
  ///
  /// - Parameters:
  ///   - weights: [channels, depth].
  ///   - inputSquares: the mean square of each input: the diagonal of the second moments.
  init(_ pattern: Pattern, weights: [Double], channels: Int, inputSquares: [Double]? = nil) {
    self.channels = channels
    let depth = weights.count / channels
    self.depth = depth
    let energies = weights.indices.map { weights[$0] * weights[$0] * (inputSquares?[$0 % depth] ?? 1) }
    switch pattern {
    case .twoOfFour: keeps = Self.twoOfFour(energies, depth: depth)
    case .groups(let share): keeps = Self.groups(energies, depth: depth, prunedShare: share)
    }
  }

  private static func twoOfFour(_ energies: [Double], depth: Int) -> [Bool] {
    var keeps = [Bool](repeating: false, count: energies.count)
    for row in stride(from: 0, to: energies.count, by: depth) {
      for start in stride(from: row, to: row + depth, by: 4) {
        let four = start..<min(start + 4, row + depth)
        for index in four.sorted(by: { (-energies[$0], $0) < (-energies[$1], $1) }).prefix(2) { keeps[index] = true }
      }
    }
    return keeps
  }

  private static func groups(_ energies: [Double], depth: Int, prunedShare: Double) -> [Bool] {
    let perChannel = (depth + groupSize - 1) / groupSize
    let groups = (0..<energies.count / depth * perChannel).map { index -> Range<Int> in
      let (start, end) = (index / perChannel * depth + index % perChannel * groupSize, (index / perChannel + 1) * depth)
      return start..<min(start + groupSize, end)
    }
    let sums = groups.map { energies[$0].reduce(0, +) }
    let pruned = Int((min(max(prunedShare, 0), 1) * Double(groups.count)).rounded(.down))
    var keeps = [Bool](repeating: true, count: energies.count)
    for group in groups.indices.sorted(by: { (sums[$0], -$0) < (sums[$1], -$1) }).prefix(pruned) {
      for index in groups[group] { keeps[index] = false }
    }
    return keeps
  }

  /// Whether of every four consecutive weights of a channel two at most are kept.
  var isTwoOfFour: Bool {
    (0..<channels).allSatisfy { channel in
      stride(from: 0, to: depth, by: 4).allSatisfy { start in
        (start..<min(start + 4, depth)).count { keeps[channel * depth + $0] } <= 2
      }
    }
  }

  /// The weights with those that are not kept at 0.
  func applied(to weights: [Double]) -> [Double] { zip(weights, keeps).map { $1 ? $0 : 0 } }

  /// Weights [channels, depth] that are 0 where not kept and else make up for that as well as they can: of each channel,
  /// the least squares of d H dᵀ over the kept ones, exactly (the Optimal Brain Surgeon of all pruned weights at once).
  func compensated(_ weights: [Double], _ moments: DampedMoments, threads: Int? = nil) throws -> [Double] {
    var result = [Double](repeating: 0, count: weights.count)
    try OrderedWork.run(count: channels, threads: threads) { channel -> [Double] in
      let row = Array(weights[channel * depth..<(channel + 1) * depth])
      let kept = (0..<depth).filter { keeps[channel * depth + $0] }
      let right = kept.map { k in (0..<depth).reduce(0) { $0 + moments.matrix.values[k * depth + $1] * row[$1] } }
      // A part of a positive definite matrix is one too; what is lost to rounding leaves the weights as they are.
      let solution = CholeskyFactor(moments.matrix.selecting(kept))?.solve(right) ?? kept.map { row[$0] }
      var compensated = [Double](repeating: 0, count: depth)
      for (k, weight) in zip(kept, solution) { compensated[k] = weight }
      return compensated
    } consume: { channel, row in
      result.replaceSubrange(channel * depth..<(channel + 1) * depth, with: row)
    }
    return result
  }
}
