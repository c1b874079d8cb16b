// Refined exponential and reciprocal (integer-semantics 4.4 and 4.5).

/// `2^-f` on Q30 for a fraction `f` on Q16, `0 <= f < 2^16`.
///
/// The cubic 1 - f/2 - f(1-f)(49-10f)/256: exact at both ends, strictly decreasing, relative error
/// below 1.12e-4.
@inline(__always)
public func exponentOfFraction(_ f: UInt32) -> UInt32 {
  let u = f &* (0x1_0000 &- f)
  let w = ((49 &<< 16) &- 10 &* f) &<< 6
  let correction = u.multipliedFullWidth(by: w).high
  return (1 &<< 30) &- (f &<< 13) &- correction
}

/// `2^-t` for `t >= 0` on Q16, as an integer on grid 2^-20 (at most 2^20).
/// Values below half a grid step are 0.
@inline(__always)
public func exponentQ20(_ t: UInt32) -> UInt32 {
  if t >= 21 &<< 16 { return 0 }
  let octaves = t &>> 16
  let rounding: UInt32 = 1 &<< (9 &+ octaves)
  return (exponentOfFraction(t & 0xFFFF) &+ rounding) &>> (10 &+ octaves)
}

/// `2^-t` for `t >= 0` on Q16, as an integer on grid 2^-15, at most 32767.
@inline(__always)
public func exponentQ15(_ t: UInt32) -> UInt32 {
  if t >= 16 &<< 16 { return 0 }
  let octaves = t &>> 16
  let rounding: UInt32 = 1 &<< (14 &+ octaves)
  let e = (exponentOfFraction(t & 0xFFFF) &+ rounding) &>> (15 &+ octaves)
  return e &- e &>> 15
}

/// The argument of the exponential: a difference `d >= 0` of codes, taken to log2 on Q16.
/// Saturates, so that a large difference has the exponential 0.
@inline(__always)
public func exponentArgument(_ d: Int32, multiplier: Int32, shift: Int32) -> UInt32 {
  UInt32(truncatingIfNeeded: requantize(d, multiplier, shift: shift))
}

/// A reciprocal with 31 significant bits: `1 / sum = mantissa * 2^-(length + 30)`.
public struct Reciprocal {
  /// `min(floor(2^(length + 30) / sum), 2^31 - 1)`.
  public let mantissa: Int32
  /// Bit length of the sum.
  public let length: Int32

  /// - Parameter sum: not zero.
  public init(_ sum: UInt32) {
    length = 32 &- Int32(truncatingIfNeeded: sum.leadingZeroBitCount)
    // 2^(length + 30); for a sum of 1 it is one word.
    let high: UInt32 = length == 1 ? 0 : 1 &<< UInt32(truncatingIfNeeded: length &- 2)
    let quotient = longDivision(high: high, low: length == 1 ? 1 &<< 31 : 0, by: sum)
    mantissa = Int32(truncatingIfNeeded: min(quotient, 0x7FFF_FFFF))
  }
}
