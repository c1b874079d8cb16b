/// `floor((high * 2^32 + low) / divisor)` for `high < divisor`, so that the quotient fits 32 bits.
///
/// One bit a round: 32 rounds, a few times a row, and no 64-bit divider anywhere.
@inline(never)
public func longDivision(high: UInt32, low: UInt32, by divisor: UInt32) -> UInt32 {
  if high == 0 { return low / divisor }
  var remainder = high
  var quotient = low
  for _ in 0..<32 {
    let overflows = remainder &>> 31 == 1
    remainder = remainder &<< 1 | quotient &>> 31
    quotient = quotient &<< 1
    if overflows || remainder >= divisor {
      remainder = remainder &- divisor
      quotient = quotient | 1
    }
  }
  return quotient
}
