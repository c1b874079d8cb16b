import CAbacus

/// Residual addition (integer-semantics section 3): `(a * ma + b * mb + 2^(shift - 1)) >> shift`.
///
/// One common shift, one rounding for the whole sum; subtraction is a negative multiplier. The
/// packer proves that the result fits 32 bits and that |a * ma| + |b * mb| stays below 2^62.
@inline(__always)
public func weightedSum(
  _ a: Int32, _ multiplierA: Int32, _ b: Int32, _ multiplierB: Int32, shift: Int32
) -> Int32 {
  Int32(truncatingIfNeeded: wideSum(a, multiplierA, b, multiplierB, shift: shift))
}

/// The same, saturated to 32 bits: for inputs of 32 bits, whose sum may leave them.
@inline(__always)
public func saturatedWeightedSum(
  _ a: Int32, _ multiplierA: Int32, _ b: Int32, _ multiplierB: Int32, shift: Int32
) -> Int32 {
  let sum = wideSum(a, multiplierA, b, multiplierB, shift: shift)
  let low = Int32(truncatingIfNeeded: sum)
  let high = Int32(truncatingIfNeeded: sum &>> 32)
  if high == low &>> 31 { return low }
  return high < 0 ? .min : .max
}

@inline(__always)
private func wideSum(
  _ a: Int32, _ multiplierA: Int32, _ b: Int32, _ multiplierB: Int32, shift: Int32
) -> Int64 {
  let bits = abacus_widen(shift)
  let sum = abacus_multiply_wide(a, multiplierA) &+ abacus_multiply_wide(b, multiplierB)
  let half: Int64 = 1 &<< (bits &- 1)
  return (sum &+ half) &>> bits
}
