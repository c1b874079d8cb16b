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

/// What windows are widened from, and into which rows of scratch.
struct PairedWindows {
  let geometry: WindowGeometry
  let fill: Int8
  let scratch: MutableElements<UInt32>
  /// Behind the rows: room for one window as bytes.
  let staging: MutableElements<Int8>
  var image: Elements<Int8>
}

/// How the window of output pixel (y, x) becomes a row; forms of convolutions differ in it. In a struct, because a function
/// that is a parameter has the loop around it compiled for each form.
struct WindowWidening {
  let widen: (_ windows: inout PairedWindows, _ y: Int, _ x: Int, _ row: Int) -> Void
}

/// Windows of an image, those of the units at hand, times weights in pairs.
@inline(never)
func convolvePaired(_ call: Invocation, _ widening: WindowWidening) {
  let parameters = call.parameters(ConvolutionParameters.self)
  let geometry = WindowGeometry(
    parameters.window, input: call.tensor(Operands.input), output: call.tensor(Operands.output))
  let channels = call.tensor(Operands.weights).extent(0)
  let depth = geometry.height &* geometry.width &* geometry.channels
  let product = PairedProduct(call, depth: depth, channels: channels)
  let input: Elements<Int8> = call.elements(Operands.input)
  let bytes: MutableElements<Int8> = call.mutableElements(Operands.scratch)
  var (unit, x) = (call.units.lowerBound, 0)
  var y = unit % geometry.outputHeight
  var windows = PairedWindows(
    geometry: geometry, fill: Int8(truncatingIfNeeded: parameters.inputZeroPoint),
    scratch: call.mutableElements(Operands.scratch),
    staging: bytes.dropping(Int(PairedLayout.scratchBytes(depth: UInt32(truncatingIfNeeded: depth), rows: 3))),
    image: input.dropping(unit / geometry.outputHeight &* geometry.imageElements))
  var sink = ByteSink(call, parameters.stage, channelCount: channels)
  var pixel = unit &* geometry.outputWidth
  let end = call.units.upperBound &* geometry.outputWidth
  while pixel < end {
    // Where fewer than three are left, the others are whatever was there before; they go nowhere.
    sink.move(to: pixel, rows: min(3, end &- pixel))
    var row = 0
    while row < sink.rows {
      widening.widen(&windows, y, x, row)
      row = row &+ 1
      x = x &+ 1
      if x < geometry.outputWidth { continue }
      (unit, x) = (unit &+ 1, 0)
      if unit == call.units.upperBound { break }
      y = unit % geometry.outputHeight
      windows.image = input.dropping(unit / geometry.outputHeight &* geometry.imageElements)
    }
    sink.three(product, windows.scratch.readOnly)
    pixel = pixel &+ sink.rows
  }
}

/// Any number of channels: the window is gathered as bytes first.
@inline(never)
func widenBytes(_ windows: inout PairedWindows, _ y: Int, _ x: Int, _ row: Int) {
  let geometry = windows.geometry
  geometry.gather(windows.image, y: y, x: x, 0, geometry.channels, fill: windows.fill, into: windows.staging)
  WidenedRows(windows.scratch, rows: 3)
    .set(row, from: 0, windows.staging.readOnly, geometry.height &* geometry.width &* geometry.channels)
}

/// A multiple of four channels: pixels, and rows of them, are widened where they lie.
@inline(never)
func widenQuads(_ windows: inout PairedWindows, _ y: Int, _ x: Int, _ row: Int) {
  // The number of rows is known here, so that all offsets are.
  let (patch, geometry) = (WidenedRows(windows.scratch, rows: 3), windows.geometry)
  let (width, channels) = (geometry.width, geometry.channels)
  let left = geometry.inputColumn(x, 0)
  let isInside = left >= 0 && left &+ (width &- 1) &* geometry.dilationWidth < geometry.inputWidth
  let isDense = isInside && geometry.dilationWidth == 1
  let run = isDense ? width &* channels : channels
  var at = 0
  var inputRow = geometry.inputRow(y, 0)
  let end = geometry.height &* width &* channels
  while at < end {
    let rowEnd = at &+ width &* channels
    if inputRow < 0 || inputRow >= geometry.inputHeight {
      patch.fill(row, from: at, windows.fill, width &* channels)
      at = rowEnd
    }
    var column = left
    while at < rowEnd {
      if column < 0 || column >= geometry.inputWidth {
        patch.fill(row, from: at, windows.fill, run)
      } else {
        let pixel = windows.image.dropping((inputRow &* geometry.inputWidth &+ column) &* channels)
        patch.set(row, from: at, pixel, run)
      }
      at = at &+ run
      column = column &+ geometry.dilationWidth
    }
    inputRow = inputRow &+ geometry.dilationHeight
  }
}
#endif
