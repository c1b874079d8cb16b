import AbacusFormat

// Exponential and division of I-ViT (arXiv 2207.01405), as integer-semantics 4.1 makes them explicit.
// What I-ViT calls Shiftmax and ShiftGELU is put together from these.

/// ShiftExp: `2^(1.4375 * d / unit)`, about `e^(d / unit)`, in steps of `1 / (unit * 2^octaves)`.
///
/// The exponent is made by shifts, d + d/2 - d/16; its whole octaves shift and the fraction of the
/// last octave is taken for linear. Saturates at 2^31 - 1. Positive differences occur in ShiftGELU.
///
/// - Parameters:
///   - d: difference to a maximum, in steps of which `parameters.unit` make 1.
///   - parameters: within ``Limits/exponentUnits`` and ``Limits/exponentOctaves``.
@inline(__always)
public func shiftExponent(_ d: Int32, _ parameters: ShiftExponentParameters) -> Int32 {
  let unit = parameters.unit
  // Beyond these bounds the result is that of the bound: the least exponential, or saturation.
  let least = 0 &- parameters.octaves &* unit
  let bounded = min(max(d, least), 32 &* unit)
  let exponent = max(bounded &+ (bounded &>> 1) &- (bounded &>> 4), least)
  var octaves = (0 &- exponent) / unit
  var rest = (0 &- exponent) &- octaves &* unit
  if rest < 0 {
    octaves = octaves &- 1
    rest = rest &+ unit
  }
  let shift = parameters.octaves &- octaves
  if parameters.keepsHalfBit != 0 {
    let doubled = 2 &* unit &- rest
    return shift == 0 ? doubled &>> 1 : saturatedShift(doubled, shift &- 1)
  }
  return saturatedShift(unit &- ((rest &+ 1) &>> 1), shift)
}

/// `min(value * 2^shift, 2^31 - 1)` for positive values and shifts that are not negative.
@inline(__always)
private func saturatedShift(_ value: Int32, _ shift: Int32) -> Int32 {
  shift < Int32(truncatingIfNeeded: value.leadingZeroBitCount) ? value &<< shift : .max
}

/// `a + b`, saturated to 32 bits.
@inline(__always)
public func saturatedSum(_ a: Int32, _ b: Int32) -> Int32 {
  let (sum, overflow) = a.addingReportingOverflow(b)
  return overflow ? (a < 0 ? .min : .max) : sum
}

/// IntDiv: quotients of one divisor on k bits, in steps of `2^-(k - 1)`, by one division for all of
/// them: `floor(a * floor((2^31 - 1) / divisor) / 2^(32 - k))`.
public struct PaperQuotient {
  private let reciprocal: UInt32
  private let shift: UInt32

  /// - Parameters:
  ///   - divisor: at least 1.
  ///   - bits: k, within ``Limits/quotientBits``.
  @inline(__always)
  public init(divisor: Int32, bits: Int32) {
    reciprocal = 0x7FFF_FFFF / UInt32(truncatingIfNeeded: divisor)
    shift = UInt32(truncatingIfNeeded: 32 &- bits)
  }

  /// - Parameter dividend: 0 up to the divisor, so that the product stays below 2^31 and the quotient
  ///   below 2^(k - 1).
  @inline(__always)
  public subscript(dividend: Int32) -> Int32 {
    Int32(truncatingIfNeeded: (UInt32(truncatingIfNeeded: dividend) &* reciprocal) &>> shift)
  }
}
