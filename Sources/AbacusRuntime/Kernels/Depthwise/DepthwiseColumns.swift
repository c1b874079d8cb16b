#if ABACUS_MVE
import AbacusFormat
import CAbacus

/// Depthwise convolution of 3 x 3 taps on vectors, four channels at a time.
///
/// Of each column of the three rows under a row of windows, scratch gets one word a channel: an element of each
/// row. So the three columns of a window are twelve bytes in a row, which meet their weights in one
/// instruction; padding is part of the columns. Long rows are cut into segments, for which scratch is enough.
struct DepthwiseColumns {
  private let geometry: WindowGeometry
  private let stage: OutputStage
  private let channelCount: Int
  private let input: Elements<Int8>
  private let weights: Elements<Int8>
  /// Bias and multiplier of each channel.
  private let channels: Elements<Int32>
  private let output: MutableElements<Int8>
  /// Lines of words, one a channel, and an element of padding for each channel.
  private let lines: MutableElements<Int8>
  /// Bytes of a line.
  private let pitch: Int
  private let padding: MutableElements<Int8>
  /// Outputs for which a line has room.
  private let segment: Int

  /// The loops apply.
  @inline(__always)
  static func suits(_ call: Invocation) -> Bool {
    let parameters = call.parameters(ConvolutionParameters.self)
    let (input, output) = (call.tensor(Operands.input), call.tensor(Operands.output))
    return call.has(Operands.scratch) && !call.has(Operands.shifts) && parameters.weightZeroPoint == 0
      && parameters.stage.shift > 32 && input.dims[3] == output.dims[3] && output.dims[3] & 3 == 0
      && DepthwiseLines.suits(parameters.window, outputHeight: output.dims[1], outputWidth: output.dims[2])
  }

  /// - Precondition: ``suits(_:)``.
  @inline(__always)
  init(_ call: Invocation) {
    let parameters = call.parameters(ConvolutionParameters.self)
    geometry = WindowGeometry(
      parameters.window, input: call.tensor(Operands.input), output: call.tensor(Operands.output))
    stage = parameters.stage
    channelCount = geometry.channels
    input = call.elements(Operands.input)
    weights = call.elements(Operands.weights)
    channels = call.elements(Operands.channels)
    output = call.mutableElements(Operands.output)
    lines = call.mutableElements(Operands.scratch)
    let words = call.storedCount(Operands.scratch, Int32.self)
    let columns = (words &- 1) / 4
    pitch = 4 &* columns
    padding = lines.dropping(4 &* pitch)
    segment = (columns &- 4) / geometry.strideWidth &+ 1
    padding.fill(Int8(truncatingIfNeeded: parameters.inputZeroPoint), 4)
  }

  /// One row of output pixels.
  @inline(never)
  func row(_ unit: Int) {
    let image = input.dropping(unit / geometry.outputHeight &* geometry.imageElements)
    let top = geometry.inputRow(unit % geometry.outputHeight, 0)
    let target = output.dropping(unit &* geometry.outputWidth &* channelCount)
    let rows = (line(image, top), line(image, top &+ 1), line(image, top &+ 2))
    var channel = 0
    while channel < channelCount {
      block(
        rows.0.at(channel), rows.1.at(channel), rows.2.at(channel), weights.dropping(channel),
        channels.dropping(2 &* channel), target.dropping(channel))
      channel = channel &+ 4
    }
    if !stage.isFullRange {
      target.clamp(low: stage.low, high: stage.high, geometry.outputWidth &* channelCount)
    }
  }

  /// A row of the image, or padding.
  @inline(__always)
  private func line(_ image: Elements<Int8>, _ row: Int) -> Line {
    row >= 0 && row < geometry.inputHeight
      ? Line(elements: image.dropping(row &* geometry.inputWidth &* channelCount), step: channelCount)
      : Line(elements: padding.readOnly, step: 0)
  }

  /// Four channels of one row of output pixels.
  @inline(never)
  private func block(
    _ top: Line, _ middle: Line, _ bottom: Line, _ weights: Elements<Int8>, _ constants: Elements<Int32>,
    _ output: MutableElements<Int8>
  ) {
    let step = Int32(truncatingIfNeeded: pitch)
    let places = SIMD4(0, step, 2 &* step, 3 &* step)
    let row = 3 &* channelCount
    write(
      Line(elements: weights, step: channelCount), Line(elements: weights.dropping(row), step: channelCount),
      Line(elements: weights.dropping(2 &* row), step: channelCount), count: 3, to: lines, places)
    let lanes = abacus_byte_lanes(12)
    let line = lines.readOnly
    let w0 = line.bytes(lanes)
    let w1 = line.dropping(pitch).bytes(lanes)
    let w2 = line.dropping(2 &* pitch).bytes(lanes)
    let w3 = line.dropping(3 &* pitch).bytes(lanes)
    let (biases, multipliers) = constants.pairs
    let stride = geometry.strideWidth
    var (output, left) = (output, geometry.outputWidth)
    var column = 0 &- geometry.padLeft
    while left > 0 {
      let count = min(left, segment)
      let needed = (count &- 1) &* stride &+ 3
      let before = min(max(0 &- column, 0), needed)
      let inside = max(min(geometry.inputWidth &- column, needed) &- before, 0)
      pad(lines, before, places)
      let first = column &+ before
      write(
        top.at(first &* top.step), middle.at(first &* middle.step), bottom.at(first &* bottom.step), count: inside,
        to: lines.dropping(4 &* before), places)
      pad(lines.dropping(4 &* (before &+ inside)), needed &- before &- inside, places)
      var (x0, x1) = (line, line.dropping(pitch))
      var (x2, x3) = (line.dropping(2 &* pitch), line.dropping(3 &* pitch))
      for _ in 0..<count {
        let sums = SIMD4(
          abacus_sum_products(x0.bytes, w0), abacus_sum_products(x1.bytes, w1), abacus_sum_products(x2.bytes, w2),
          abacus_sum_products(x3.bytes, w3))
        output.store(stage.saturateHigh(sums &+ biases, multipliers: multipliers))
        output = output.skipping(channelCount)
        let step = 4 &* stride
        (x0, x1, x2, x3) = (x0.skipping(step), x1.skipping(step), x2.skipping(step), x3.skipping(step))
      }
      column = column &+ count &* stride
      left = left &- count
    }
  }

  /// Columns of three lines, four channels each, become words of the lines in scratch.
  @inline(__always)
  private func write(
    _ top: Line, _ middle: Line, _ bottom: Line, count: Int, to target: MutableElements<Int8>,
    _ places: SIMD4<Int32>
  ) {
    var (a, b, c) = (top.elements, middle.elements, bottom.elements)
    var target = target
    for _ in 0..<count {
      target.storeWhole(abacus_join_bytes(a.unsignedWords, b.unsignedWords, c.unsignedWords), at: places)
      (a, b, c) = (a.skipping(top.step), b.skipping(middle.step), c.skipping(bottom.step))
      target = target.skipping(4)
    }
  }

  /// Columns of padding.
  @inline(__always)
  private func pad(_ target: MutableElements<Int8>, _ count: Int, _ places: SIMD4<Int32>) {
    let element = padding.readOnly.unsignedWords
    let word = abacus_join_bytes(element, element, element)
    var target = target
    for _ in 0..<count {
      target.storeWhole(word, at: places)
      target = target.skipping(4)
    }
  }
}

/// Elements of a row of an image, and how far it is from one pixel to the next.
private struct Line {
  let elements: Elements<Int8>
  let step: Int

  @inline(__always)
  func at(_ offset: Int) -> Line { Line(elements: elements.skipping(step == 0 ? 0 : offset), step: step) }
}
#endif
