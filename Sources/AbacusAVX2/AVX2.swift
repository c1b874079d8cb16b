import AbacusVectors
import CAbacus

// AVX2: x86-64 since Haswell and Excavator. Bytes are widened to halves, whose products VPMADDWD adds in pairs.

enum AVX2: VectorSet {
  typealias Words = SIMD8<Int32>
  typealias Weights = TwoPairs
  typealias Quad = TwoPairs
  typealias Elements = SIMD8<Int32>
  typealias RowWeights = SIMD8<Int32>
  typealias Halves = SIMD8<Int32>
  typealias HalfPairs = ChannelPair<AVX2>

  /// Four elements of each word as halves: the first two, the last two.
  struct TwoPairs {
    let first: SIMD8<Int32>
    let last: SIMD8<Int32>
  }

  @inline(__always) static var lanes: Int { 8 }
  @inline(__always) static var vectorsOfFourRows: Int { 2 }
  @inline(__always) static var vectorsOfOneRow: Int { 8 }

  @inline(__always) static func splat(_ x: Int32) -> Words { abacus_splat(x) }
  @inline(__always) static func add(_ a: Words, _ b: Words) -> Words { abacus_add(a, b) }
  @inline(__always) static func subtract(_ a: Words, _ b: Words) -> Words { abacus_subtract(a, b) }
  @inline(__always) static func minimum(_ a: Words, _ b: Words) -> Words { abacus_minimum(a, b) }
  @inline(__always) static func maximum(_ a: Words, _ b: Words) -> Words { abacus_maximum(a, b) }
  @inline(__always) static func shiftRight(_ a: Words, _ bits: Int32) -> Words { abacus_shift_words_right(a, bits) }
  @inline(__always) static func multiplyHigh(_ a: Words, _ b: Words) -> Words { abacus_multiply_high(a, b) }
  @inline(__always) static func shiftLeft(_ a: Words, _ bits: Int32) -> Words { abacus_shift_words_left(a, bits) }

  @inline(__always)
  static func sumsHigh(
    _ a: Words, _ multiplierA: Words, _ b: Words, _ multiplierB: Words, _ summand: Int64
  ) -> Words {
    abacus_sums_high(a, multiplierA, b, multiplierB, summand)
  }

  @inline(__always)
  static func widened(_ from: UnsafePointer<Int8>, _ count: Int) -> Words {
    unsafe count == lanes ? abacus_widen_bytes(from) : abacus_widen_first_bytes(from, UInt32(truncatingIfNeeded: count))
  }

  @inline(__always)
  static func store(_ a: Words, _ to: UnsafeMutablePointer<Int8>, _ count: Int) {
    if count == lanes {
      unsafe abacus_store(to, a)
    } else {
      unsafe abacus_store_first(to, a, UInt32(truncatingIfNeeded: count))
    }
  }

  @inline(__always)
  static func constants(_ from: UnsafePointer<Int32>, _ count: Int) -> ChannelConstants<AVX2> {
    let words = UInt32(truncatingIfNeeded: 2 &* count)
    let first = unsafe abacus_load_words(from, words)
    let second = unsafe abacus_load_words(from + (words > 8 ? 8 : 0), max(words, 8) &- 8)
    return ChannelConstants(bias: abacus_firsts(first, second), multiplier: abacus_seconds(first, second))
  }

  // MARK: Runs of bytes

  @inline(__always) static var run: Int { 1 &<< 20 }

  @inline(__always)
  static func copy(_ from: UnsafePointer<Int8>, _ to: UnsafeMutablePointer<Int8>, _ count: Int) {
    unsafe to.update(from: from, count: count)
  }

  @inline(__always)
  static func fill(_ to: UnsafeMutablePointer<Int8>, _ value: Int8, _ count: Int) {
    unsafe to.update(repeating: value, count: count)
  }

  @inline(__always) static func store(_ a: Words, _ to: UnsafeMutablePointer<Int32>) { unsafe abacus_store_words(to, a) }

  // MARK: Products in quads

  @inline(__always)
  static func weights(_ from: UnsafePointer<Int8>) -> TwoPairs {
    let bytes = unsafe abacus_load(from)
    return TwoPairs(first: abacus_first_two(bytes), last: abacus_last_two(bytes))
  }

  @inline(__always)
  static func quad(_ from: UnsafePointer<Int8>) -> TwoPairs {
    let halves = unsafe abacus_four_halves(from)
    return TwoPairs(first: abacus_even_words(halves), last: abacus_odd_words_twice(halves))
  }

  @inline(__always)
  static func addQuads(_ sums: Words, _ x: TwoPairs, _ w: TwoPairs) -> Words {
    abacus_add_pairs(abacus_add_pairs(sums, x.first, w.first), x.last, w.last)
  }

  // MARK: Nothing is too much

  @inline(__always) static var hasSurplus: Bool { false }
  @inline(__always) static func addSurplus(_ sums: Words, _ from: UnsafePointer<Int8>, _ count: Int) -> Words { sums }
  @inline(__always) static func totals<let rows: Int>(_ sums: InlineArray<rows, Words>) -> InlineArray<rows, Words> { sums }

  // MARK: Products along rows

  @inline(__always) static var chunk: Int { 16 }
  @inline(__always) static func elements(_ from: UnsafePointer<Int8>, _ count: Int) -> Words { unsafe halves(from, count) }
  @inline(__always) static func rowWeights(_ from: UnsafePointer<Int8>, _ count: Int) -> Words { unsafe halves(from, count) }
  @inline(__always) static func addProducts(_ sums: Words, _ x: Words, _ w: Words) -> Words { abacus_add_pairs(sums, x, w) }

  @inline(__always)
  static func total<let groups: Int>(_ sums: InlineArray<groups, InlineArray<4, Words>>) -> Words {
    let (a, b) = (four(sums[0]), four(sums[1]))
    return abacus_add(abacus_low_fours(a, b), abacus_high_fours(a, b))
  }

  @inline(__always)
  private static func four(_ a: InlineArray<4, Words>) -> Words { abacus_sums_in_groups(a[0], a[1], a[2], a[3]) }

  @inline(__always)
  static func grouped<let groups: Int>(_ words: InlineArray<groups, Words>) -> Words { abacus_groups(words[0], words[1]) }

  @inline(__always)
  static func fourConstants(_ from: UnsafePointer<Int32>, _ count: Int) -> ChannelConstants<AVX2> {
    let pairs = unsafe abacus_load_words(from, UInt32(truncatingIfNeeded: 2 &* count))
    return ChannelConstants(bias: abacus_first_four(pairs), multiplier: abacus_second_four(pairs))
  }

  @inline(__always)
  static func bytes(_ a: Words) -> SIMD4<UInt32> { abacus_lowest_bytes(a) }

  // MARK: Products of neighbouring channels

  @inline(__always)
  static func halves(_ from: UnsafePointer<Int8>, _ count: Int) -> Halves {
    unsafe count == 16 ? abacus_load_halves(from) : abacus_load_first_halves(from, UInt32(truncatingIfNeeded: count))
  }

  @inline(__always)
  static func halves(_ from: UnsafePointer<Int16>, _ count: Int) -> Halves {
    unsafe count == 16 ? abacus_load(from) : abacus_load_first_shorts(from, UInt32(truncatingIfNeeded: count))
  }

  @inline(__always) static func addHalves(_ sums: Words, _ x: Halves, _ w: Halves) -> Words { abacus_add_pairs(sums, x, w) }
  @inline(__always) static var noHalves: Halves { splat(0) }

  @inline(__always)
  static func interleave(_ a: Halves, _ b: Halves) -> ChannelPair<AVX2> {
    ChannelPair(abacus_interleave_low(a, b), abacus_interleave_high(a, b))
  }

  @inline(__always)
  static func addPairs(
    _ sums: ChannelPair<AVX2>, _ x: ChannelPair<AVX2>, _ w: ChannelPair<AVX2>
  ) -> ChannelPair<AVX2> {
    ChannelPair(abacus_add_pairs(sums.low, x.low, w.low), abacus_add_pairs(sums.high, x.high, w.high))
  }

  @inline(__always)
  static func inOrder(_ a: Words, _ b: Words) -> ChannelPair<AVX2> {
    ChannelPair(abacus_low_fours(a, b), abacus_high_fours(a, b))
  }

  @inline(__always)
  static func storePair(_ a: ChannelPair<AVX2>, _ to: UnsafeMutablePointer<Int8>, _ count: Int) {
    if count == 16 {
      unsafe abacus_store_interleaved(to, a.low, a.high)
    } else {
      unsafe abacus_store_first_interleaved(to, a.low, a.high, UInt32(truncatingIfNeeded: count))
    }
  }
}

@c(abacus_avx2_block_product)
public func blockProduct(_ product: UnsafePointer<abacus_row_product>) { unsafe multiply(product, AVX2.self) }

@c(abacus_avx2_row_product)
public func rowProduct(_ product: UnsafePointer<abacus_row_product>) { unsafe RowProduct<AVX2, 2>(product).run() }

@c(abacus_avx2_sums_of_bytes)
public func sumsOfBytes(_ row: UnsafePointer<abacus_row_sums>) { unsafe RowSums<AVX2, 2>(row).ofBytes() }

@c(abacus_avx2_sums_of_halves)
public func sumsOfHalves(_ row: UnsafePointer<abacus_row_sums>) { unsafe RowSums<AVX2, 2>(row).ofHalves() }

@c(abacus_avx2_depthwise_row)
public func depthwiseRow(_ row: UnsafePointer<abacus_depthwise_row>) { unsafe convolve(row, AVX2.self) }

@c(abacus_avx2_weighted_sum)
public func weightedSum(_ sum: UnsafePointer<abacus_weighted_sum>) { unsafe add(sum, AVX2.self) }

@c(abacus_avx2_greatest)
public func greatestOfWindow(_ window: UnsafePointer<abacus_pool_window>) { unsafe greatest(window, AVX2.self) }

@c(abacus_avx2_average)
public func averageWindow(_ window: UnsafePointer<abacus_pool_window>) { unsafe average(window, AVX2.self) }

@c(abacus_avx2_gather)
public func gatherWindows(_ windows: UnsafePointer<abacus_window_gather>) { unsafe gather(windows, AVX2.self) }
