#if ABACUS_MVE
import AbacusFormat
import CAbacus

/// Convolution of the units at hand on vectors. Two windows at a time are gathered into scratch, also where
/// one row of the output ends between them; pixels of a 1x1 window of stride 1 are read where they lie.
///
/// - Returns: false where the loops do not apply.
@inline(never)
func convolveOnVectors(_ call: Invocation) -> Bool {
  let parameters = call.parameters(ConvolutionParameters.self)
  let weights = call.tensor(Operands.weights)
  let geometry = WindowGeometry(
    parameters.window, input: call.tensor(Operands.input), output: call.tensor(Operands.output))
  let (channels, groupDepth) = (weights.extent(0), weights.extent(3))
  let depth = geometry.height &* geometry.width &* groupDepth
  let groups = geometry.channels / groupDepth
  let product = RowProduct(
    call, depth: depth, stage: parameters.stage, weightZeroPoint: parameters.weightZeroPoint)
  if !VectorProduct.suits(product, channels: channels / groups) { return false }
  let input: Elements<Int8> = call.elements(Operands.input)
  let output: MutableElements<Int8> = call.mutableElements(Operands.output)
  let units = call.units
  if geometry.isPointwise && groups == 1 {
    let first = units.lowerBound &* geometry.outputWidth
    VectorProduct(product, 0..<channels, pitch: depth, outputPitch: channels).run(
      input.dropping(first &* depth), rows: units.count &* geometry.outputWidth, output.dropping(first &* channels))
    return true
  }
  let scratch: MutableElements<Int8> = call.mutableElements(Operands.scratch)
  let pitch = (depth &+ 3) & ~3
  let groupChannels = channels / groups
  let fill = Int8(truncatingIfNeeded: parameters.inputZeroPoint)
  // Groups go over a row of the output one after the other: rows are made in ascending order.
  let rowsAtOnce = groups == 1 ? units.count : 1
  var unit = units.lowerBound
  while unit < units.upperBound {
    for group in 0..<groups {
      let range = group &* groupChannels..<(group &+ 1) &* groupChannels
      let product = VectorProduct(product, range, pitch: pitch, outputPitch: channels)
      var walk = WindowWalk(geometry, input, unit: unit, channel: group &* groupDepth, groupDepth)
      var target = output.dropping(unit &* geometry.outputWidth &* channels &+ range.lowerBound)
      var left = rowsAtOnce &* geometry.outputWidth
      while left > 0 {
        let count = min(left, 2)
        walk.gather(fill, into: scratch)
        if count == 2 { walk.gather(fill, into: scratch.dropping(pitch)) }
        product.run(scratch.readOnly, rows: count, target)
        target = target.skipping(count &* channels)
        left = left &- count
      }
    }
    unit = unit &+ rowsAtOnce
  }
  return true
}

/// The windows of one output pixel after the other, or some of their channels.
private struct WindowWalk {
  private let geometry: WindowGeometry
  private let input: Elements<Int8>
  private let firstChannel: Int
  private let depth: Int
  /// Inside the image, rows of taps are runs of this many elements, which follow each other at this distance.
  private let run: Int
  private let pitch: Int
  /// From one window to the next.
  private let step: Int
  private let isDense: Bool
  private var image: Int
  private var y: Int
  private var x = 0
  /// Where the next window begins, if it is inside the image: so are those of the next few outputs from
  /// `firstInside` on.
  private var corner: Elements<Int8>
  private var firstInside = 0
  private var countInside = 0

  init(_ geometry: WindowGeometry, _ input: Elements<Int8>, unit: Int, channel: Int, _ depth: Int) {
    self.geometry = geometry
    self.input = input
    firstChannel = channel
    self.depth = depth
    run = geometry.width &* depth
    pitch = geometry.dilationHeight &* geometry.inputWidth &* geometry.channels
    step = geometry.strideWidth &* geometry.channels
    isDense = geometry.dilationWidth == 1 && depth == geometry.channels
    image = unit / geometry.outputHeight
    y = unit % geometry.outputHeight
    corner = input
    startRow()
  }

  /// Copies a window and goes on to the next.
  @inline(never)
  mutating func gather(_ fill: Int8, into patch: MutableElements<Int8>) {
    if UInt(bitPattern: x &- firstInside) < UInt(bitPattern: countInside) {
      var (source, target, left) = (corner, patch, geometry.height)
      while left > 0 {
        target.copy(source, run)
        (source, target, left) = (source.skipping(pitch), target.skipping(run), left &- 1)
      }
    } else if isDense {
      gatherClipped(fill, into: patch)
    } else {
      geometry.gather(
        input.dropping(image &* geometry.imageElements), y: y, x: x, firstChannel, depth, fill: fill, into: patch)
    }
    x = x &+ 1
    corner = corner.skipping(step)
    if x == geometry.outputWidth { endRow() }
  }

  /// The same of a window that lies over a border: rows of taps are a run between columns of padding. Mutating, so
  /// that it is called on no copy.
  @inline(never)
  private mutating func gatherClipped(_ fill: Int8, into patch: MutableElements<Int8>) {
    let left = geometry.inputColumn(x, 0)
    let before = min(max(0 &- left, 0), geometry.width)
    let inside = max(min(geometry.inputWidth &- left, geometry.width) &- before, 0) &* depth
    let first = before &* depth
    var row = geometry.inputRow(y, 0)
    var (source, target, rows) = (corner.skipping(first), patch, geometry.height)
    while rows > 0 {
      if row >= 0 && row < geometry.inputHeight {
        target.fill(fill, first)
        target.skipping(first).copy(source, inside)
        target.skipping(first &+ inside).fill(fill, run &- first &- inside)
      } else {
        target.fill(fill, run)
      }
      (source, target, rows) = (source.skipping(pitch), target.skipping(run), rows &- 1)
      row = row &+ geometry.dilationHeight
    }
  }

  @inline(never)
  private mutating func endRow() {
    (x, y) = (0, y &+ 1)
    if y == geometry.outputHeight { (y, image) = (0, image &+ 1) }
    startRow()
  }

  /// Finds out which windows of a row of outputs are runs inside the image.
  private mutating func startRow() {
    let (top, left) = (geometry.inputRow(y, 0), geometry.inputColumn(0, 0))
    let bottom = geometry.inputRow(y, geometry.height &- 1)
    firstInside = (geometry.padLeft &+ geometry.strideWidth &- 1) / geometry.strideWidth
    let room = geometry.inputWidth &- geometry.width &+ geometry.padLeft
    let isInside = isDense && top >= 0 && bottom < geometry.inputHeight && room >= 0
    countInside = isInside ? max(room / geometry.strideWidth &+ 1 &- firstInside, 0) : 0
    corner = input.skipping(
      image &* geometry.imageElements &+ (top &* geometry.inputWidth &+ left) &* geometry.channels)
  }
}
#endif
