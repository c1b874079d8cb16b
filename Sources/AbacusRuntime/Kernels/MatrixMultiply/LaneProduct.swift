#if ABACUS_LANES
import AbacusFormat
import CAbacus

/// Rows of int8 times weights in pairs of channels, by lanes (see LaneSums.swift): two rows by two
/// channels, or one row by four.
struct LaneProduct {
  private let weights: Elements<UInt32>
  private let weightBytes: Elements<Int8>
  /// Bias and multiplier of each channel.
  private let channels: Elements<Int32>
  private let channelCount: Int
  private let depth: Int
  /// Groups of four columns.
  private let quads: Int
  private let stage: ByteStage

  static func suits(_ call: Invocation, _ stage: OutputStage, weightZeroPoint: Int32) -> Bool {
    call.isPaired && weightZeroPoint == 0 && ByteStage.suits(stage)
  }

  init(_ call: Invocation, depth: Int, channels count: Int, _ stage: OutputStage) {
    weights = call.elements(Operands.weights)
    weightBytes = call.elements(Operands.weights)
    channels = call.elements(Operands.channels)
    channelCount = count
    self.depth = depth
    quads = (depth &+ 3) / 4
    self.stage = ByteStage(stage)
  }

  /// Rows that lie one after the other.
  ///
  /// - Parameter scratch: words for two rows, unless there are fewer than three, of a multiple of four columns.
  @inline(never)
  func multiply(
    _ input: Elements<Int8>, rows: Int, _ scratch: MutableElements<Int32>, _ output: MutableElements<Int8>
  ) {
    var (source, target) = (input, output)
    var left = rows
    let isWhole = depth & 3 == 0
    while left > 0 && (rows >= 3 || !isWhole) {
      // The last of an odd number of rows stands in for the one that is missing.
      let count = min(left, 2)
      if count == 1 && isWhole { break }
      packLanes(source, source.dropping((count &- 1) &* depth), scratch, depth)
      two(scratch.readOnly, target, rows: count)
      (source, target, left) = (source.dropping(count &* depth), target.dropping(count &* channelCount), left &- count)
    }
    while left > 0 {
      one(source, target)
      (source, target, left) = (source.dropping(depth), target.dropping(channelCount), left &- 1)
    }
  }

  /// All channels of two rows, or of the first of them only.
  ///
  /// - Parameter x: words of both, up to a multiple of four columns.
  @inline(never)
  func two(_ x: Elements<Int32>, _ output: MutableElements<Int8>, rows: Int) {
    var (w, constants) = (weightBytes, channels)
    let end = channels.dropping(2 &* channelCount)
    var target = output
    // Where there is no second row, the first takes its place.
    let other = rows == 2 ? channelCount : 0
    while constants.isBefore(end) {
      let sums = pairSums(x, w)
      target[other] = stage.apply(sums[2] &+ constants[0], constants[1])
      target[other &+ 1] = stage.apply(sums[3] &+ constants[2], constants[3])
      target[0] = stage.apply(sums[0] &+ constants[0], constants[1])
      target[1] = stage.apply(sums[1] &+ constants[2], constants[3])
      (w, constants, target) = (w.dropping(8 &* quads), constants.dropping(4), target.dropping(2))
    }
    stage.clamp(output, rows &* channelCount, step: 1)
  }

  /// All columns, as many at a time as lanes have room for.
  @inline(__always)
  private func pairSums(_ x: Elements<Int32>, _ w: Elements<Int8>) -> SIMD4<Int32> {
    if quads <= Lanes.maximumQuads { return RowLanes.sums(x, w, quads: quads) }
    return manySums(x, w)
  }

  @inline(never)
  private func manySums(_ x: Elements<Int32>, _ w: Elements<Int8>) -> SIMD4<Int32> {
    var sums = SIMD4<Int32>(repeating: 0)
    var quad = 0
    while quad < quads {
      let count = min(quads &- quad, Lanes.maximumQuads)
      sums = sums &+ RowLanes.sums(x.dropping(4 &* quad), w.dropping(8 &* quad), quads: count)
      quad = quad &+ count
    }
    return sums
  }

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

/// Words of two rows: `a + b * 2^23`.
@inline(never)
func packLanes(_ a: Elements<Int8>, _ b: Elements<Int8>, _ target: MutableElements<Int32>, _ count: Int) {
  var (a, b, target) = (a, b, target)
  let end = a.dropping(count & ~3)
  while a.isBefore(end) {
    for k in 0..<4 { target[k] = laneWord(a[k], b[k]) }
    (a, b, target) = (a.dropping(4), b.dropping(4), target.dropping(4))
  }
  for k in 0..<count & 3 { target[k] = laneWord(a[k], b[k]) }
}

@inline(__always)
func laneWord(_ a: Int8, _ b: Int8) -> Int32 { Int32(a) &+ Int32(b) &<< 23 }
#endif
