/// `floor(sqrt(value))` (integer-semantics section 6), exact, hence the same as that of any other exact method.
///
/// The upper half of the root digit by digit, with shifts and subtractions, the lower half by one division of 32 bits
/// (P. Zimmermann, Karatsuba Square Root, INRIA RR-3805).
public func integerSquareRoot(_ value: UInt64) -> UInt64 {
  if value == 0 { return 0 }
  // Four times the value has twice its root: one of the two highest bits becomes 1.
  let half = UInt32(truncatingIfNeeded: value.leadingZeroBitCount) &>> 1
  let scaled = value &<< widened(half &+ half)
  let low = UInt32(truncatingIfNeeded: scaled)
  let (upper, rest) = rootAndRest(UInt32(truncatingIfNeeded: scaled &>> 32))
  // (rest * 2^16 + the next 16 bits) / (2 * upper); the dividend may have 33 bits, its half has 32.
  let dividend = rest &<< 15 | low &>> 17
  let lower = dividend / upper
  let remainder = (dividend &- lower &* upper) &<< 1 | (low &>> 16) & 1
  // remainder * 2^16 + the last 16 bits is to be at least lower^2.
  let isTooGreat =
    remainder < 0x1_0000
    && (lower >= 0x1_0000 || remainder &<< 16 | low & 0xFFFF < lower &* lower)
  let root = upper &<< 16 &+ lower &- (isTooGreat ? 1 : 0)
  return widened(root &>> half)
}

/// Root of a number from 2^30 on, and what its square lacks.
private func rootAndRest(_ value: UInt32) -> (root: UInt32, rest: UInt32) {
  var rest = value
  var root: UInt32 = 0
  var bit: UInt32 = 1 &<< 30
  while bit != 0 {
    let trial = root &+ bit
    root = root &>> 1
    if rest >= trial {
      rest = rest &- trial
      root = root &+ bit
    }
    bit = bit &>> 2
  }
  return (root, rest)
}
