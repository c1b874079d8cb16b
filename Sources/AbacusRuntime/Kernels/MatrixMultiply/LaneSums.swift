#if ABACUS_LANES
import AbacusFormat
import CAbacus

// Two products by one instruction, for cores without vectors. Two bytes that meet the same factor lie in one
// word, `a + b * 2^bits`; the word times the factor is a's product in the lower lane and b's in the upper.
// As long as sums of the lower lane stay inside of it, both can be read back exactly.

enum Lanes {
  #if ABACUS_LONG
  /// For products that are added to 64 bits (SMLAL): such that a word of two int8 has no overflow.
  static let rowBits: Int32 = 23
  /// Groups of four columns that a lane has room for: 248 products of two int8 are below 2^22, and those of
  /// an int8 and a byte of 0 to 255 below 2^23.
  static let maximumQuads = 62
  #else
  /// For products of 32 bits, in which a lane has room for two.
  static let rowBits: Int32 = 16
  static let maximumQuads = Int.max
  #endif

  /// Words of two rows.
  @inline(__always)
  static func word(_ a: Int8, _ b: Int8) -> Int32 { Int32(a) &+ Int32(b) &<< rowBits }
}

#if ABACUS_LONG
/// Sums of two rows by two channels, the first row's in the lower lanes of 23 bits, the second's in the
/// upper ones.
struct RowLanes {
  /// Half of a lane's range, so that the lower lane is never negative.
  private static let half: Int32 = 1 &<< 22
  static let start: Int64 = 1 &<< 22
  private var s = RowLanes.start
  private var t = RowLanes.start

  /// Sums of products: first row by first channel and by second, second row by first channel and by
  /// second. Not inlined, so that sums and addresses have the registers for themselves.
  ///
  /// - Parameters:
  ///   - x: words of two rows.
  ///   - w: two channels, as ``PairedLayout`` has them.
  ///   - quads: groups of four columns, at most ``Lanes/maximumQuads``.
  @inline(never)
  static func sums(_ x: Elements<Int32>, _ w: Elements<Int8>, quads: Int) -> SIMD4<Int32> {
    var (x, w, lanes) = (x, w, RowLanes())
    let end = x.dropping(4 &* quads)
    if quads & 1 != 0 {
      lanes.addQuad(x.takeFour(), w)
      w = w.dropping(8)
    }
    while x.isBefore(end) {
      lanes.addQuad(x.takeFour(), w)
      lanes.addQuad(x.takeFour(), w.dropping(8))
      w = w.dropping(16)
    }
    return SIMD4(lower(lanes.s), lower(lanes.t), upper(lanes.s), upper(lanes.t))
  }

  @inline(__always)
  static func lower(_ sum: Int64) -> Int32 { Int32(truncatingIfNeeded: sum) & (1 &<< 23 &- 1) &- half }

  @inline(__always)
  static func upper(_ sum: Int64) -> Int32 { Int32(truncatingIfNeeded: sum &>> 23) }

  @inline(__always)
  private mutating func addQuad(_ x: abacus_four_words, _ w: Elements<Int8>) {
    add(x.a, w, PairedLayout.offset(row: 0, column: 0))
    add(x.b, w, PairedLayout.offset(row: 0, column: 1))
    add(x.c, w, PairedLayout.offset(row: 0, column: 2))
    add(x.d, w, PairedLayout.offset(row: 0, column: 3))
  }

  @inline(__always)
  private mutating func add(_ x: Int32, _ w: Elements<Int8>, _ at: Int) {
    s = s &+ abacus_multiply_wide(x, Int32(w[at]))
    t = t &+ abacus_multiply_wide(x, Int32(w[at &+ 1]))
  }
}
#else
/// Sums of two rows by two channels. Each product of two columns has 16 bits in the lower lane and as many
/// in the upper; what comes down from there is taken from the sum of both.
struct RowLanes {
  /// Makes sums of two products in the lower lane 0 to 65,280 and those in the upper one -32,768 to 32,512.
  private static let bias: Int32 = 32_512 &- upperBias &<< 16
  static let upperBias: Int32 = 256
  private var both0: Int32 = 0
  private var upper0: Int32 = 0
  private var both1: Int32 = 0
  private var upper1: Int32 = 0

  /// Sums of products: first row by first channel and by second, second row by first channel and by
  /// second. Not inlined, so that sums and addresses have the registers for themselves.
  ///
  /// - Parameters:
  ///   - x: words of two rows.
  ///   - w: two channels, as ``PairedLayout`` has them.
  ///   - quads: groups of four columns.
  @inline(never)
  static func sums(_ x: Elements<Int32>, _ w: Elements<Int8>, quads: Int) -> SIMD4<Int32> {
    var lanes = RowLanes()
    lanes.add(x, w, quads: quads)
    let second = lanes.upper0 &+ 2 &* upperBias &* Int32(truncatingIfNeeded: quads)
    let other = lanes.upper1 &+ 2 &* upperBias &* Int32(truncatingIfNeeded: quads)
    return SIMD4(lanes.both0 &- second &<< 16, lanes.both1 &- other &<< 16, second, other)
  }

  /// The upper lane of a sum of two products, less its bias.
  @inline(__always)
  static func upper(_ sum: Int32) -> Int32 { (sum &+ bias) &>> 16 }

  #if ABACUS_THUMB
  @inline(__always)
  private mutating func add(_ x: Elements<Int32>, _ w: Elements<Int8>, quads: Int) {
    let sums = x.laneSums(to: x.dropping(4 &* quads), w, bias: RowLanes.bias)
    (both0, upper0, both1, upper1) = (sums.both0, sums.upper0, sums.both1, sums.upper1)
  }
  #else
  @inline(__always)
  private mutating func add(_ x: Elements<Int32>, _ w: Elements<Int8>, quads: Int) {
    var (x, w) = (x, w)
    let end = x.dropping(4 &* quads)
    while x.isBefore(end) {
      addColumns(x[0], x[2], w)
      addColumns(x[1], x[3], w.dropping(4))
      (x, w) = (x.dropping(4), w.dropping(8))
    }
  }

  /// Two columns that are neighbours in the layout.
  @inline(__always)
  private mutating func addColumns(_ x: Int32, _ next: Int32, _ w: Elements<Int8>) {
    let first = x &* Int32(w[0]) &+ next &* Int32(w[2])
    let second = x &* Int32(w[1]) &+ next &* Int32(w[3])
    both0 = both0 &+ first
    upper0 = upper0 &+ RowLanes.upper(first)
    both1 = both1 &+ second
    upper1 = upper1 &+ RowLanes.upper(second)
  }
  #endif
}
#endif
#endif
