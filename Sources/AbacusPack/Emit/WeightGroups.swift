import AbacusFormat

/// Weights [channels, depth] of which whole groups are 0 (`GroupLayout`).
struct WeightGroups {
  /// [kept group][16]
  private(set) var values: [Int] = []
  private(set) var indices: [UInt8] = []
  /// One a channel.
  private(set) var counts: [UInt8] = []

  /// Nil where the layout has no room for the depth.
  init?(_ codes: [Int], channels: Int, depth: Int) {
    guard depth >= 1, depth <= GroupLayout.maximumDepth else { return nil }
    let size = GroupLayout.size
    for channel in 0..<channels {
      let before = indices.count
      for group in 0..<GroupLayout.groups(depth: depth) {
        let weights = codes[channel * depth + group * size..<channel * depth + min(group * size + size, depth)]
        guard weights.contains(where: { $0 != 0 }) else { continue }
        values += weights + Array(repeating: 0, count: size - weights.count)
        indices.append(UInt8(group))
      }
      counts.append(UInt8(indices.count - before))
    }
    if !indices.isEmpty { return }
    // No constant is empty: where nothing is kept, the first group is, all zeros.
    values = Array(repeating: 0, count: size)
    indices = [0]
    counts[0] = 1
  }

  /// Kept groups, of all that there are.
  func keptShare(depth: Int) -> Double {
    Double(indices.count) / Double(counts.count * GroupLayout.groups(depth: depth))
  }
}
