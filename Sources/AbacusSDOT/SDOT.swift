import AbacusVectors
import CAbacus

// AArch64 with SDOT: since Armv8.4, and Cortex-A55, A76 and Apple M1.

enum SDOT: VectorSet {
  typealias Words = SIMD4<Int32>
  typealias Weights = SIMD4<Int32>
  typealias Quad = SIMD4<Int32>
  typealias Elements = SIMD4<Int32>
  typealias RowWeights = SIMD4<Int32>
  typealias Halves = SIMD8<Int16>

  /// VMLAL takes one product for each word, so that pairs stay two vectors.
  struct HalfPairs {
    let first: SIMD8<Int16>
    let second: SIMD8<Int16>
  }

  @inline(__always) static var lanes: Int { 4 }
  @inline(__always) static var vectorsOfFourRows: Int { 4 }
  @inline(__always) static var vectorsOfOneRow: Int { 8 }

  @inline(__always) static func splat(_ x: Int32) -> Words { abacus_splat(x) }
  @inline(__always) static func add(_ a: Words, _ b: Words) -> Words { abacus_add(a, b) }
  @inline(__always) static func subtract(_ a: Words, _ b: Words) -> Words { abacus_subtract(a, b) }
  @inline(__always) static func minimum(_ a: Words, _ b: Words) -> Words { abacus_minimum(a, b) }
  @inline(__always) static func maximum(_ a: Words, _ b: Words) -> Words { abacus_maximum(a, b) }
  @inline(__always) static func shiftRight(_ a: Words, _ bits: Int32) -> Words { abacus_shift_words(a, 0 &- bits) }
  @inline(__always) static func shiftLeft(_ a: Words, _ bits: Int32) -> Words { abacus_shift_words(a, bits) }
  @inline(__always) static func multiplyHigh(_ a: Words, _ b: Words) -> Words { abacus_multiply_high_words(a, b) }

  @inline(__always)
  static func sumsHigh(
    _ a: Words, _ multiplierA: Words, _ b: Words, _ multiplierB: Words, _ summand: Int64
  ) -> Words {
    abacus_sums_high(a, multiplierA, b, multiplierB, summand)
  }

  @inline(__always)
  static func widened(_ from: UnsafePointer<Int8>, _ count: Int) -> Words {
    unsafe count == 4 ? abacus_widen_first_bytes(from, 4) : abacus_widen_first_bytes(from, UInt32(truncatingIfNeeded: count))
  }

  @inline(__always)
  static func store(_ a: Words, _ to: UnsafeMutablePointer<Int8>, _ count: Int) {
    if count == 4 {
      unsafe abacus_store_first(to, a, a, 4)
    } else {
      unsafe abacus_store_first(to, a, a, UInt32(truncatingIfNeeded: count))
    }
  }

  @inline(__always)
  static func constants(_ from: UnsafePointer<Int32>, _ count: Int) -> ChannelConstants<SDOT> {
    if count == 4 {
      let (first, second) = unsafe (abacus_load(from), abacus_load(from + 4))
      return ChannelConstants(bias: abacus_firsts(first, second), multiplier: abacus_seconds(first, second))
    }
    let first = unsafe abacus_load_first(from, UInt32(truncatingIfNeeded: min(8 &* count, 16)))
    let second = unsafe abacus_load_first(
      from + (count > 2 ? 4 : 0), UInt32(truncatingIfNeeded: max(8 &* count, 16) &- 16))
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

  @inline(__always) static func weights(_ from: UnsafePointer<Int8>) -> Words { unsafe abacus_load(from) }
  @inline(__always) static func quad(_ from: UnsafePointer<Int8>) -> Words { unsafe abacus_splat_word(from) }
  @inline(__always) static func addQuads(_ sums: Words, _ x: Words, _ w: Words) -> Words { abacus_add_quads(sums, x, w) }

  // MARK: Nothing is too much

  @inline(__always) static var hasSurplus: Bool { false }
  @inline(__always) static func addSurplus(_ sums: Words, _ from: UnsafePointer<Int8>, _ count: Int) -> Words { sums }
  @inline(__always) static func totals<let rows: Int>(_ sums: InlineArray<rows, Words>) -> InlineArray<rows, Words> { sums }

  // MARK: Products along rows

  @inline(__always) static var chunk: Int { 16 }

  @inline(__always)
  static func elements(_ from: UnsafePointer<Int8>, _ count: Int) -> Words {
    unsafe count == 16 ? abacus_load(from) : abacus_load_first(from, UInt32(truncatingIfNeeded: count))
  }

  @inline(__always)
  static func rowWeights(_ from: UnsafePointer<Int8>, _ count: Int) -> Words { unsafe elements(from, count) }

  @inline(__always) static func addProducts(_ sums: Words, _ x: Words, _ w: Words) -> Words { abacus_add_quads(sums, x, w) }

  @inline(__always)
  static func total<let groups: Int>(_ sums: InlineArray<groups, InlineArray<4, Words>>) -> Words {
    let four = sums[0]
    return abacus_sums_of_four(four[0], four[1], four[2], four[3])
  }

  @inline(__always)
  static func grouped<let groups: Int>(_ words: InlineArray<groups, Words>) -> Words { words[0] }

  @inline(__always)
  static func fourConstants(_ from: UnsafePointer<Int32>, _ count: Int) -> ChannelConstants<SDOT> {
    unsafe constants(from, count)
  }

  @inline(__always)
  static func bytes(_ a: Words) -> SIMD4<UInt32> { abacus_narrow(a, a) }

  // MARK: Products of neighbouring channels

  @inline(__always)
  static func halves(_ from: UnsafePointer<Int8>, _ count: Int) -> Halves {
    unsafe count == 8 ? abacus_load_halves(from) : abacus_load_first_halves(from, UInt32(truncatingIfNeeded: count))
  }

  @inline(__always)
  static func halves(_ from: UnsafePointer<Int16>, _ count: Int) -> Halves {
    unsafe count == 8 ? abacus_load_shorts(from) : abacus_load_first_shorts(from, UInt32(truncatingIfNeeded: count))
  }

  @inline(__always)
  static func addHalves(_ sums: Words, _ x: Halves, _ w: Halves) -> Words {
    abacus_add_high(abacus_add_low(sums, x, w), x, w)
  }

  @inline(__always) static var noHalves: Halves { abacus_no_halves() }

  @inline(__always) static func interleave(_ a: Halves, _ b: Halves) -> HalfPairs { HalfPairs(first: a, second: b) }

  @inline(__always)
  static func addPairs(_ sums: ChannelPair<SDOT>, _ x: HalfPairs, _ w: HalfPairs) -> ChannelPair<SDOT> {
    ChannelPair(
      abacus_add_low(abacus_add_low(sums.low, x.first, w.first), x.second, w.second),
      abacus_add_high(abacus_add_high(sums.high, x.first, w.first), x.second, w.second))
  }

  @inline(__always)
  static func inOrder(_ a: Words, _ b: Words) -> ChannelPair<SDOT> { ChannelPair(a, b) }

  @inline(__always)
  static func storePair(_ a: ChannelPair<SDOT>, _ to: UnsafeMutablePointer<Int8>, _ count: Int) {
    if count == 8 {
      unsafe abacus_store_first(to, a.low, a.high, 8)
    } else {
      unsafe abacus_store_first(to, a.low, a.high, UInt32(truncatingIfNeeded: count))
    }
  }
}

@c(abacus_sdot_block_product)
public func blockProduct(_ product: UnsafePointer<abacus_row_product>) { unsafe multiply(product, SDOT.self) }

@c(abacus_sdot_row_product)
public func rowProduct(_ product: UnsafePointer<abacus_row_product>) { unsafe RowProduct<SDOT, 1>(product).run() }

@c(abacus_sdot_sums_of_bytes)
public func sumsOfBytes(_ row: UnsafePointer<abacus_row_sums>) { unsafe RowSums<SDOT, 1>(row).ofBytes() }

@c(abacus_sdot_sums_of_halves)
public func sumsOfHalves(_ row: UnsafePointer<abacus_row_sums>) { unsafe RowSums<SDOT, 1>(row).ofHalves() }

@c(abacus_sdot_depthwise_row)
public func depthwiseRow(_ row: UnsafePointer<abacus_depthwise_row>) { unsafe convolve(row, SDOT.self) }

@c(abacus_sdot_weighted_sum)
public func weightedSum(_ sum: UnsafePointer<abacus_weighted_sum>) { unsafe add(sum, SDOT.self) }

@c(abacus_sdot_greatest)
public func greatestOfWindow(_ window: UnsafePointer<abacus_pool_window>) { unsafe greatest(window, SDOT.self) }

@c(abacus_sdot_average)
public func averageWindow(_ window: UnsafePointer<abacus_pool_window>) { unsafe average(window, SDOT.self) }

@c(abacus_sdot_gather)
public func gatherWindows(_ windows: UnsafePointer<abacus_window_gather>) { unsafe gather(windows, SDOT.self) }
