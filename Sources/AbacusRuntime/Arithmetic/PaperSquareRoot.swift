/// The square root of I-ViT's I-LayerNorm (arXiv 2207.01405; integer-semantics section 6): ten steps
/// of Newton's iteration, converged or not.
///
/// - Parameters:
///   - value: below 2^44: a sum of 4096 squares of deviations of 16-bit numbers.
///   - start: The iteration starts at 2^start, 12...31, as in the released code (16); 0 starts it at
///     2^(bits / 2), as in the paper. Every iterate then fits 32 bits.
public func paperSquareRoot(_ value: UInt64, start: UInt32) -> UInt32 {
  let high = UInt32(truncatingIfNeeded: value &>> 32)
  let low = UInt32(truncatingIfNeeded: value)
  let length = UInt32(truncatingIfNeeded: 64 &- value.leadingZeroBitCount)
  var root: UInt32 = 1 &<< (start == 0 ? length &>> 1 : start)
  for _ in 0..<10 where root != 0 {
    // The carry of the sum is the highest bit of the mean.
    let (sum, carry) = root.addingReportingOverflow(longDivision(high: high, low: low, by: root))
    root = sum &>> 1 | (carry ? 1 &<< 31 : 0)
  }
  return root
}

/// An integer mean, as I-LayerNorm has it: the nearest integer, halves up.
///
/// - Parameters:
///   - sum: within 2^28.
///   - count: 1...4096.
public func roundedMean(_ sum: Int32, count: Int32) -> Int32 {
  let dividend = 2 &* sum &+ count
  let divisor = 2 &* count
  let quotient = dividend / divisor
  return dividend < quotient &* divisor ? quotient &- 1 : quotient
}
