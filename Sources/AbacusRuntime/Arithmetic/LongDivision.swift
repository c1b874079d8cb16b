/// `floor((high * 2^32 + low) / divisor)` for `high < divisor`, so that the quotient fits 32 bits.
///
/// Two digits of 16 bits, each estimated with a division of 32 bits and corrected at most twice (Knuth, The Art of
/// Computer Programming 4.3.1, algorithm D): no 64-bit divider anywhere.
@inline(never)
public func longDivision(high: UInt32, low: UInt32, by divisor: UInt32) -> UInt32 {
  if high == 0 { return low / divisor }
  // The divisor's highest bit set, so that estimates are close. It is above `high`, hence above 1.
  let scale = UInt32(truncatingIfNeeded: divisor.leadingZeroBitCount)
  let divisor = divisor &<< scale
  let first = high &<< scale | (low &>> 1) &>> (31 &- scale)
  let low = low &<< scale
  let upper = digit(of: first, low &>> 16, by: divisor)
  let rest = (first &<< 16 | low &>> 16) &- upper &* divisor
  let lower = digit(of: rest, low & 0xFFFF, by: divisor)
  return upper &<< 16 | lower
}

/// `floor((dividend * 2^16 + next) / divisor)` for a divisor of 32 bits above the dividend.
@inline(__always)
private func digit(of dividend: UInt32, _ next: UInt32, by divisor: UInt32) -> UInt32 {
  let (upper, lower) = (divisor &>> 16, divisor & 0xFFFF)
  var digit = dividend / upper
  var rest = dividend &- digit &* upper
  // Where the rest has more than 16 bits, what is compared does not reach it.
  while digit >= 0x1_0000 || digit &* lower > rest &<< 16 | next {
    digit = digit &- 1
    rest = rest &+ upper
    if rest >= 0x1_0000 { break }
  }
  return digit
}
