import AbacusFormat
import CAbacus

// Dyadic requantisation (integer-semantics section 1): the one rounding rule of the runtime.

/// `floor((x * multiplier + 2^(shift - 1)) / 2^shift)`, saturated to 32 bits: one rounding, half up.
///
/// From 33 on the shift needs only the high word of the product: adding a fraction below one to an
/// integer never changes the floor of its quotient by an integer.
///
/// - Parameter shift: 1...62.
@inline(__always)
public func requantize(_ x: Int32, _ multiplier: Int32, shift: Int32) -> Int32 {
  let product = x.multipliedFullWidth(by: multiplier)
  if shift > 32 {
    return (product.high &+ (1 &<< (shift &- 33))) &>> (shift &- 32)
  }
  return roundedShift(high: product.high, low: product.low, by: shift)
}

/// The general form, for multipliers of 1/4 and above: shifts of 1...32.
@inline(never)
func roundedShift(high: Int32, low: UInt32, by shift: Int32) -> Int32 {
  let half = UInt32(1) &<< UInt32(truncatingIfNeeded: shift &- 1)
  let (roundedLow, carry) = low.addingReportingOverflow(half)
  let roundedHigh = carry ? high &+ 1 : high
  if shift == 32 { return roundedHigh }
  let bits = UInt32(truncatingIfNeeded: shift)
  let above = roundedHigh &>> shift
  let value = Int32(
    truncatingIfNeeded: roundedLow &>> bits | UInt32(bitPattern: roundedHigh) &<< (32 &- bits))
  if above == value &>> 31 { return value }
  return roundedHigh < 0 ? .min : .max
}

extension OutputStage {
  /// `clamp(requant(accumulator; multiplier, shift) + zeroPoint, low, high)`.
  @inline(__always)
  func apply(_ accumulator: Int32, multiplier: Int32) -> Int32 {
    apply(accumulator, multiplier: multiplier, shift: shift)
  }

  /// The same with a shift of the channel's own.
  @inline(__always)
  func apply(_ accumulator: Int32, multiplier: Int32, shift: Int32) -> Int32 {
    finish(requantize(accumulator, multiplier, shift: shift))
  }

  /// The same for shifts above 32, of which the caller has made sure once for many.
  @inline(__always)
  func applyHigh(_ accumulator: Int32, multiplier: Int32) -> Int32 {
    applyHigh(accumulator, multiplier: multiplier, shift: shift)
  }

  @inline(__always)
  func applyHigh(_ accumulator: Int32, multiplier: Int32, shift: Int32) -> Int32 {
    return finish((highWord(accumulator, multiplier) &+ (1 &<< (shift &- 33))) &>> (shift &- 32))
  }

  /// Zero point and clamp. Clamping comes first, so that a saturated value cannot wrap.
  @inline(__always)
  func finish(_ value: Int32) -> Int32 {
    min(max(value, low &- zeroPoint), high &- zeroPoint) &+ zeroPoint
  }

  /// The clamp of outputs that have been saturated to their type. Most need none: those of a ReLU have the zero point -128.
  @inline(__always)
  func clampSaturated<Output: SaturatedElement>(_ output: MutableElements<Output>, _ count: Int) {
    if low == Int32(Output.min) && high == Int32(Output.max) { return }
    clamp(output, count, low, high)
  }
}

/// Not inlined: it is seldom needed.
@inline(never)
private func clamp<Output: SaturatedElement>(
  _ output: MutableElements<Output>, _ count: Int, _ low: Int32, _ high: Int32
) {
  for i in 0..<count { output[i] = Output(truncatingIfNeeded: min(max(Int32(output[i]), low), high)) }
}
