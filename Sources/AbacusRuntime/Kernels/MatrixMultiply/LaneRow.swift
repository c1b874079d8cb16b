#if ABACUS_LANES
import AbacusFormat
import CAbacus

#if ABACUS_LONG
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
}

extension LaneProduct {
  /// All channels of one row.
  @inline(never)
  func one(_ x: Elements<Int8>, _ output: MutableElements<Int8>) {
    // Weights of the second channel of each pair count 128 more.
    let excess = rowSum(x) &<< 7 &+ ChannelLanes.half
    var w = weights
    var channel = 0
    while channel < channelCount {
      let hasSecond = channel &+ 2 < channelCount
      let v = hasSecond ? w.dropping(2 &* quads) : w
      let constants = channels.dropping(2 &* channel)
      let others = channels.dropping(2 &* (channel &+ (hasSecond ? 2 : 0)))
      var lower = constants[2] &- excess
      var otherLower = others[2] &- excess
      var lanes = ChannelLanes()
      let whole = depth / 4
      var quad = 0
      while true {
        let count = min(whole &- quad, Lanes.maximumQuads)
        lanes.add(x.dropping(4 &* quad), w.dropping(2 &* quad), v.dropping(2 &* quad), quads: count)
        quad = quad &+ count
        if quad == whole { break }
        ChannelLanes.take(&lanes.s, &lower)
        ChannelLanes.take(&lanes.t, &otherLower)
      }
      let target = output.dropping(channel)
      target[0] = stage.apply(ChannelLanes.upper(lanes.s) &+ constants[0], constants[1])
      target[1] = stage.apply(ChannelLanes.lower(lanes.s) &+ lower, constants[3])
      if hasSecond {
        target[2] = stage.apply(ChannelLanes.upper(lanes.t) &+ others[0], others[1])
        target[3] = stage.apply(ChannelLanes.lower(lanes.t) &+ otherLower, others[3])
      }
      w = v.dropping(2 &* quads)
      channel = channel &+ 4
    }
    stage.clamp(output, channelCount, step: 1)
  }

  @inline(never)
  private func rowSum(_ x: Elements<Int8>) -> Int32 {
    var sum: Int32 = 0
    for k in 0..<depth { sum = sum &+ Int32(x[k]) }
    return sum
  }
}

extension ChannelLanes {
  /// Empties the lower lane, so that more columns find room.
  @inline(never)
  fileprivate static func take(_ lanes: inout Int64, _ sum: inout Int32) {
    let lower = ChannelLanes.lower(lanes) &- ChannelLanes.half
    sum = sum &+ lower
    lanes = lanes &- abacus_widen(lower)
  }
}
#else
extension LaneProduct {
  /// All channels of one row, four at a time, so that each element is loaded once for four products.
  @inline(never)
  func one(_ x: Elements<Int8>, _ scratch: MutableElements<Int32>, _ output: MutableElements<Int8>) {
    let x = arranged(x, scratch)
    var (w, constants, target) = (weightBytes, channels, output)
    var left = channelCount
    while left > 0 {
      // Without a second pair the first stands in for it, and nothing is stored.
      let v = left > 2 ? w.dropping(8 &* quads) : w
      let sums = fourSums(x, w, v, quads: quads)
      target[0] = stage.apply(sums[0] &+ constants[0], constants[1])
      target[1] = stage.apply(sums[1] &+ constants[2], constants[3])
      if left > 2 {
        target[2] = stage.apply(sums[2] &+ constants[4], constants[5])
        target[3] = stage.apply(sums[3] &+ constants[6], constants[7])
      }
      if left <= 4 { return }
      (w, constants, target) = (v.dropping(8 &* quads), constants.dropping(8), target.dropping(4))
      left = left &- 4
    }
  }

  #if ABACUS_THUMB
  /// The row as every second byte, in the order of weights in pairs: so one index serves both.
  @inline(never)
  private func arranged(_ x: Elements<Int8>, _ scratch: MutableElements<Int32>) -> Elements<Int8> {
    let bytes = scratch.bytes
    for k in 0..<depth { bytes[k / 4 &* 8 &+ PairedLayout.offset(row: 0, column: k)] = x[k] }
    return bytes.readOnly
  }
  #else
  @inline(__always)
  private func arranged(_ x: Elements<Int8>, _ scratch: MutableElements<Int32>) -> Elements<Int8> { x }
  #endif
}

#if ABACUS_THUMB
/// Products of a row and two pairs of channels.
@inline(never)
private func fourSums(_ x: Elements<Int8>, _ w: Elements<Int8>, _ v: Elements<Int8>, quads: Int) -> SIMD4<Int32> {
  let sums = x.fourSums(w, v, count: 8 &* quads)
  return SIMD4(sums.s0, sums.s1, sums.s2, sums.s3)
}
#else
/// Products of a row and two pairs of channels. Not inlined, so that sums and addresses have the registers for
/// themselves.
@inline(never)
private func fourSums(_ x: Elements<Int8>, _ w: Elements<Int8>, _ v: Elements<Int8>, quads: Int) -> SIMD4<Int32> {
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
#endif
