import CAbacus

// Depthwise convolution with one filter a channel: two vectors of neighbouring channels at a time, widened
// to 16 bits, two taps in one instruction.

/// All pixels of one row.
@inlinable @inline(__always)
public func convolve<Set: VectorSet>(_ p: UnsafePointer<abacus_depthwise_row>, _: Set.Type) {
  let row = unsafe DepthwiseRow<Set>(p)
  // By far the most common window gets a loop whose length is known.
  if row.isThreeByThree { row.threeByThree() } else { row.window() }
}

@usableFromInline
@safe
struct DepthwiseRow<Set: VectorSet> {
  @usableFromInline let p: UnsafePointer<abacus_depthwise_row>

  @inlinable @inline(__always)
  init(_ p: UnsafePointer<abacus_depthwise_row>) {
    unsafe self.p = p
  }

  @inlinable var isThreeByThree: Bool {
    @inline(__always) get { unsafe p.pointee.height == 3 && p.pointee.width == 3 }
  }

  @inlinable @inline(never)
  func threeByThree() { allChannels(height: 3, width: 3) }

  @inlinable @inline(never)
  func window() { unsafe allChannels(height: p.pointee.height, width: p.pointee.width) }

  @inlinable @inline(__always)
  func allChannels(height: Int, width: Int) {
    let block = 2 &* Set.lanes
    let channelCount = unsafe p.pointee.channel_count
    var channel = 0
    while channel < channelCount {
      let count = min(channelCount &- channel, block)
      if count == block {
        channels(height, width, channel, block)
      } else {
        channels(height, width, channel, count)
      }
      channel = channel &+ block
    }
  }

  /// Some channels of all pixels.
  @inlinable @inline(__always)
  func channels(_ height: Int, _ width: Int, _ channel: Int, _ count: Int) {
    let stage = unsafe VectorStage<Set>(
      shift: p.pointee.shift, zeroPoint: p.pointee.zero_point, low: p.pointee.low, high: p.pointee.high)
    let constants = unsafe Set.pairConstants(p.pointee.channels + 2 &* channel, count)
    let padding = unsafe Set.splatHalf(p.pointee.padding)
    let channelCount = unsafe p.pointee.channel_count
    let weights = unsafe p.pointee.weights + channel
    for pixel in unsafe 0..<p.pointee.pixel_count {
      let window = unsafe PixelWindow<Set>(p, pixel, channel, count)
      var sums = constants.bias
      let taps = height &* width
      var tap = 0
      var (row, column) = (0, 0)
      while tap < taps {
        let first = window.halves(row, column, padding)
        let firstWeights = unsafe Set.halves(weights + tap &* channelCount, count)
        column = column &+ 1
        if column == width { (row, column) = (row &+ 1, 0) }
        tap = tap &+ 1
        if tap == taps {
          sums = Set.addPairs(sums, first, Set.splatHalf(0), firstWeights, Set.splatHalf(0))
          break
        }
        let second = window.halves(row, column, padding)
        let secondWeights = unsafe Set.halves(weights + tap &* channelCount, count)
        column = column &+ 1
        if column == width { (row, column) = (row &+ 1, 0) }
        tap = tap &+ 1
        sums = Set.addPairs(sums, first, second, firstWeights, secondWeights)
      }
      let values = ChannelPair<Set>(
        stage.apply(sums.low, constants.multiplier.low), stage.apply(sums.high, constants.multiplier.high))
      unsafe Set.storePair(values, p.pointee.output + (pixel &* channelCount &+ channel), count)
    }
  }
}

/// The window of one pixel: its taps, or padding.
@usableFromInline
@safe
struct PixelWindow<Set: VectorSet> {
  @usableFromInline let p: UnsafePointer<abacus_depthwise_row>
  /// Image column under the first tap.
  @usableFromInline let first: Int
  @usableFromInline let channel: Int
  @usableFromInline let count: Int

  @inlinable @inline(__always)
  init(_ p: UnsafePointer<abacus_depthwise_row>, _ pixel: Int, _ channel: Int, _ count: Int) {
    unsafe self.p = p
    first = unsafe p.pointee.first_column &+ pixel &* p.pointee.pixel_step
    self.channel = channel
    self.count = count
  }

  @inlinable @inline(__always)
  func halves(_ tapRow: Int, _ tapColumn: Int, _ padding: Set.Halves) -> Set.Halves {
    let row = unsafe p.pointee.first_row &+ tapRow &* p.pointee.row_step
    let column = unsafe first &+ tapColumn &* p.pointee.column_step
    let isInside = unsafe UInt(bitPattern: row) < UInt(bitPattern: p.pointee.row_count)
      && UInt(bitPattern: column) < UInt(bitPattern: p.pointee.image_width)
    if !isInside { return padding }
    return unsafe Set.halves(
      p.pointee.image + ((row &* p.pointee.image_width &+ column) &* p.pointee.channel_count &+ channel), count)
  }
}
