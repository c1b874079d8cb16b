import AbacusFormat

/// A multiplier `multiplier / 2^shift`.
struct DyadicMultiplier {
  let multiplier: Int32
  let shift: Int32
}

/// The constants of one query head.
struct HeadScale {
  /// Takes scores to log2 on Q16; paper: to int8 steps.
  let score: DyadicMultiplier
  /// Takes values to output steps; paper: weighted sums of them.
  let value: DyadicMultiplier

  /// - Parameter constants: int32 [heads, 4], anything.
  @inline(__always)
  init(_ constants: Elements<Int32>, head: Int) {
    score = Self.multiplier(constants, 4 &* head)
    value = Self.multiplier(constants, 4 &* head &+ 2)
  }

  @inline(__always)
  private static func multiplier(_ constants: Elements<Int32>, _ index: Int) -> DyadicMultiplier {
    let shifts = Limits.requantizationShifts
    return DyadicMultiplier(
      multiplier: constants[index],
      shift: min(max(constants[index &+ 1], shifts.lowerBound), shifts.upperBound))
  }

  /// The normalisation of a row, deferred to its output (integer-semantics 4.6).
  ///
  /// - Parameter sum: of the row's exponentials; 0 where no key is visible.
  @inline(never)
  func value(over sum: UInt32) -> DyadicMultiplier {
    if sum == 0 { return DyadicMultiplier(multiplier: 0, shift: 1) }
    let reciprocal = Reciprocal(sum)
    var multiplier = requantize(reciprocal.mantissa, value.multiplier, shift: 31)
    var shift = reciprocal.length &+ value.shift &- 1
    while shift > Limits.requantizationShifts.upperBound {
      multiplier = (multiplier &+ 1) &>> 1
      shift = shift &- 1
    }
    return DyadicMultiplier(multiplier: multiplier, shift: shift)
  }
}
