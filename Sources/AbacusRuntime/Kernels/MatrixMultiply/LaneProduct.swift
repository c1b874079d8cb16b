#if ABACUS_LANES
import AbacusFormat
import CAbacus

/// Rows of int8 times weights in pairs of channels, by lanes (see LaneSums.swift): two rows by two
/// channels, or one row by four.
struct LaneProduct {
  let weights: LaneWeights
  /// Bias and multiplier of each channel.
  private let channels: Elements<Int32>
  private let channelCount: Int
  private let stage: ByteStage

  static func suits(_ call: Invocation, _ stage: OutputStage, weightZeroPoint: Int32) -> Bool {
    call.isPaired && weightZeroPoint == 0 && ByteStage.suits(stage)
  }

  init(_ call: Invocation, depth: Int, channels count: Int, _ stage: OutputStage) {
    weights = LaneWeights(call, depth: depth)
    channels = call.elements(Operands.channels)
    channelCount = count
    self.stage = ByteStage(stage)
  }

  /// Rows that lie one after the other.
  ///
  /// - Parameter scratch: words for two rows; two bytes a column where there are fewer than three rows and a multiple
  ///   of four columns.
  @inline(never)
  func multiply(
    _ input: Elements<Int8>, rows: Int, _ scratch: MutableElements<Int32>, _ output: MutableElements<Int8>
  ) {
    let depth = weights.depth
    var (source, target) = (input, output)
    var left = rows
    while left > 0 {
      // Without a second row the first stands in for it.
      let count = min(left, 2)
      if weights.takesOneRow && (rows < 3 || count == 1) {
        one(weights.row(source, scratch), target)
        (source, target, left) = (source.dropping(depth), target.dropping(channelCount), left &- 1)
        continue
      }
      packLanes(source, source.dropping((count &- 1) &* depth), scratch, depth)
      weights.arrange(scratch)
      two(scratch.readOnly, target, rows: count)
      (source, target, left) = (source.dropping(count &* depth), target.dropping(count &* channelCount), left &- count)
    }
  }

  /// All channels of two rows, or of the first of them only.
  ///
  /// - Parameter x: words of both, up to a multiple of four columns.
  @inline(never)
  func two(_ x: Elements<Int32>, _ output: MutableElements<Int8>, rows: Int) {
    var (w, constants) = (weights.bytes, channels)
    let end = channels.dropping(2 &* channelCount)
    var target = output
    // Where there is no second row, the first takes its place.
    let other = rows == 2 ? channelCount : 0
    while constants.isBefore(end) {
      let sums = weights.pairSums(x, w)
      target[other] = stage.apply(sums[2] &+ constants[0], constants[1])
      target[other &+ 1] = stage.apply(sums[3] &+ constants[2], constants[3])
      target[0] = stage.apply(sums[0] &+ constants[0], constants[1])
      target[1] = stage.apply(sums[1] &+ constants[2], constants[3])
      (w, constants, target) = (w.dropping(8 &* weights.quads), constants.dropping(4), target.dropping(2))
    }
    stage.clamp(output, rows &* channelCount, step: 1)
  }

  /// All channels of one row, four at a time.
  @inline(never)
  func one(_ row: LaneRow, _ output: MutableElements<Int8>) {
    var (w, constants, target) = (weights.bytes, channels, output)
    var left = channelCount
    while left > 0 {
      // Without a second pair the first stands in for it, and nothing is stored.
      let v = left > 2 ? w.dropping(8 &* weights.quads) : w
      let sums = weights.fourSums(row, w, v)
      target[0] = stage.apply(sums[0] &+ constants[0], constants[1])
      target[1] = stage.apply(sums[1] &+ constants[2], constants[3])
      if left > 2 {
        target[2] = stage.apply(sums[2] &+ constants[4], constants[5])
        target[3] = stage.apply(sums[3] &+ constants[6], constants[7])
      }
      left = left &- 4
      if left <= 0 { break }
      (w, constants, target) = (v.dropping(8 &* weights.quads), constants.dropping(8), target.dropping(4))
    }
    stage.clamp(output, channelCount, step: 1)
  }
}
#endif
