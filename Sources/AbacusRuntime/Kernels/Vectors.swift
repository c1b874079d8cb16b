#if ABACUS_MVE
import AbacusFormat
import CAbacus

// Vectors of Cortex-M55 (MVE). Boards ask for the loops on them with -D ABACUS_MVE in their toolset.
// The instructions leave lanes beyond the end of a row alone, so no loop has a remainder.

extension Elements where Element == Int8 {
  /// Sixteen elements; zero in lanes that do not count.
  @inline(__always)
  func bytes(_ lanes: UInt16) -> SIMD16<Int8> { unsafe abacus_load_bytes(base, lanes) }

  /// What follows sixteen elements; beyond the end after the last.
  @inline(__always)
  var next: Elements { skipping(16) }

  /// The elements from `start` on, which may lie beyond the end where none of them is read.
  @inline(__always)
  func skipping(_ start: Int) -> Elements { unsafe Elements(base: base + start, count: limit &- start) }

  /// Eight elements, widened.
  @inline(__always)
  func halves(_ lanes: UInt16) -> SIMD8<Int16> { unsafe abacus_load_halves(base, lanes) }
}

extension Elements where Element == Int32 {
  /// Four words at offsets in bytes.
  @inline(__always)
  func words(at offsets: SIMD4<Int32>, _ lanes: UInt16) -> SIMD4<Int32> {
    unsafe abacus_gather_words(base, offsets, lanes)
  }
}

extension MutableElements where Element == Int8 {
  @inline(__always)
  func store(_ bytes: SIMD16<Int8>, _ lanes: UInt16) { unsafe abacus_store_bytes(base, bytes, lanes) }

  /// The lower byte of each halfword.
  @inline(__always)
  func store(_ halves: SIMD8<Int16>, _ lanes: UInt16) { unsafe abacus_store_halves(base, halves, lanes) }

  /// The lowest byte of each word.
  @inline(__always)
  func store(_ words: SIMD4<Int32>, _ lanes: UInt16) { unsafe abacus_store_words(base, words, lanes) }
}

extension OutputStage {
  /// `applyHigh` of four accumulators. VRSHL adds half a step without overflow, and high words are below
  /// 2^30, so that the zero point may come before the clamp.
  @inline(__always)
  func applyHigh(_ accumulators: SIMD4<Int32>, multipliers: SIMD4<Int32>) -> SIMD4<Int32> {
    let high = abacus_multiply_high(accumulators, multipliers)
    let value = abacus_round_right(high, shift &- 32) &+ SIMD4(repeating: zeroPoint)
    return pointwiseMin(pointwiseMax(value, SIMD4(repeating: low)), SIMD4(repeating: self.high))
  }
}
#endif

#if ABACUS_LONG
import CAbacus

extension Elements where Element == Int32 {
  /// The first four, behind which this view begins then.
  @inline(__always)
  mutating func takeFour() -> abacus_four_words {
    assert(limit >= 4)
    var next = unsafe base
    let words = unsafe abacus_load_four(&next)
    unsafe self = Elements(base: next, count: limit &- 4)
    return words
  }
}

extension Elements where Element == Int8 {
  /// These bytes as words; they begin at one.
  @inline(__always)
  var words: Elements<UInt32> {
    unsafe Elements<UInt32>(base: UnsafeRawPointer(base).assumingMemoryBound(to: UInt32.self), count: limit / 4)
  }
}
#endif

#if ABACUS_THUMB
import CAbacus

// Loops that compilers find no registers for (thumb.h).

extension Elements where Element == Int32 {
  /// Sums of these words of lanes times two channels.
  @inline(__always)
  func laneSums(to end: Elements, _ weights: Elements<Int8>, bias: Int32) -> abacus_lane_sums {
    unsafe abacus_add_rows(
      base, end.base, UnsafeRawPointer(weights.base).assumingMemoryBound(to: UInt32.self), bias)
  }
}

extension Elements where Element == Int8 {
  /// Sums of every second one of the first `count` elements times two pairs of channels.
  @inline(__always)
  func fourSums(_ w: Elements<Int8>, _ v: Elements<Int8>, count: Int) -> abacus_four_sums {
    unsafe abacus_add_row(
      base + count, w.base + count, w.base + count + 1, v.base + count, v.base + count + 1,
      -Int32(truncatingIfNeeded: count))
  }
}

extension MutableElements where Element == Int32 {
  /// The bytes of these words.
  @inline(__always)
  var bytes: MutableElements<Int8> {
    unsafe MutableElements<Int8>(
      base: UnsafeMutableRawPointer(base).assumingMemoryBound(to: Int8.self), count: 4 &* limit)
  }
}
#endif
