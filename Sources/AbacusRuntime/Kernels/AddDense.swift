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
    for i in 0..<count {
      let sum =
        summand &+ abacus_multiply_wide(Int32(a[i]) &<< scale, multiplierA)
        &+ abacus_multiply_wide(Int32(b[i]) &<< scale, multiplierB)
      let value = Int32(truncatingIfNeeded: sum &>> 32) &>> shift
      output[i] = Int8(truncatingIfNeeded: min(max(value, low), high))
    }
  }
}
