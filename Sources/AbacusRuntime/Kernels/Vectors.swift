#if ABACUS_MVE
import AbacusFormat
import CAbacus

// Vectors of Cortex-M55 (MVE). Boards ask for the loops on them with -D ABACUS_MVE in their toolset.
// No loop has a remainder: instructions leave lanes beyond the end of a row alone, or the last vector begins
// early and some elements are computed again.

extension Elements {
  /// The elements from `start` on, which may lie beyond the end, or before the beginning, where none of them
  /// is read.
  @inline(__always)
  func skipping(_ start: Int) -> Elements { unsafe Elements(base: base + start, count: limit &- start) }
}

extension Elements where Element == Int8 {
  /// Sixteen elements; zero in lanes that do not count.
  @inline(__always)
  func bytes(_ lanes: UInt16) -> SIMD16<Int8> { unsafe abacus_load_bytes(base, lanes) }

  /// Sixteen elements.
  @inline(__always)
  var bytes: SIMD16<Int8> {
    assert(limit >= 16)
    return unsafe abacus_load_all_bytes(base)
  }

  /// What follows sixteen elements; beyond the end after the last.
  @inline(__always)
  var next: Elements { skipping(16) }

  /// Four elements, widened.
  @inline(__always)
  var words: SIMD4<Int32> {
    assert(limit >= 4)
    return unsafe abacus_load_words(base)
  }

  /// The same; zero in lanes that do not count.
  @inline(__always)
  func words(_ lanes: UInt16) -> SIMD4<Int32> { unsafe abacus_load_some_byte_words(base, lanes) }

  /// The same, without sign.
  @inline(__always)
  var unsignedWords: SIMD4<Int32> {
    assert(limit >= 4)
    return unsafe abacus_load_unsigned_words(base)
  }

  /// Eight elements, widened.
  @inline(__always)
  var halves: SIMD8<Int16> {
    assert(limit >= 8)
    return unsafe abacus_load_halves(base)
  }
}

extension Elements where Element == Int32 {
  /// Four words; zero in lanes that do not count.
  @inline(__always)
  func words(_ lanes: UInt16) -> SIMD4<Int32> { unsafe abacus_load_some_words(base, lanes) }

  /// Four words at offsets in bytes.
  @inline(__always)
  func words(at offsets: SIMD4<Int32>, _ lanes: UInt16) -> SIMD4<Int32> {
    unsafe abacus_gather_words(base, offsets, lanes)
  }

  /// Eight words: those at even places and those at odd ones.
  @inline(__always)
  var pairs: (even: SIMD4<Int32>, odd: SIMD4<Int32>) {
    let pairs = unsafe abacus_load_pairs(base)
    return (pairs.first, pairs.second)
  }

  /// Sixteen words: of each four the first, the second, the third, and the fourth.
  @inline(__always)
  var quads: (SIMD4<Int32>, SIMD4<Int32>, SIMD4<Int32>, SIMD4<Int32>) {
    let quads = unsafe abacus_load_quads(base)
    return (quads.first, quads.second, quads.third, quads.fourth)
  }
}

extension Elements where Element == Int16 {
  /// Four elements, widened; zero in lanes that do not count.
  @inline(__always)
  func words(_ lanes: UInt16) -> SIMD4<Int32> { unsafe abacus_load_some_half_words(base, lanes) }

  /// Four elements at offsets in bytes.
  @inline(__always)
  func words(at offsets: SIMD4<Int32>, _ lanes: UInt16) -> SIMD4<Int32> {
    unsafe abacus_gather_halves(base, offsets, lanes)
  }

  /// Four elements, widened.
  @inline(__always)
  var words: SIMD4<Int32> {
    assert(limit >= 4)
    return unsafe abacus_load_half_words(base)
  }
}

extension MutableElements where Element == Int16 {
  @inline(__always)
  func store(_ words: SIMD4<Int32>, _ lanes: UInt16) { unsafe abacus_store_some_half_words(base, words, lanes) }

  /// The lower half of each word.
  @inline(__always)
  func store(_ words: SIMD4<Int32>) { unsafe abacus_store_half_words(base, words) }
}

extension MutableElements {
  /// The elements from `start` on, which may lie beyond the end where none of them is used.
  @inline(__always)
  func skipping(_ start: Int) -> MutableElements {
    unsafe MutableElements(base: base + start, count: limit &- start)
  }
}

/// What products with int8 weights take as many of as a vector holds.
protocol VectorElement: ProductElement {
  associatedtype Vector
  static var lanes: Int { get }
  static func mask(_ left: Int) -> UInt16
  static func vector(_ elements: Elements<Self>, _ mask: UInt16) -> Vector
  static func weights(_ elements: Elements<Int8>, _ mask: UInt16) -> Vector
  /// Products, added to a sum.
  static func sum(_ sum: Int32, _ a: Vector, _ b: Vector, _ mask: UInt16) -> Int32
}

extension Int8: VectorElement {
  @inline(__always) static var lanes: Int { 16 }
  @inline(__always) static func mask(_ left: Int) -> UInt16 { abacus_byte_lanes(UInt32(truncatingIfNeeded: left)) }
  @inline(__always) static func vector(_ elements: Elements<Int8>, _ mask: UInt16) -> SIMD16<Int8> {
    elements.bytes(mask)
  }
  @inline(__always) static func weights(_ elements: Elements<Int8>, _ mask: UInt16) -> SIMD16<Int8> {
    elements.bytes(mask)
  }
  @inline(__always) static func sum(_ sum: Int32, _ a: SIMD16<Int8>, _ b: SIMD16<Int8>, _ mask: UInt16) -> Int32 {
    abacus_add_products(sum, a, b, mask)
  }
}

extension Int16: VectorElement {
  @inline(__always) static var lanes: Int { 8 }
  @inline(__always) static func mask(_ left: Int) -> UInt16 { abacus_half_lanes(UInt32(truncatingIfNeeded: left)) }
  @inline(__always) static func vector(_ elements: Elements<Int16>, _ mask: UInt16) -> SIMD8<Int16> {
    unsafe abacus_load_whole_halves(elements.base, mask)
  }
  @inline(__always) static func weights(_ elements: Elements<Int8>, _ mask: UInt16) -> SIMD8<Int16> {
    unsafe abacus_load_some_halves(elements.base, mask)
  }
  @inline(__always) static func sum(_ sum: Int32, _ a: SIMD8<Int16>, _ b: SIMD8<Int16>, _ mask: UInt16) -> Int32 {
    abacus_add_half_products(sum, a, b, mask)
  }
}

extension MutableElements where Element == Int8 {
  @inline(__always)
  func store(_ bytes: SIMD16<Int8>, _ lanes: UInt16) { unsafe abacus_store_bytes(base, bytes, lanes) }

  @inline(__always)
  func store(_ bytes: SIMD16<Int8>) { unsafe abacus_store_all_bytes(base, bytes) }

  /// The lower byte of each halfword.
  @inline(__always)
  func store(_ halves: SIMD8<Int16>) { unsafe abacus_store_halves(base, halves) }

  @inline(__always)
  func store(_ words: SIMD4<Int32>, _ lanes: UInt16) { unsafe abacus_store_some_byte_words(base, words, lanes) }

  /// The lowest byte of each word.
  @inline(__always)
  func store(_ words: SIMD4<Int32>) { unsafe abacus_store_all_words(base, words) }

  /// All bytes of four words at offsets; at multiples of four.
  @inline(__always)
  func storeWhole(_ words: SIMD4<Int32>, at offsets: SIMD4<Int32>) {
    unsafe abacus_scatter_whole_words(base, offsets, words)
  }

  /// What follows sixteen elements; beyond the end after the last.
  @inline(__always)
  var next: MutableElements { skipping(16) }

  /// Copies elements.
  @inline(__always)
  func copy(_ source: Elements<Int8>, _ count: Int) {
    var (source, target, left) = (source, self, count)
    while left > 0 {
      let lanes = abacus_byte_lanes(UInt32(truncatingIfNeeded: left))
      target.store(source.bytes(lanes), lanes)
      (source, target, left) = (source.next, target.next, left &- 16)
    }
  }

  /// Clamps elements.
  @inline(never)
  func clamp(low: Int32, high: Int32, _ count: Int) {
    var (target, left) = (self, count)
    while left > 0 {
      let lanes = abacus_byte_lanes(UInt32(truncatingIfNeeded: left))
      let bytes = target.readOnly.bytes(lanes)
      target.store(
        abacus_clamp_bytes(bytes, Int8(truncatingIfNeeded: low), Int8(truncatingIfNeeded: high)), lanes)
      (target, left) = (target.next, left &- 16)
    }
  }

  /// Sets elements to one value.
  @inline(__always)
  func fill(_ value: Int8, _ count: Int) {
    let bytes = SIMD16<Int8>(repeating: value)
    var (target, left) = (self, count)
    while left > 0 {
      target.store(bytes, abacus_byte_lanes(UInt32(truncatingIfNeeded: left)))
      (target, left) = (target.next, left &- 16)
    }
  }
}

extension OutputStage {
  /// Loops on vectors saturate to the range of int8; what is narrower is clamped afterwards.
  @inline(__always)
  var isFullRange: Bool { low == -128 && high == 127 }

  /// `applyHigh` of four accumulators, but not clamped. VRSHL adds half a step without overflow, and high words
  /// are below 2^30, so that the zero point has room.
  @inline(__always)
  func applyHigh(_ accumulators: SIMD4<Int32>, multipliers: SIMD4<Int32>) -> SIMD4<Int32> {
    let high = abacus_multiply_high(accumulators, multipliers)
    return abacus_round_right(high, shift &- 32) &+ SIMD4(repeating: zeroPoint)
  }

  /// The same, saturated to int8 in the lowest byte of each word.
  @inline(__always)
  func saturateHigh(_ accumulators: SIMD4<Int32>, multipliers: SIMD4<Int32>) -> SIMD4<Int32> {
    abacus_saturate_words(applyHigh(accumulators, multipliers: multipliers))
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
