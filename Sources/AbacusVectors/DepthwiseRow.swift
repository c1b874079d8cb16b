import CAbacus

// Depthwise convolution with one filter a channel: two vectors of neighbouring channels at a time, widened
// to 16 bits, two taps in one instruction.

/// All pixels of one row.
@inlinable @inline(__always)
public func convolve<Set: VectorSet>(_ p: UnsafePointer<abacus_depthwise_row>, _: Set.Type) {
  let block = 2 &* Set.lanes
  let channelCount = unsafe p.pointee.channel_count
  let isThreeByThree = unsafe p.pointee.height == 3 && p.pointee.width == 3
  var channel = 0
  while channel < channelCount {
    let channels = unsafe DepthwiseChannels<Set>(p, channel, min(channelCount &- channel, block))
    if !isThreeByThree {
      channels.window()
    } else if channels.count == block {
      channels.threeByThree()
    } else {
      channels.threeByThreeOfFewer()
    }
    channel = channel &+ block
  }
}

/// Up to two vectors of channels of one row.
@usableFromInline
@safe
struct DepthwiseChannels<Set: VectorSet> {
  @usableFromInline let p: UnsafePointer<abacus_depthwise_row>
  @usableFromInline let channel: Int
  @usableFromInline let count: Int

  @inlinable @inline(__always)
  init(_ p: UnsafePointer<abacus_depthwise_row>, _ channel: Int, _ count: Int) {
    unsafe self.p = p
    self.channel = channel
    self.count = count
  }

  @inlinable @inline(__always)
  var stage: VectorStage<Set> {
    unsafe VectorStage(
      shift: p.pointee.shift, zeroPoint: p.pointee.zero_point, low: p.pointee.low, high: p.pointee.high)
  }

  @inlinable @inline(__always)
  var padding: UnsafePointer<Int8> {
    unsafe (UnsafeRawPointer(p) + MemoryLayout<abacus_depthwise_row>.offset(of: \.padding)!)
      .assumingMemoryBound(to: Int8.self)
  }

  /// Weights of a tap, counted in rows of taps.
  @inlinable @inline(__always)
  func weights(_ tap: Int) -> Set.Halves {
    unsafe Set.halves(p.pointee.weights + (tap &* p.pointee.channel_count &+ channel), count)
  }

  @inlinable @inline(__always)
  func store(_ sums: ChannelPair<Set>, _ multiplier: ChannelPair<Set>, _ stage: VectorStage<Set>, _ pixel: Int) {
    let values = ChannelPair<Set>(stage.apply(sums.low, multiplier.low), stage.apply(sums.high, multiplier.high))
    unsafe Set.storePair(values, p.pointee.output + (pixel &* p.pointee.channel_count &+ channel), count)
  }

  // MARK: Any window

  @inlinable @inline(never)
  func window() {
    let constants = unsafe Set.pairConstants(p.pointee.channels + 2 &* channel, count)
    let stage = self.stage
    let rowsAreInside = unsafe p.pointee.first_row >= 0
      && p.pointee.first_row &+ (p.pointee.height &- 1) &* p.pointee.row_step < p.pointee.row_count
    let columns = columnsInside
    var pixel = 0
    while unsafe pixel < p.pointee.pixel_count {
      let isInside = rowsAreInside && columns.contains(pixel)
      let sums = isInside ? insideSums(constants.bias, pixel) : clippedSums(constants.bias, pixel)
      store(sums, constants.multiplier, stage, pixel)
      pixel = pixel &+ 1
    }
  }

  /// Every tap is inside the image.
  @inlinable @inline(__always)
  func insideSums(_ bias: ChannelPair<Set>, _ pixel: Int) -> ChannelPair<Set> {
    var sums = bias
    let channelCount = unsafe p.pointee.channel_count
    let width = unsafe p.pointee.width
    let step = unsafe p.pointee.column_step &* channelCount
    let rowStep = unsafe p.pointee.row_step &* p.pointee.image_width &* channelCount &- width &* step
    var x = unsafe address(TapPlace(row: 0, column: 0), pixel)
    var w = unsafe p.pointee.weights + channel
    var (left, column) = unsafe (p.pointee.height &* width, 0)
    func next() {
      unsafe x = x + step
      unsafe w = w + channelCount
      column = column &+ 1
      if column == width {
        unsafe x = x + rowStep
        column = 0
      }
    }
    while left >= 2 {
      let (first, firstWeights) = unsafe (Set.halves(x, count), Set.halves(w, count))
      next()
      let (second, secondWeights) = unsafe (Set.halves(x, count), Set.halves(w, count))
      next()
      sums = Set.addPairs(sums, Set.interleave(first, second), Set.interleave(firstWeights, secondWeights))
      left = left &- 2
    }
    if left == 1 {
      let (last, weights) = unsafe (Set.halves(x, count), Set.halves(w, count))
      sums = Set.addPairs(sums, Set.interleave(last, Set.noHalves), Set.interleave(weights, Set.noHalves))
    }
    return sums
  }

  /// Some taps read padding.
  @inlinable @inline(__always)
  func clippedSums(_ bias: ChannelPair<Set>, _ pixel: Int) -> ChannelPair<Set> {
    var sums = bias
    let taps = unsafe p.pointee.height &* p.pointee.width
    var at = TapPlace(row: 0, column: 0)
    var tap = 0
    while tap < taps {
      let (first, firstWeights) = (element(at, pixel), weights(tap))
      unsafe at.advance(p.pointee.width)
      var (second, secondWeights) = (Set.noHalves, Set.noHalves)
      if tap &+ 1 < taps {
        (second, secondWeights) = (element(at, pixel), weights(tap &+ 1))
        unsafe at.advance(p.pointee.width)
      }
      sums = Set.addPairs(sums, Set.interleave(first, second), Set.interleave(firstWeights, secondWeights))
      tap = tap &+ 2
    }
    return sums
  }

  /// What a tap of a pixel reads.
  @inlinable @inline(__always)
  func element(_ tap: TapPlace, _ pixel: Int) -> Set.Halves {
    unsafe Set.halves(address(tap, pixel), count)
  }

  @inlinable @inline(__always)
  func address(_ tap: TapPlace, _ pixel: Int) -> UnsafePointer<Int8> {
    let row = unsafe p.pointee.first_row &+ tap.row &* p.pointee.row_step
    let column = unsafe p.pointee.first_column &+ pixel &* p.pointee.pixel_step &+ tap.column &* p.pointee.column_step
    let isInside = unsafe UInt(bitPattern: row) < UInt(bitPattern: p.pointee.row_count)
      && UInt(bitPattern: column) < UInt(bitPattern: p.pointee.image_width)
    if !isInside { return unsafe padding }
    return unsafe p.pointee.image
      + ((row &* p.pointee.image_width &+ column) &* p.pointee.channel_count &+ channel)
  }

  // MARK: Three by three, by far the most common window: weights stay in registers

  @inlinable @inline(never)
  func threeByThree() { unsafe DepthwiseChannels(p, channel, 2 &* Set.lanes).nineTaps() }

  @inlinable @inline(never)
  func threeByThreeOfFewer() { nineTaps() }

  @inlinable @inline(__always)
  func nineTaps() {
    let constants = unsafe Set.pairConstants(p.pointee.channels + 2 &* channel, count)
    let stage = self.stage
    let nothing = Set.noHalves
    let w = InlineArray<5, Set.HalfPairs> { i in
      Set.interleave(weights(2 &* i), i == 4 ? nothing : weights(2 &* i &+ 1))
    }
    let columns = columnsInside
    var pixel = 0
    while unsafe pixel < p.pointee.pixel_count {
      if pixel == columns.lowerBound && !columns.isEmpty {
        var rows = TapRows(self, pixel)
        while pixel < columns.upperBound {
          let sums = nine(constants.bias, w, nothing) { t in unsafe Set.halves(rows.address(t / 3, t % 3), count) }
          store(sums, constants.multiplier, stage, pixel)
          rows.advance()
          pixel = pixel &+ 1
        }
      } else {
        let sums = nine(constants.bias, w, nothing) { t in
          element(TapPlace(row: t / 3, column: t % 3), pixel)
        }
        store(sums, constants.multiplier, stage, pixel)
        pixel = pixel &+ 1
      }
    }
  }

  /// Pixels whose windows lie inside the image from left to right.
  @inlinable @inline(__always)
  var columnsInside: Range<Int> {
    let step = unsafe p.pointee.pixel_step
    let first = unsafe p.pointee.first_column
    let pixels = unsafe p.pointee.pixel_count
    let last = unsafe p.pointee.image_width &- 1 &- (p.pointee.width &- 1) &* p.pointee.column_step
    var start = 0
    while start < pixels && first &+ start &* step < 0 { start = start &+ 1 }
    var end = pixels
    while end > start && first &+ (end &- 1) &* step > last { end = end &- 1 }
    return unsafe Range(uncheckedBounds: (start, end))
  }

  @inlinable @inline(__always)
  func nine(
    _ bias: ChannelPair<Set>, _ w: InlineArray<5, Set.HalfPairs>, _ nothing: Set.Halves,
    _ element: (Int) -> Set.Halves
  ) -> ChannelPair<Set> {
    var sums = bias
    unrolled(4) { i in
      sums = Set.addPairs(sums, Set.interleave(element(2 &* i), element(2 &* i &+ 1)), w[i])
    }
    return Set.addPairs(sums, Set.interleave(element(8), nothing), w[4])
  }
}

/// A tap of a window.
@usableFromInline
struct TapPlace {
  @usableFromInline var row: Int
  @usableFromInline var column: Int

  @inlinable @inline(__always)
  init(row: Int, column: Int) {
    self.row = row
    self.column = column
  }

  @inlinable @inline(__always)
  mutating func advance(_ width: Int) {
    column = column &+ 1
    if column == width { (row, column) = (row &+ 1, 0) }
  }
}

/// Where three rows of taps read, from one pixel to the next; rows of padding stay where they are.
@usableFromInline
@safe
struct TapRows {
  @usableFromInline var rows: InlineArray<3, UnsafePointer<Int8>>
  /// From one tap to the next, and from one pixel to the next.
  @usableFromInline var taps: InlineArray<3, Int>
  @usableFromInline var pixels: InlineArray<3, Int>

  @inlinable @inline(__always)
  init<Set: VectorSet>(_ channels: DepthwiseChannels<Set>, _ pixel: Int) {
    let p = unsafe channels.p
    unsafe rows = InlineArray { r in unsafe channels.address(TapPlace(row: r, column: 0), pixel) }
    let inside = InlineArray<3, Int> { r in
      let row = unsafe p.pointee.first_row &+ r &* p.pointee.row_step
      return unsafe UInt(bitPattern: row) < UInt(bitPattern: p.pointee.row_count) ? p.pointee.channel_count : 0
    }
    taps = InlineArray { r in unsafe inside[r] &* p.pointee.column_step }
    pixels = InlineArray { r in unsafe inside[r] &* p.pointee.pixel_step }
  }

  @inlinable @inline(__always)
  func address(_ row: Int, _ column: Int) -> UnsafePointer<Int8> { unsafe rows[row] + column &* taps[row] }

  @inlinable @inline(__always)
  mutating func advance() {
    unsafe rows[0] = rows[0] + pixels[0]
    unsafe rows[1] = rows[1] + pixels[1]
    unsafe rows[2] = rows[2] + pixels[2]
  }
}
