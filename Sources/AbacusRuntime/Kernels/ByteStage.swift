#if ABACUS_SCALAR || ABACUS_DSP
import AbacusFormat
import CAbacus

/// Sum to int8 on cores without vectors: high word, shift, clamp. Half a step and the zero point are one
/// summand.
struct ByteStage {
  private let summand: Int32
  private let shift: Int32
  private let low: Int32
  private let high: Int32

  /// Only high words of products count, and the summand has room in 32 bits.
  static func suits(_ stage: OutputStage) -> Bool { stage.shift > 32 && stage.shift <= 52 }

  init(_ stage: OutputStage) {
    shift = stage.shift &- 32
    summand = 1 &<< (stage.shift &- 33) &+ stage.zeroPoint &<< shift
    low = stage.low
    high = stage.high
  }

  #if ABACUS_LONG || ABACUS_DSP
  /// The output, except that `clamp` is still to be applied.
  @inline(__always)
  func apply(_ sum: Int32, _ multiplier: Int32) -> Int8 {
    #if ABACUS_DSP
    return Int8(truncatingIfNeeded: abacus_requantize_byte(sum, multiplier, summand, shift))
    #else
    let high = sum.multipliedFullWidth(by: multiplier).high &+ summand
    return Int8(truncatingIfNeeded: abacus_saturate_byte(abacus_word_right(high, shift)))
    #endif
  }

  /// The clamp of an activation, where saturation is not all of it: seldom, because outputs of ReLU have
  /// the zero point -128.
  @inline(__always)
  func clamp(_ output: MutableElements<Int8>, _ count: Int, step: Int) {
    if low == -128 && high == 127 { return }
    clampEach(output, count, step)
  }

  @inline(never)
  private func clampEach(_ output: MutableElements<Int8>, _ count: Int, _ step: Int) {
    for i in 0..<count {
      let value = Int32(output[i &* step])
      output[i &* step] = Int8(truncatingIfNeeded: min(max(value, low), high))
    }
  }
  #else
  /// The output.
  @inline(__always)
  func apply(_ sum: Int32, _ multiplier: Int32) -> Int8 {
    let value = (highWord(sum, multiplier) &+ summand) &>> shift
    return Int8(truncatingIfNeeded: min(max(value, low), high))
  }

  @inline(__always)
  func clamp(_ output: MutableElements<Int8>, _ count: Int, step: Int) {}
  #endif
}
#endif
