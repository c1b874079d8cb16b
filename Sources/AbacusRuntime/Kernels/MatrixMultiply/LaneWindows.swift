#if ABACUS_LANES
import AbacusFormat
import CAbacus

extension LaneProduct {
  /// Windows of an image, those of the units at hand: two output pixels at a time.
  @inline(never)
  func convolve(_ call: Invocation, _ geometry: WindowGeometry, fill: Int8, channels: Int) {
    let input: Elements<Int8> = call.elements(Operands.input)
    let output: MutableElements<Int8> = call.mutableElements(Operands.output)
    let scratch: MutableElements<Int32> = call.mutableElements(Operands.scratch)
    var place = PixelPlace(input, geometry, unit: call.units.lowerBound)
    var pixel = call.units.lowerBound &* geometry.outputWidth
    let end = call.units.upperBound &* geometry.outputWidth
    while pixel < end {
      let first = place
      place.advance(input, geometry)
      // The last of an odd number of pixels stands in for the one that is missing.
      let rows = min(2, end &- pixel)
      gatherLanes(geometry, first, rows == 2 ? place : first, fill: fill, into: scratch)
      weights.arrange(scratch)
      two(scratch.readOnly, output.dropping(pixel &* channels), rows: rows)
      place.advance(input, geometry)
      pixel = pixel &+ 2
    }
  }
}

/// Where an output pixel lies.
private struct PixelPlace {
  var image: Elements<Int8>
  private(set) var unit: Int
  private(set) var y: Int
  private(set) var x = 0

  init(_ input: Elements<Int8>, _ geometry: WindowGeometry, unit: Int) {
    self.unit = unit
    image = input.dropping(unit / geometry.outputHeight &* geometry.imageElements)
    y = unit % geometry.outputHeight
  }

  /// To the next pixel, of the next row where this one ends.
  @inline(__always)
  mutating func advance(_ input: Elements<Int8>, _ geometry: WindowGeometry) {
    x = x &+ 1
    if x < geometry.outputWidth { return }
    (x, y) = (0, y &+ 1)
    if y < geometry.outputHeight { return }
    y = 0
    image = image.dropping(geometry.imageElements)
  }
}

/// The windows of two output pixels as words of lanes; padding becomes `fill`.
@inline(never)
private func gatherLanes(
  _ geometry: WindowGeometry, _ a: PixelPlace, _ b: PixelPlace, fill: Int8, into words: MutableElements<Int32>
) {
  let (left, other) = (geometry.inputColumn(a.x, 0), geometry.inputColumn(b.x, 0))
  let reach = (geometry.width &- 1) &* geometry.dilationWidth
  let isDense =
    geometry.dilationWidth == 1 && min(left, other) >= 0 && max(left, other) &+ reach < geometry.inputWidth
  let taps = isDense ? 1 : geometry.width
  let run = isDense ? geometry.width &* geometry.channels : geometry.channels
  var target = words
  for tapRow in 0..<geometry.height {
    let (row, otherRow) = (geometry.inputRow(a.y, tapRow), geometry.inputRow(b.y, tapRow))
    for tap in 0..<taps {
      let step = tap &* geometry.dilationWidth
      let first = geometry.pixel(a.image, row, left &+ step)
      let second = geometry.pixel(b.image, otherRow, other &+ step)
      if let first, let second {
        packLanes(first, second, target, run)
      } else {
        for k in 0..<run { target[k] = Lanes.word(first?[k] ?? fill, second?[k] ?? fill) }
      }
      target = target.dropping(run)
    }
  }
}

extension WindowGeometry {
  /// A pixel of an image; nil in padding.
  @inline(__always)
  fileprivate func pixel(_ image: Elements<Int8>, _ row: Int, _ column: Int) -> Elements<Int8>? {
    if row < 0 || row >= inputHeight || column < 0 || column >= inputWidth { return nil }
    return image.dropping((row &* inputWidth &+ column) &* channels)
  }
}
#endif
