#if ABACUS_LANES
import AbacusFormat
import CAbacus

/// Rows of int8 times weights in pairs of channels, by lanes (see LaneSums.swift): two rows by two
/// channels, or one row by four.
struct LaneProduct {
  let weights: Elements<UInt32>
  let weightBytes: Elements<Int8>
  /// Bias and multiplier of each channel.
  let channels: Elements<Int32>
  let channelCount: Int
  let depth: Int
  /// Groups of four columns.
  let quads: Int
  let stage: ByteStage

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
  /// - Parameter scratch: words for two rows; for two bytes a column where there are fewer than three rows of a
  ///   multiple of four columns.
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
      #if ABACUS_LONG
      one(source, target)
      #else
      one(source, scratch, target)
      #endif
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
}

/// Words of two rows.
@inline(never)
func packLanes(_ a: Elements<Int8>, _ b: Elements<Int8>, _ target: MutableElements<Int32>, _ count: Int) {
  var (a, b, target) = (a, b, target)
  let end = a.dropping(count & ~3)
  while a.isBefore(end) {
    for k in 0..<4 { target[k] = Lanes.word(a[k], b[k]) }
    (a, b, target) = (a.dropping(4), b.dropping(4), target.dropping(4))
  }
  for k in 0..<count & 3 { target[k] = Lanes.word(a[k], b[k]) }
}
#endif
