import AbacusFormat

/// Attention of one query row and head in a single pass over blocks of keys (integer-semantics 4.7):
/// the running maximum is a whole octave, so that what was summed before is corrected by shifts.
struct OnlineRow {
  /// Scores of one block, then their exponentials.
  private let row: ScoreRow
  /// Weighted sums of the values.
  private let sums: MutableElements<Int32>
  private let block: Int
  /// Sum of the exponentials; 0 until a key was visible.
  private var total: UInt32 = 0
  /// The maximum, rounded up to an octave.
  private var octave: Int32 = 0

  /// - Parameter row: scratch of `block` scores, then one number for each element of a value.
  @inline(__always)
  init(_ row: ScoreRow, block: Int) {
    self.row = row
    sums = row.scores.dropping(block)
    self.block = block
  }

  /// Sums over the first `visible` keys and writes the output.
  @inline(__always)
  mutating func attend<Query: ProductElement>(
    _ query: Elements<Query>, _ keys: AttentionKeys, _ values: AttentionValues, head: Int, visible: Int,
    _ scale: HeadScale, at target: Int
  ) {
    for column in 0..<values.depth { sums[column] = 0 }
    var key = 0
    while key < visible {
      let count = min(block, visible &- key)
      let greatest = keys.scores(of: query, head: head, key..<key &+ count, to: row.scores)
      if greatest != AttentionKeys.hidden {
        weigh(count, greatest: greatest, scale.score, columns: values.depth)
        values.addSums(row.weights.readOnly, count, head: head, from: key, to: sums)
      }
      key = key &+ count
    }
    let normalized = scale.value(over: total)
    for column in 0..<values.depth { values.write(sums[column], normalized, at: target &+ column) }
  }

  /// From scores to exponentials below the running maximum, which may grow.
  @inline(never)
  private mutating func weigh(_ count: Int, greatest: Int32, _ scale: DyadicMultiplier, columns: Int) {
    // Rounded up.
    let next = ((logarithm(greatest, scale) &- 1) &>> 16) &+ 1
    if total == 0 { octave = next }
    if next > octave {
      lower(by: next &- octave, columns: columns)
      octave = next
    }
    for key in 0..<count {
      var e: UInt32 = 0
      if row.scores[key] != AttentionKeys.hidden {
        e = exponentQ15(UInt32(bitPattern: (octave &<< 16) &- logarithm(row.scores[key], scale)))
      }
      row.weights[key] = Int16(truncatingIfNeeded: e)
      total = total &+ e
    }
  }

  /// Divides what was summed by `2^octaves`, rounded.
  private mutating func lower(by octaves: Int32, columns: Int) {
    let isGone = octaves > 30
    let half: Int32 = isGone ? 0 : 1 &<< (octaves &- 1)
    total = isGone ? 0 : (total &+ UInt32(bitPattern: half)) &>> UInt32(bitPattern: octaves)
    for column in 0..<columns {
      sums[column] = isGone ? 0 : (sums[column] &+ half) &>> octaves
    }
  }
}

/// A score in the domain of log2, on Q16, within +-2^30 so that differences fit 32 bits.
@inline(__always)
private func logarithm(_ score: Int32, _ scale: DyadicMultiplier) -> Int32 {
  min(max(requantize(score, scale.multiplier, shift: scale.shift), -1 &<< 30), 1 &<< 30)
}
