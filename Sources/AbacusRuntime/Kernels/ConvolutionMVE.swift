#if ABACUS_MVE
import AbacusFormat
import CAbacus

/// Convolution of the units at hand on vectors. Two windows at a time are gathered into scratch, also where
/// one row of the output ends between them; pixels of a 1x1 window of stride 1 are read where they lie.
@inline(never)
func convolveVectors(
  _ call: Invocation, _ product: RowProduct, _ geometry: WindowGeometry, fill: Int8, groups: Int
) {
  let input: Elements<Int8> = call.elements(Operands.input)
  let output: MutableElements<Int8> = call.mutableElements(Operands.output)
  let depth = product.weights.depth
  let channels = call.tensor(Operands.output).extent(3)
  let first = call.units.lowerBound &* geometry.outputWidth
  let end = call.units.upperBound &* geometry.outputWidth
  if geometry.isPointwise && groups == 1 {
    VectorProduct(product, 0..<channels, pitch: depth, outputPitch: channels)
      .run(input.dropping(first &* depth), rows: end &- first, output.dropping(first &* channels))
    return
  }
  let scratch: MutableElements<Int8> = call.mutableElements(Operands.scratch)
  let pitch = (depth &+ 3) & ~3
  let (groupDepth, groupChannels) = (geometry.channels / groups, channels / groups)
  for group in 0..<groups {
    let range = group &* groupChannels..<(group &+ 1) &* groupChannels
    let product = VectorProduct(product, range, pitch: pitch, outputPitch: channels)
    var walk = WindowWalk(geometry, input, unit: call.units.lowerBound, channel: group &* groupDepth, groupDepth)
    var (target, left) = (output.dropping(first &* channels &+ range.lowerBound), end &- first)
    while left > 0 {
      let count = min(left, 2)
      walk.gather(fill, into: scratch)
      if count == 2 { walk.gather(fill, into: scratch.dropping(pitch)) }
      product.run(scratch.readOnly, rows: count, target)
      target = target.skipping(count &* channels)
      left = left &- count
    }
  }
}

/// The windows of one output pixel after the other, or of some of their channels.
private struct WindowWalk {
  private let geometry: WindowGeometry
  private let input: Elements<Int8>
  private let firstChannel: Int
  private let depth: Int
  /// Rows of taps are runs of this many elements, which follow each other at this distance, where the window is
  /// inside the image.
  private let run: Int
  private let pitch: Int
  private let isDense: Bool
  /// The greatest row and column where a window can begin that is inside.
  private let lastTop: Int
  private let lastLeft: Int
  private var image: Int
  private var y: Int
  private var x = 0
  private var top: Int
  private var left: Int

  init(_ geometry: WindowGeometry, _ input: Elements<Int8>, unit: Int, channel: Int, _ depth: Int) {
    self.geometry = geometry
    self.input = input
    firstChannel = channel
    self.depth = depth
    run = geometry.width &* depth
    pitch = geometry.dilationHeight &* geometry.inputWidth &* geometry.channels
    isDense = geometry.dilationWidth == 1 && depth == geometry.channels
    lastTop = geometry.inputHeight &- 1 &- (geometry.height &- 1) &* geometry.dilationHeight
    lastLeft = geometry.inputWidth &- geometry.width
    image = unit / geometry.outputHeight
    y = unit % geometry.outputHeight
    top = geometry.inputRow(y, 0)
    left = geometry.inputColumn(0, 0)
  }

  /// Copies a window and goes on to the next.
  @inline(never)
  mutating func gather(_ fill: Int8, into patch: MutableElements<Int8>) {
    let start = image &* geometry.imageElements
    if isDense && left >= 0 && left <= lastLeft && top >= 0 && top <= lastTop {
      var source = input.dropping(start &+ (top &* geometry.inputWidth &+ left) &* depth)
      var target = patch
      for _ in 0..<geometry.height {
        target.copy(source, run)
        (source, target) = (source.skipping(pitch), target.skipping(run))
      }
    } else {
      geometry.gather(input.dropping(start), y: y, x: x, firstChannel, depth, fill: fill, into: patch)
    }
    x = x &+ 1
    left = left &+ geometry.strideWidth
    if x == geometry.outputWidth { endRow() }
  }

  @inline(never)
  private mutating func endRow() {
    (x, y) = (0, y &+ 1)
    if y == geometry.outputHeight { (y, image) = (0, image &+ 1) }
    top = geometry.inputRow(y, 0)
    left = geometry.inputColumn(0, 0)
  }
}
#endif
