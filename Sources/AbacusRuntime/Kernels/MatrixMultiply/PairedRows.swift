import AbacusFormat
import CAbacus

// Rows times weights in pairs of channels. Only cores with SMLAD and Cortex-M3 (LaneProduct.swift) have loops
// of their own for them; all others execute the layout like any other.

extension Invocation {
  /// Weights are in pairs, and there is scratch to widen rows in.
  @inline(__always)
  var isPaired: Bool {
    let weights = tensor(Operands.weights)
    return weights.layout == Layout.paired.rawValue && weights.dims[0] & 1 == 0 && has(Operands.scratch)
      && !has(Operands.shifts)
  }

  /// The same for an int8 layer whose requantisation the loops take.
  @inline(__always)
  func takesPairs(_ stage: OutputStage, weightZeroPoint: Int32) -> Bool {
    isPaired && PairedLayout.takes(stage, weightZeroPoint: weightZeroPoint)
  }
}

#if ABACUS_DSP
/// Rows that lie one after the other, times weights in pairs.
///
/// - Parameter row: the row of the output that the first becomes.
@inline(never)
func multiplyPaired<Source: WidenedElement, Sink: PairSink>(
  _ call: Invocation, _ input: Elements<Source>, rows: Int, depth: Int, channels: Int, to sink: inout Sink,
  row target: Int
) {
  let product = PairedProduct(call, depth: depth, channels: channels)
  let scratch: MutableElements<UInt32> = call.mutableElements(Operands.scratch)
  var row = 0
  while row < rows {
    let source = input.dropping(row &* depth)
    // Two rows may only be treated as three where scratch is for three.
    let left = rows &- row
    let widened = WidenedRows(scratch, rows: rows < 3 || left < 2 ? 1 : 3)
    let count = min(widened.rows, left)
    for lane in 0..<count { widened.setRow(lane, source.dropping(lane &* depth), depth) }
    sink.move(to: target &+ row, rows: count)
    if widened.rows == 3 { sink.three(product, widened.readOnly) } else { sink.one(product, widened.readOnly) }
    row = row &+ count
  }
}

/// Windows of an image, those of the units at hand, times weights in pairs.
func convolvePaired(
  _ call: Invocation, _ stage: OutputStage, _ geometry: WindowGeometry, fill: Int8, channels: Int
) {
  let depth = geometry.height &* geometry.width &* geometry.channels
  let product = PairedProduct(call, depth: depth, channels: channels)
  let input: Elements<Int8> = call.elements(Operands.input)
  let scratch: MutableElements<UInt32> = call.mutableElements(Operands.scratch)
  let bytes: MutableElements<Int8> = call.mutableElements(Operands.scratch)
  let staging = bytes.dropping(Int(PairedLayout.scratchBytes(depth: UInt32(truncatingIfNeeded: depth), rows: 3)))
  let widened = WidenedRows(scratch, rows: 3)
  var sink = ByteSink(call, stage, channelCount: channels)
  var pixel = call.units.lowerBound &* geometry.outputWidth
  let end = call.units.upperBound &* geometry.outputWidth
  var (unit, x) = (call.units.lowerBound, 0)
  var y = unit % geometry.outputHeight
  var image = input.dropping(unit / geometry.outputHeight &* geometry.imageElements)
  while pixel < end {
    // Where fewer than three are left, the others are whatever was there before; they go nowhere.
    sink.move(to: pixel, rows: min(3, end &- pixel))
    for lane in 0..<sink.rows {
      if geometry.channels & 3 == 0 {
        geometry.gather(image, y: y, x: x, fill: fill, into: scratch, lane)
      } else {
        geometry.gather(image, y: y, x: x, 0, geometry.channels, fill: fill, into: staging)
        widened.set(lane, from: 0, staging.readOnly, depth)
      }
      x = x &+ 1
      if x < geometry.outputWidth { continue }
      (unit, x) = (unit &+ 1, 0)
      if unit == call.units.upperBound { break }
      y = unit % geometry.outputHeight
      image = input.dropping(unit / geometry.outputHeight &* geometry.imageElements)
    }
    sink.three(product, widened.readOnly)
    pixel = pixel &+ sink.rows
  }
}

extension WindowGeometry {
  /// Widens the window of output pixel (y, x), all channels of which there is a multiple of four, into
  /// a row.
  @inline(never)
  fileprivate func gather(
    _ image: Elements<Int8>, y: Int, x: Int, fill: Int8, into patch: MutableElements<UInt32>, _ lane: Int
  ) {
    // The number of rows is known here, so that all offsets are.
    let patch = WidenedRows(patch, rows: 3)
    let left = inputColumn(x, 0)
    let isInside = left >= 0 && left &+ (width &- 1) &* dilationWidth < inputWidth
    let isDense = isInside && dilationWidth == 1
    let run = isDense ? width &* channels : channels
    var at = 0
    for tapRow in 0..<height {
      let row = inputRow(y, tapRow)
      if row < 0 || row >= inputHeight {
        patch.fill(lane, from: at, fill, width &* channels)
        at = at &+ width &* channels
        continue
      }
      for tap in 0..<(isDense ? 1 : width) {
        let column = inputColumn(x, tap)
        if column < 0 || column >= inputWidth {
          patch.fill(lane, from: at, fill, run)
        } else {
          patch.set(lane, from: at, image.dropping((row &* inputWidth &+ column) &* channels), run)
        }
        at = at &+ run
      }
    }
  }
}
#endif
