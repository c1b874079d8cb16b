#if ABACUS_DSP || ABACUS_SCALAR
import AbacusFormat
import CAbacus

/// One of the two directions of an image that a window slides over.
struct LineAxis {
  /// Input element under the first tap of the first output; negative in padding.
  let start: Int
  let inputCount: Int
  let outputCount: Int
  let stride: Int
  /// From one element to the next.
  let inputStep: Int
  let outputStep: Int
  let weightStep: Int
}

/// Which elements of a line in scratch lie in the image. All others are padding.
struct LineSpan {
  /// Words for two elements.
  let pairs: Int
  /// Elements of padding before the image.
  let first: Int
  let count: Int
  /// Where the first of them is in the image's line.
  let offset: Int
  let step: Int

  init(_ axis: LineAxis) {
    pairs = DepthwiseLines.pairs(outputs: axis.outputCount, stride: axis.stride)
    let start = max(axis.start, 0)
    first = min(start &- axis.start, 2 &* pairs)
    count = max(min(axis.inputCount &- start, 2 &* pairs &- first), 0)
    step = axis.inputStep
    offset = count == 0 ? 0 : start &* step
  }
}

/// Depthwise convolution of 3 x 3 taps along lines (``DepthwiseLines``).
struct DepthwiseLineKernel {
  private let geometry: WindowGeometry
  private let channelCount: Int
  private let fill: Int8
  private let input: Elements<Int8>
  private let output: MutableElements<Int8>
  private let weights: Elements<Int8>
  private let channels: Elements<Int32>
  private let scratch: MutableElements<LineBuffer.Word>
  private let epilogue: LineEpilogue

  /// - Precondition: a window, channels and a requantisation that the loops are for.
  init(_ call: Invocation) {
    let parameters = call.parameters(ConvolutionParameters.self)
    geometry = WindowGeometry(
      parameters.window, input: call.tensor(Operands.input), output: call.tensor(Operands.output))
    channelCount = geometry.channels
    fill = Int8(truncatingIfNeeded: parameters.inputZeroPoint)
    input = call.elements(Operands.input)
    output = call.mutableElements(Operands.output)
    weights = call.elements(Operands.weights)
    channels = call.elements(Operands.channels)
    scratch = call.mutableElements(Operands.scratch)
    epilogue = LineEpilogue(parameters.stage)
  }

  /// Output rows, of one image after the other. Lines run along the longer side.
  func run(_ units: Range<Int>) {
    var unit = units.lowerBound
    while unit < units.upperBound {
      let y = unit % geometry.outputHeight
      let count = min(geometry.outputHeight &- y, units.upperBound &- unit)
      let image = input.dropping(unit / geometry.outputHeight &* geometry.imageElements)
      let target = output.dropping(unit &* geometry.outputWidth &* channelCount)
      let (down, across) = (vertical(y, count), horizontal)
      if count > geometry.outputWidth {
        run(image, target, along: down, over: across)
      } else {
        run(image, target, along: across, over: down)
      }
      unit = unit &+ count
    }
  }

  private func vertical(_ y: Int, _ count: Int) -> LineAxis {
    LineAxis(
      start: geometry.inputRow(y, 0), inputCount: geometry.inputHeight, outputCount: count,
      stride: geometry.strideHeight, inputStep: geometry.inputWidth &* channelCount,
      outputStep: geometry.outputWidth &* channelCount, weightStep: 3 &* channelCount)
  }

  private var horizontal: LineAxis {
    LineAxis(
      start: geometry.inputColumn(0, 0), inputCount: geometry.inputWidth, outputCount: geometry.outputWidth,
      stride: geometry.strideWidth, inputStep: channelCount, outputStep: channelCount, weightStep: channelCount)
  }

  /// All channels of a rectangle of outputs. Input line n lies in place n mod 3 of the buffer, counted
  /// from the first, so that each is gathered once.
  @inline(never)
  private func run(
    _ image: Elements<Int8>, _ target: MutableElements<Int8>, along: LineAxis, over: LineAxis
  ) {
    let lines = LineBuffer(scratch, LineSpan(along), fill)
    for place in 0..<3 { lines.pad(place) }
    var product = LineProduct(lines, along, epilogue, channels, target)
    var channel = 0
    while channel < channelCount {
      lines.setWeights(weights.dropping(channel), tap: along.weightStep, line: over.weightStep)
      product.constants = channels.dropping(2 &* channel)
      var (gathered, place) = (over.start, 0)
      var (top, topPlace) = (over.start, 0)
      for line in 0..<over.outputCount {
        while gathered < top &+ 3 {
          if gathered >= 0 && gathered < over.inputCount {
            lines.gather(image.dropping(gathered &* over.inputStep &+ channel), place)
          } else {
            lines.pad(place)
          }
          gathered = gathered &+ 1
          place = place == 2 ? 0 : place &+ 1
        }
        product.output = target.dropping(line &* over.outputStep &+ channel)
        product.run(lines.weights(top: topPlace))
        top = top &+ over.stride
        topPlace = topPlace &+ over.stride
        if topPlace >= 3 { topPlace = topPlace &- 3 }
      }
      channel = channel &+ LineBuffer.channels
    }
  }
}
#endif
