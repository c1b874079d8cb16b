import AbacusFormat
import CAbacus

/// Weighted sum of int8 runs that lie densely in memory: zero points, half a step and the output's zero
/// point are one summand, and only the high word of the sum is shifted. Operands of 8 bits have room to
/// be scaled up such that every shift is above 32.
struct DenseAdd {
  let multiplierA: Int32
  let multiplierB: Int32
  let summand: Int64
  /// Bits by which operands are scaled up.
  let scale: Int32
  let shift: Int32
  let low: Int32
  let high: Int32

  /// Neither operand is broadcast along the last dimension, and the summand has room in 64 bits.
  static func suits(_ p: BinaryParameters) -> Bool {
    p.strideA[5] == 1 && p.strideB[5] == 1 && p.stage.shift >= 17 && p.stage.shift <= 52
  }

  init(_ p: BinaryParameters) {
    multiplierA = p.multiplierA
    multiplierB = p.multiplierB
    scale = max(33 &- p.stage.shift, 0)
    let bits = abacus_widen(p.stage.shift &+ scale)
    summand =
      1 &<< (bits &- 1) &+ abacus_widen(p.stage.zeroPoint) &<< bits
      &- abacus_multiply_wide(p.zeroPointA &<< scale, multiplierA)
      &- abacus_multiply_wide(p.zeroPointB &<< scale, multiplierB)
    shift = p.stage.shift &+ scale &- 32
    low = p.stage.low
    high = p.stage.high
  }

  /// Not inlined, so that the loop finds registers.
  @inline(never)
  func run(_ a: Elements<Int8>, _ b: Elements<Int8>, _ output: MutableElements<Int8>, _ count: Int) {
    #if ABACUS_SCALAR
    if let halves = HalvedAdd(self) { return halves.run(a, b, output, count) }
    #endif
    for i in 0..<count {
      let sum =
        summand &+ abacus_multiply_wide(Int32(a[i]) &<< scale, multiplierA)
        &+ abacus_multiply_wide(Int32(b[i]) &<< scale, multiplierB)
      let value = Int32(truncatingIfNeeded: sum &>> 32) &>> shift
      output[i] = Int8(truncatingIfNeeded: min(max(value, low), high))
    }
  }
}

#if ABACUS_SCALAR
/// The same without products of 64 bits: multipliers and summand in halves of 16 bits. What the lower
/// halves add up to counts by its bits from 16 on.
private struct HalvedAdd {
  private let lowA: Int32
  private let highA: Int32
  private let lowB: Int32
  private let highB: Int32
  private let lowSummand: Int32
  private let highSummand: Int32
  private let shift: Int32
  private let low: Int32
  private let high: Int32

  /// Nil where the upper half of a sum has no room in 32 bits.
  @inline(__always)
  init?(_ add: DenseAdd) {
    shift = add.shift &- add.scale &+ 16
    if shift > 22 { return nil }
    (lowA, highA) = (add.multiplierA & 0xFFFF, add.multiplierA &>> 16)
    (lowB, highB) = (add.multiplierB & 0xFFFF, add.multiplierB &>> 16)
    let summand = add.summand &>> abacus_widen(add.scale)
    lowSummand = Int32(truncatingIfNeeded: summand) & 0xFFFF
    highSummand = Int32(truncatingIfNeeded: summand &>> 16)
    low = add.low
    high = add.high
  }

  @inline(never)
  func run(_ a: Elements<Int8>, _ b: Elements<Int8>, _ output: MutableElements<Int8>, _ count: Int) {
    for i in 0..<count {
      let (x, y) = (Int32(a[i]), Int32(b[i]))
      let lower = lowSummand &+ x &* lowA &+ y &* lowB
      let upper = highSummand &+ x &* highA &+ y &* highB
      let value = (upper &+ lower &>> 16) &>> shift
      output[i] = Int8(truncatingIfNeeded: min(max(value, low), high))
    }
  }
}
#endif
