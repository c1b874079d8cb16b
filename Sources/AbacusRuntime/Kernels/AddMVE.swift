#if ABACUS_MVE
import AbacusFormat
import CAbacus

/// ``DenseAdd`` on vectors of 32 bits. Multipliers, zero points and half a step are cut into upper and lower
/// halfwords: codes have 8 bits, so that neither sum overflows, and what the lower one carries is added to
/// the upper one.
struct VectorAdd {
  private let lowerA: Int32
  private let lowerB: Int32
  private let lowerSummand: Int32
  private let upperA: Int32
  private let upperB: Int32
  private let upperSummand: Int32
  private let stage: OutputStage

  /// Half a step is below 2^46, so that the upper sum has room. (Products of codes are below 2^39.)
  static func suits(_ p: BinaryParameters) -> Bool {
    p.stage.shift >= 17 && p.stage.shift <= 46 && p.dims[5] >= 4
  }

  init(_ p: BinaryParameters) {
    let summand =
      1 &<< abacus_widen(p.stage.shift &- 1) &- abacus_multiply_wide(p.zeroPointA, p.multiplierA)
      &- abacus_multiply_wide(p.zeroPointB, p.multiplierB)
    lowerA = p.multiplierA & 0xFFFF
    lowerB = p.multiplierB & 0xFFFF
    lowerSummand = Int32(truncatingIfNeeded: summand & 0xFFFF)
    upperA = p.multiplierA &>> 16
    upperB = p.multiplierB &>> 16
    upperSummand = Int32(truncatingIfNeeded: summand &>> 16)
    stage = p.stage
  }

  /// - Parameter count: at least 4. The last four elements may be computed again: their operands are loaded
  ///   before anything is stored over them.
  @inline(never)
  func run(_ a: Elements<Int8>, _ b: Elements<Int8>, _ output: MutableElements<Int8>, _ count: Int) {
    let last = count &- 4
    let (endA, endB) = (a.dropping(last).words, b.dropping(last).words)
    for index in 0..<count / 4 {
      let i = 4 &* index
      output.dropping(i).store(sum(a.dropping(i).words, b.dropping(i).words))
    }
    if count & 3 != 0 { output.dropping(last).store(sum(endA, endB)) }
    if !stage.isFullRange { output.clamp(low: stage.low, high: stage.high, count) }
  }

  @inline(__always)
  private func sum(_ a: SIMD4<Int32>, _ b: SIMD4<Int32>) -> SIMD4<Int32> {
    let lower =
      a &* SIMD4(repeating: lowerA) &+ b &* SIMD4(repeating: lowerB) &+ SIMD4(repeating: lowerSummand)
    let upper =
      lower &>> 16 &+ a &* SIMD4(repeating: upperA) &+ b &* SIMD4(repeating: upperB)
      &+ SIMD4(repeating: upperSummand)
    return abacus_saturate_words(
      abacus_shift_lanes_right(upper, stage.shift &- 16) &+ SIMD4(repeating: stage.zeroPoint))
  }
}
#endif
