#if ABACUS_MVE
import AbacusFormat
import CAbacus

/// Depthwise convolution of 3 x 3 taps on vectors, four channels at a time.
///
/// Of each column of the rows under a row of windows, scratch gets one word a channel: an element of each row.
/// So the three columns of a window are twelve bytes that follow each other and meet their weights in one
/// instruction; padding is part of the columns. With stride 1 the fourth byte of a word belongs to the next
/// row of windows, which meet the same words with their weights one byte later. Long rows are cut into
/// segments, for which scratch has room.
struct DepthwiseColumns {
  private let geometry: WindowGeometry
  private let stage: OutputStage
  private let channelCount: Int
  private let input: Elements<Int8>
  private let weights: Elements<Int8>
  /// Bias and multiplier of each channel.
  private let channels: Elements<Int32>
  private let output: MutableElements<Int8>
  /// Lines of words, one a channel, and an element of padding for each channel behind them.
  private let lines: MutableElements<Int8>
  /// Bytes of a line.
  private let pitch: Int
  private let padding: MutableElements<Int8>
  /// Outputs for which a line has room.
  private let room: Int

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
    // A vector may reach into what follows its line.
    let columns = (words &- 1) / 4
    pitch = 4 &* columns
    padding = lines.dropping(4 &* pitch)
    room = (columns &- 3) / geometry.strideWidth &+ 1
    padding.fill(Int8(truncatingIfNeeded: parameters.inputZeroPoint), 4)
  }

  /// Rows of output pixels, two at a time where their windows have rows in common.
  @inline(never)
  func run(_ units: Range<Int>) {
    let rowElements = geometry.outputWidth &* channelCount
    var unit = units.lowerBound
    while unit < units.upperBound {
      let y = unit % geometry.outputHeight
      let isPair = geometry.strideHeight == 1 && unit &+ 1 < units.upperBound && y &+ 1 < geometry.outputHeight
      let image = input.dropping(unit / geometry.outputHeight &* geometry.imageElements)
      let top = geometry.inputRow(y, 0)
      let target = output.dropping(unit &* rowElements)
      let rows = LineRows(
        top: line(image, top), second: line(image, top &+ 1), third: line(image, top &+ 2),
        bottom: line(image, isPair ? top &+ 3 : -1), count: isPair ? 2 : 1)
      var first = 0
      while first < geometry.outputWidth {
        let count = min(geometry.outputWidth &- first, room)
        segment(rows, first, count, target.dropping(first &* channelCount))
        first = first &+ count
      }
      if !stage.isFullRange {
        target.clamp(low: stage.low, high: stage.high, rows.count &* rowElements)
      }
      unit = unit &+ rows.count
    }
  }

  /// A row of the image, or padding.
  @inline(__always)
  private func line(_ image: Elements<Int8>, _ row: Int) -> Line {
    row >= 0 && row < geometry.inputHeight
      ? Line(elements: image.dropping(row &* geometry.inputWidth &* channelCount), step: channelCount)
      : Line(elements: padding.readOnly, step: 0)
  }

  /// Outputs from `first` on of one or two rows, all channels.
  @inline(never)
  private func segment(_ rows: LineRows, _ first: Int, _ count: Int, _ output: MutableElements<Int8>) {
    let column = geometry.inputColumn(first, 0)
    let needed = (count &- 1) &* geometry.strideWidth &+ 3
    let before = min(max(0 &- column, 0), needed)
    let inside = max(min(geometry.inputWidth &- column, needed) &- before, 0)
    let after = needed &- before &- inside
    let source = rows.at(column: column &+ before)
    let step = Int32(truncatingIfNeeded: pitch)
    let places = SIMD4(0, step, 2 &* step, 3 &* step)
    var channel = 0
    while channel < channelCount {
      writeWeights(weights.dropping(channel), places)
      var w = weightVectors
      pad(lines, before, places)
      write(source, channel, inside, to: lines.dropping(4 &* before), places)
      pad(lines.dropping(4 &* (before &+ inside)), after, places)
      var (target, left) = (output.dropping(channel), rows.count)
      while left > 0 {
        multiply(w, channels.dropping(2 &* channel), count, target)
        w.shift()
        (target, left) = (target.skipping(geometry.outputWidth &* channelCount), left &- 1)
      }
      channel = channel &+ 4
    }
  }

  /// One row of windows.
  @inline(__always)
  private func multiply(
    _ w: WeightVectors, _ constants: Elements<Int32>, _ count: Int, _ output: MutableElements<Int8>
  ) {
    let (biases, multipliers) = constants.pairs
    var (x, output, left) = (lines.readOnly, output, count)
    while left > 0 {
      let sums = SIMD4(
        abacus_sum_products(x.bytes, w.first), abacus_sum_products(x.dropping(pitch).bytes, w.second),
        abacus_sum_products(x.dropping(2 &* pitch).bytes, w.third),
        abacus_sum_products(x.dropping(3 &* pitch).bytes, w.fourth))
      output.store(stage.saturateHigh(sums &+ biases, multipliers: multipliers))
      output = output.skipping(channelCount)
      (x, left) = (x.skipping(4 &* geometry.strideWidth), left &- 1)
    }
  }

  /// The weights of four channels become words of the lines, like columns.
  @inline(__always)
  private func writeWeights(_ weights: Elements<Int8>, _ places: SIMD4<Int32>) {
    var (w, target) = (weights, lines)
    for _ in 0..<3 {
      let second = w.dropping(3 &* channelCount)
      let third = w.dropping(6 &* channelCount)
      target.storeWhole(
        abacus_join_bytes(w.unsignedWords, second.unsignedWords, third.unsignedWords), at: places)
      (w, target) = (w.skipping(channelCount), target.skipping(4))
    }
  }

  @inline(__always)
  private var weightVectors: WeightVectors {
    let lanes = abacus_byte_lanes(12)
    let line = lines.readOnly
    return WeightVectors(
      first: line.bytes(lanes), second: line.dropping(pitch).bytes(lanes),
      third: line.dropping(2 &* pitch).bytes(lanes), fourth: line.dropping(3 &* pitch).bytes(lanes))
  }

  /// Columns of the image, four channels each, become words of the lines.
  @inline(__always)
  private func write(
    _ rows: LineRows, _ channel: Int, _ count: Int, to target: MutableElements<Int8>, _ places: SIMD4<Int32>
  ) {
    var (a, b) = (rows.top.at(channel), rows.second.at(channel))
    var (c, d) = (rows.third.at(channel), rows.bottom.at(channel))
    var (target, left) = (target, count)
    if rows.count == 1 {
      while left > 0 {
        target.storeWhole(
          abacus_join_bytes(a.elements.unsignedWords, b.elements.unsignedWords, c.elements.unsignedWords), at: places)
        (a, b, c) = (a.next, b.next, c.next)
        (target, left) = (target.skipping(4), left &- 1)
      }
    }
    while left > 0 {
      let words = abacus_join_bytes(a.elements.unsignedWords, b.elements.unsignedWords, c.elements.unsignedWords)
      target.storeWhole(abacus_set_top_bytes(words, d.elements.unsignedWords), at: places)
      (a, b, c, d) = (a.next, b.next, c.next, d.next)
      (target, left) = (target.skipping(4), left &- 1)
    }
  }

  /// Columns of padding.
  @inline(__always)
  private func pad(_ target: MutableElements<Int8>, _ count: Int, _ places: SIMD4<Int32>) {
    let word = padding.readOnly.word(0)
    var (target, left) = (target, count)
    while left > 0 {
      target.storeWhole(SIMD4(repeating: Int32(bitPattern: word)), at: places)
      (target, left) = (target.skipping(4), left &- 1)
    }
  }
}

/// Elements of a row of an image, and how far it is from one pixel to the next; nowhere in padding.
private struct Line {
  var elements: Elements<Int8>
  let step: Int

  /// The same from another element on.
  @inline(__always)
  func at(_ offset: Int) -> Line { Line(elements: elements.skipping(step == 0 ? 0 : offset), step: step) }

  @inline(__always)
  var next: Line { Line(elements: elements.skipping(step), step: step) }
}

/// The rows of an image under one or two rows of windows.
private struct LineRows {
  let top: Line
  let second: Line
  let third: Line
  /// Only the second row of windows has it.
  let bottom: Line
  let count: Int

  @inline(__always)
  func at(column: Int) -> LineRows {
    LineRows(
      top: top.at(column &* top.step), second: second.at(column &* second.step),
      third: third.at(column &* third.step), bottom: bottom.at(column &* bottom.step), count: count)
  }
}

/// The weights of four channels, three in each word.
private struct WeightVectors {
  var first: SIMD16<Int8>
  var second: SIMD16<Int8>
  var third: SIMD16<Int8>
  var fourth: SIMD16<Int8>

  /// Each word one byte later.
  @inline(__always)
  mutating func shift() {
    first = abacus_shift_bytes_up(first)
    second = abacus_shift_bytes_up(second)
    third = abacus_shift_bytes_up(third)
    fourth = abacus_shift_bytes_up(fourth)
  }
}
#endif
