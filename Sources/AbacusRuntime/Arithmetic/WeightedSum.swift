import CAbacus

/// Residual addition (integer-semantics section 3): `(a * ma + b * mb + 2^(shift - 1)) >> shift`.
///
/// One common shift, one rounding for the whole sum; subtraction is a negative multiplier. The
/// packer proves that the result fits 32 bits and that |a * ma| + |b * mb| stays below 2^62.
@inline(__always)
public func weightedSum(
  _ a: Int32, _ multiplierA: Int32, _ b: Int32, _ multiplierB: Int32, shift: Int32
) -> Int32 {
  let bits = abacus_widen(shift)
  let sum = abacus_multiply_wide(a, multiplierA) &+ abacus_multiply_wide(b, multiplierB)
  let half: Int64 = 1 &<< (bits &- 1)
  return Int32(truncatingIfNeeded: (sum &+ half) &>> bits)
}
