#if ABACUS_LANES
import AbacusFormat
import CAbacus

/// One row, as ``LaneWeights/fourSums(_:_:_:)`` takes it.
struct LaneRow {
  let elements: Elements<Int8>
  #if ABACUS_LONG
  /// What weights that count 128 more add to a lower lane, and half of its range.
  let excess: Int32
  #endif
}

#if ABACUS_LONG
extension LaneWeights {
  @inline(never)
  func row(_ x: Elements<Int8>, _ scratch: MutableElements<Int32>) -> LaneRow {
    var (rest, sum) = (x, Int32(0))
    for _ in 0..<quads {
      for k in 0..<4 { sum = sum &+ Int32(rest[k]) }
      rest = rest.dropping(4)
    }
    return LaneRow(elements: x, excess: sum &<< 7 &+ ChannelLanes.half)
  }

  /// A row of a multiple of four columns times two pairs of channels.
  @inline(__always)
  func fourSums(_ row: LaneRow, _ w: Elements<Int8>, _ v: Elements<Int8>) -> SIMD4<Int32> {
    let (x, w, v) = (row.elements, w.words, v.words)
    var lanes = ChannelLanes()
    var (second, fourth) = (0 &- row.excess, 0 &- row.excess)
    var quad = 0
    while true {
      let count = min(quads &- quad, Lanes.maximumQuads)
      lanes.add(x.dropping(4 &* quad), w.dropping(2 &* quad), v.dropping(2 &* quad), quads: count)
      quad = quad &+ count
      if quad == quads { break }
      ChannelLanes.take(&lanes.s, &second)
      ChannelLanes.take(&lanes.t, &fourth)
    }
    return SIMD4(
      ChannelLanes.upper(lanes.s), ChannelLanes.lower(lanes.s) &+ second,
      ChannelLanes.upper(lanes.t), ChannelLanes.lower(lanes.t) &+ fourth)
  }
}

/// Sums of one row by two pairs of channels. Of each pair the second channel has the lower lane; its
/// weights count 128 more, so that they are never negative.
private struct ChannelLanes {
  /// Half of a lane's range.
  static let half: Int32 = 1 &<< 23
  var s: Int64 = 1 &<< 23
  var t: Int64 = 1 &<< 23

  /// The sum of the second channel, half of the range, and 128 times the sum of the row.
  @inline(__always)
  static func lower(_ sum: Int64) -> Int32 { Int32(truncatingIfNeeded: sum) & (1 &<< 24 &- 1) }

  /// The sum of the first channel.
  @inline(__always)
  static func upper(_ sum: Int64) -> Int32 { Int32(truncatingIfNeeded: sum &>> 24) }

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

  /// Empties the lower lane, so that more columns find room.
  @inline(never)
  static func take(_ lanes: inout Int64, _ sum: inout Int32) {
    let lower = ChannelLanes.lower(lanes) &- ChannelLanes.half
    sum = sum &+ lower
    lanes = lanes &- abacus_widen(lower)
  }
}
#elseif ABACUS_THUMB
extension LaneWeights {
  /// The row, a multiple of four columns, as every second byte, in the order of weights in pairs: so one index serves both.
  @inline(never)
  func row(_ x: Elements<Int8>, _ scratch: MutableElements<Int32>) -> LaneRow {
    var (x, target) = (x, scratch.bytes)
    for _ in 0..<quads {
      for k in 0..<4 { target[PairedLayout.offset(row: 0, column: k)] = x[k] }
      (x, target) = (x.dropping(4), target.dropping(8))
    }
    return LaneRow(elements: scratch.bytes.readOnly)
  }

  /// A row of a multiple of four columns times two pairs of channels.
  @inline(never)
  func fourSums(_ row: LaneRow, _ w: Elements<Int8>, _ v: Elements<Int8>) -> SIMD4<Int32> {
    let sums = row.elements.fourSums(w, v, count: 8 &* quads)
    return SIMD4(sums.s0, sums.s1, sums.s2, sums.s3)
  }
}
#else
extension LaneWeights {
  @inline(__always)
  func row(_ x: Elements<Int8>, _ scratch: MutableElements<Int32>) -> LaneRow { LaneRow(elements: x) }

  /// A row of a multiple of four columns times two pairs of channels.
  @inline(__always)
  func fourSums(_ row: LaneRow, _ w: Elements<Int8>, _ v: Elements<Int8>) -> SIMD4<Int32> {
    productsOfRow(row.elements, w, v, quads: quads)
  }
}

/// Products of a row and two pairs of channels. Not inlined, so that sums and addresses have the registers for
/// themselves.
@inline(never)
private func productsOfRow(_ x: Elements<Int8>, _ w: Elements<Int8>, _ v: Elements<Int8>, quads: Int) -> SIMD4<Int32> {
  var (x, w, v) = (x, w, v)
  var (s0, s1, s2, s3) = (Int32(0), Int32(0), Int32(0), Int32(0))
  let end = x.dropping(4 &* quads)
  while x.isBefore(end) {
    for column in 0..<4 {
      let (element, at) = (Int32(x[column]), PairedLayout.offset(row: 0, column: column))
      s0 = s0 &+ element &* Int32(w[at])
      s1 = s1 &+ element &* Int32(w[at &+ 1])
      s2 = s2 &+ element &* Int32(v[at])
      s3 = s3 &+ element &* Int32(v[at &+ 1])
    }
    (x, w, v) = (x.dropping(4), w.dropping(8), v.dropping(8))
  }
  return SIMD4(s0, s1, s2, s3)
}
#endif
#endif
