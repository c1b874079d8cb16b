#if ABACUS_LANES
import AbacusFormat
import CAbacus

// Two products by one instruction, for cores that add products of words to 64 bits (SMLAL) and have no
// vectors: Cortex-M3. Two bytes that meet the same factor lie in one word, `a + b * 2^bits`; the word
// times the factor, added up, is the sum of a's products in the lower lane and that of b's in the upper:
// `half + A + B * 2^bits`, and as long as |A| < half, both can be read back exactly.

/// Columns that lanes have room for.
enum Lanes {
  /// Lanes of 23 bits, so that a word of two int8 has no overflow: 248 products are below 2^22.
  static let rowBits: Int64 = 23
  /// Lanes of 24 bits hold 248 products of an int8 and a byte of 0 to 255, which are below 2^23.
  static let channelBits: Int64 = 24
  /// Groups of four columns.
  static let maximumQuads = 62
}

/// Sums of two rows by two channels, the first row's in the lower lanes.
struct RowLanes {
  /// Half of a lane's range, so that the lower lane is never negative.
  private static let half: Int32 = 1 &<< 22
  private var s: Int64 = 1 &<< 22
  private var t: Int64 = 1 &<< 22

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
      lanes.addQuad(x, w)
      (x, w) = (x.dropping(4), w.dropping(8))
    }
    while x.isBefore(end) {
      lanes.addQuad(x, w)
      lanes.addQuad(x.dropping(4), w.dropping(8))
      (x, w) = (x.dropping(8), w.dropping(16))
    }
    return SIMD4(lower(lanes.s), lower(lanes.t), upper(lanes.s), upper(lanes.t))
  }

  @inline(__always)
  private static func lower(_ sum: Int64) -> Int32 { Int32(truncatingIfNeeded: sum) & (1 &<< 23 &- 1) &- half }

  @inline(__always)
  private static func upper(_ sum: Int64) -> Int32 { Int32(truncatingIfNeeded: sum &>> Lanes.rowBits) }

  @inline(__always)
  private mutating func addQuad(_ x: Elements<Int32>, _ w: Elements<Int8>) {
    add(x[0], w, PairedLayout.offset(row: 0, column: 0))
    add(x[1], w, PairedLayout.offset(row: 0, column: 1))
    add(x[2], w, PairedLayout.offset(row: 0, column: 2))
    add(x[3], w, PairedLayout.offset(row: 0, column: 3))
  }

  @inline(__always)
  private mutating func add(_ x: Int32, _ w: Elements<Int8>, _ at: Int) {
    s = s &+ abacus_multiply_wide(x, Int32(w[at]))
    t = t &+ abacus_multiply_wide(x, Int32(w[at &+ 1]))
  }
}

/// Sums of one row by two pairs of channels. Of each pair the second channel has the lower lane; its
/// weights count 128 more, so that they are never negative.
struct ChannelLanes {
  /// Half of a lane's range.
  static let half: Int32 = 1 &<< 23
  var s: Int64 = 1 &<< 23
  var t: Int64 = 1 &<< 23

  /// The sum of the second channel, half of the range, and 128 times the sum of the row.
  @inline(__always)
  static func lower(_ sum: Int64) -> Int32 { Int32(truncatingIfNeeded: sum) & (1 &<< 24 &- 1) }

  /// The sum of the first channel.
  @inline(__always)
  static func upper(_ sum: Int64) -> Int32 { Int32(truncatingIfNeeded: sum &>> Lanes.channelBits) }

  /// Not inlined, so that sums and addresses have the registers for themselves.
  @inline(never)
  mutating func add(_ x: Elements<Int8>, _ w: Elements<UInt32>, _ v: Elements<UInt32>, quads: Int) {
    var (x, w, v, sums) = (x, w, v, self)
    let end = x.dropping(4 &* quads)
    if quads & 1 != 0 {
      sums.addQuad(x, w, v)
      (x, w, v) = (x.dropping(4), w.dropping(2), v.dropping(2))
    }
    while x.isBefore(end) {
      sums.addQuad(x, w, v)
      sums.addQuad(x.dropping(4), w.dropping(2), v.dropping(2))
      (x, w, v) = (x.dropping(8), w.dropping(4), v.dropping(4))
    }
    self = sums
  }

  @inline(__always)
  private mutating func addQuad(_ x: Elements<Int8>, _ w: Elements<UInt32>, _ v: Elements<UInt32>) {
    addColumns(x[0], x[2], w[0], v[0])
    addColumns(x[1], x[3], w[1], v[1])
  }

  /// Two columns, as words of weights have them.
  @inline(__always)
  private mutating func addColumns(_ x: Int8, _ next: Int8, _ w: UInt32, _ v: UInt32) {
    let w = w ^ 0x8000_8000
    let v = v ^ 0x8000_8000
    s = s &+ abacus_multiply_wide(Int32(x), ChannelLanes.lanes(w, 8))
    t = t &+ abacus_multiply_wide(Int32(x), ChannelLanes.lanes(v, 8))
    s = s &+ abacus_multiply_wide(Int32(next), ChannelLanes.lanes(w, 24))
    t = t &+ abacus_multiply_wide(Int32(next), ChannelLanes.lanes(v, 24))
  }

  /// The byte at bit `position` as the lower lane, the one below it as the upper: ROR and AND in one.
  @inline(__always)
  private static func lanes(_ word: UInt32, _ position: UInt32) -> Int32 {
    Int32(bitPattern: (word &>> position | word &<< (32 &- position)) & 0xFF00_00FF)
  }
}
#endif
