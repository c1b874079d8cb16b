import AbacusVectors
import CAbacus

// AVX-512 with VNNI: x86-64 since Ice Lake and Zen 4.

enum VNNI: VectorSet {
  typealias Words = SIMD16<Int32>
  typealias Weights = SIMD16<Int32>
  typealias Quad = SIMD16<Int32>
  typealias Halves = SIMD16<Int32>

  @inline(__always) static var lanes: Int { 16 }
  @inline(__always) static var vectorsOfFourRows: Int { 4 }
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

  @inline(__always) static func store(_ a: Words, _ to: UnsafeMutablePointer<Int8>, _ count: Int) {
    if count == lanes {
      unsafe abacus_store(to, a)
    } else {
      unsafe abacus_store_first(to, a, UInt32(truncatingIfNeeded: count))
    }
  }

  @inline(__always)
  static func constants(_ from: UnsafePointer<Int32>, _ count: Int) -> ChannelConstants<VNNI> {
    let (first, second) = unsafe pairs(from, count)
    return ChannelConstants(bias: abacus_firsts(first, second), multiplier: abacus_seconds(first, second))
  }

  /// Bias and multiplier of up to 16 channels in two vectors.
  @inline(__always)
  private static func pairs(_ from: UnsafePointer<Int32>, _ count: Int) -> (Words, Words) {
    let words = UInt32(truncatingIfNeeded: 2 &* count)
    return unsafe (
      abacus_load_words(from, min(words, 16)), abacus_load_words(from + (words > 16 ? 16 : 0), max(words, 16) &- 16)
    )
  }

  @inline(__always) static var run: Int { 64 }

  @inline(__always)
  static func copy(_ from: UnsafePointer<Int8>, _ to: UnsafeMutablePointer<Int8>, _ count: Int) {
    let count = UInt32(truncatingIfNeeded: count)
    unsafe abacus_store_bytes(to, abacus_load_bytes(from, count), count)
  }

  @inline(__always)
  static func fill(_ to: UnsafeMutablePointer<Int8>, _ value: Int8, _ count: Int) {
    unsafe abacus_store_bytes(to, abacus_splat_byte(value), UInt32(truncatingIfNeeded: count))
  }

  @inline(__always) static func store(_ a: Words, _ to: UnsafeMutablePointer<Int32>) { unsafe abacus_store_words(to, a) }

  // MARK: Products in quads: rows are signed, and weights have 128 added

  @inline(__always) static func weights(_ from: UnsafePointer<Int8>) -> Weights { unsafe abacus_unsigned(abacus_load(from)) }
  @inline(__always) static func quad(_ from: UnsafePointer<Int8>) -> Quad { unsafe abacus_splat_word(from) }
  @inline(__always) static func addQuads(_ sums: Words, _ x: Quad, _ w: Weights) -> Words { abacus_add_quads(sums, w, x) }

  // MARK: 128 times the sum of the row

  @inline(__always) static var hasSurplus: Bool { true }

  @inline(__always)
  static func addSurplus(_ sums: Words, _ from: UnsafePointer<Int8>, _ count: Int) -> Words {
    unsafe abacus_add_quads(sums, abacus_splat(Int32(bitPattern: 0x8080_8080)), abacus_load_bytes(from, UInt32(truncatingIfNeeded: count)))
  }

  @inline(__always)
  static func totals<let rows: Int>(_ sums: InlineArray<rows, Words>) -> InlineArray<rows, Words> {
    var results = sums
    var r = 0
    while r < rows {
      // Where there are fewer than four, the last stands in for others.
      let last = rows &- 1
      let four = abacus_sums_in_groups(
        sums[r], sums[min(r &+ 1, last)], sums[min(r &+ 2, last)], sums[min(r &+ 3, last)])
      let all = abacus_sums_of_groups(four, four, four, four)
      results[r] = abacus_splat_first(all)
      if r &+ 1 < rows { results[r &+ 1] = abacus_splat_second(all) }
      if r &+ 2 < rows { results[r &+ 2] = abacus_splat_third(all) }
      if r &+ 3 < rows { results[r &+ 3] = abacus_splat_fourth(all) }
      r = r &+ 4
    }
    return results
  }

  // MARK: Products along rows: weights have 128 added

  @inline(__always) static var chunk: Int { 64 }

  @inline(__always)
  static func elements(_ from: UnsafePointer<Int8>, _ count: Int) -> Words {
    unsafe count == 64 ? abacus_load(from) : abacus_load_bytes(from, UInt32(truncatingIfNeeded: count))
  }

  @inline(__always)
  static func rowWeights(_ from: UnsafePointer<Int8>, _ count: Int) -> Words {
    unsafe abacus_unsigned(elements(from, count))
  }

  @inline(__always)
  static func addProducts(_ sums: Words, _ x: Words, _ w: Words) -> Words { abacus_add_quads(sums, w, x) }

  @inline(__always)
  static func total<let groups: Int>(_ sums: InlineArray<groups, InlineArray<4, Words>>) -> Words {
    abacus_sums_of_groups(four(sums[0]), four(sums[1]), four(sums[2]), four(sums[3]))
  }

  @inline(__always)
  private static func four(_ a: InlineArray<4, Words>) -> Words { abacus_sums_in_groups(a[0], a[1], a[2], a[3]) }

  @inline(__always)
  static func grouped<let groups: Int>(_ words: InlineArray<groups, Words>) -> Words {
    abacus_groups(words[0], words[1], words[2], words[3])
  }

  @inline(__always)
  static func fourConstants(_ from: UnsafePointer<Int32>, _ count: Int) -> ChannelConstants<VNNI> {
    let pairs = unsafe abacus_load_words(from, UInt32(truncatingIfNeeded: 2 &* count))
    return ChannelConstants(bias: abacus_first_four(pairs), multiplier: abacus_second_four(pairs))
  }

  @inline(__always)
  static func bytes(_ a: Words) -> SIMD4<UInt32> { abacus_lowest_bytes(a) }

  // MARK: Products of neighbouring channels

  @inline(__always)
  static func halves(_ from: UnsafePointer<Int8>, _ count: Int) -> Halves {
    unsafe count == 32 ? abacus_load_halves(from) : abacus_load_first_halves(from, UInt32(truncatingIfNeeded: count))
  }

  @inline(__always)
  static func halves(_ from: UnsafePointer<Int16>, _ count: Int) -> Halves {
    unsafe count == 32 ? abacus_load(from) : abacus_load_first_shorts(from, UInt32(truncatingIfNeeded: count))
  }

  @inline(__always) static func addHalves(_ sums: Words, _ x: Halves, _ w: Halves) -> Words { abacus_add_pairs(sums, x, w) }
  @inline(__always) static var noHalves: Halves { splat(0) }

  @inline(__always)
  static func interleave(_ a: Halves, _ b: Halves) -> ChannelPair<VNNI> {
    ChannelPair(abacus_interleave_low(a, b), abacus_interleave_high(a, b))
  }

  @inline(__always)
  static func addPairs(
    _ sums: ChannelPair<VNNI>, _ x: ChannelPair<VNNI>, _ w: ChannelPair<VNNI>
  ) -> ChannelPair<VNNI> {
    ChannelPair(abacus_add_pairs(sums.low, x.low, w.low), abacus_add_pairs(sums.high, x.high, w.high))
  }

  @inline(__always)
  static func inOrder(_ a: Words, _ b: Words) -> ChannelPair<VNNI> {
    ChannelPair(abacus_low_fours(a, b), abacus_high_fours(a, b))
  }

  @inline(__always)
  static func storePair(_ a: ChannelPair<VNNI>, _ to: UnsafeMutablePointer<Int8>, _ count: Int) {
    if count == 32 {
      unsafe abacus_store_interleaved(to, a.low, a.high)
    } else {
      unsafe abacus_store_first_interleaved(to, a.low, a.high, UInt32(truncatingIfNeeded: count))
    }
  }
}

@c(abacus_vnni_block_product)
public func blockProduct(_ product: UnsafePointer<abacus_row_product>) { unsafe multiply(product, VNNI.self) }

@c(abacus_vnni_row_product)
public func rowProduct(_ product: UnsafePointer<abacus_row_product>) { unsafe RowProduct<VNNI, 4>(product).run() }

@c(abacus_vnni_sums_of_bytes)
public func sumsOfBytes(_ row: UnsafePointer<abacus_row_sums>) { unsafe RowSums<VNNI, 4>(row).ofBytes() }

@c(abacus_vnni_sums_of_halves)
public func sumsOfHalves(_ row: UnsafePointer<abacus_row_sums>) { unsafe RowSums<VNNI, 4>(row).ofHalves() }

@c(abacus_vnni_depthwise_row)
public func depthwiseRow(_ row: UnsafePointer<abacus_depthwise_row>) { unsafe convolve(row, VNNI.self) }

@c(abacus_vnni_weighted_sum)
public func weightedSum(_ sum: UnsafePointer<abacus_weighted_sum>) { unsafe add(sum, VNNI.self) }

@c(abacus_vnni_greatest)
public func greatestOfWindow(_ window: UnsafePointer<abacus_pool_window>) { unsafe greatest(window, VNNI.self) }

@c(abacus_vnni_average)
public func averageWindow(_ window: UnsafePointer<abacus_pool_window>) { unsafe average(window, VNNI.self) }

@c(abacus_vnni_gather)
public func gatherWindows(_ windows: UnsafePointer<abacus_window_gather>) { unsafe gather(windows, VNNI.self) }
