#if ABACUS_DSP
import AbacusFormat
import CAbacus

// Two channels, elements widened to 16 bits, two of a line in a word: six loads and twelve products for two
// outputs of 3 x 3 taps.

/// Three lines of two channels: [channel][pair of elements][line].
struct LineBuffer {
  typealias Word = UInt32
  static let channels = 2
  private let weightWords: MutableElements<UInt32>
  private let valueWords: MutableElements<UInt32>
  private let span: LineSpan
  private let fill: Int8

  init(_ scratch: MutableElements<UInt32>, _ span: LineSpan, _ fill: Int8) {
    weightWords = scratch
    valueWords = scratch.dropping(DepthwiseLines.weightWords)
    self.span = span
    self.fill = fill
  }

  /// Words of one channel.
  var plane: Int { 3 &* span.pairs }

  var values: Elements<UInt32> { valueWords.readOnly }

  /// Two words for the three taps of each line, the middle one in both, for lines 0, 1, 2, 0, 1: from any
  /// of them on, three lines in the order in which the buffer holds them.
  @inline(never)
  func setWeights(_ weights: Elements<Int8>, tap: Int, line: Int) {
    for lane in 0..<2 {
      let target = weightWords.dropping(10 &* lane)
      for n in 0..<3 {
        let taps = weights.dropping(n &* line &+ lane)
        let (first, last) = (halves(taps[0], taps[tap]), halves(taps[tap], taps[2 &* tap]))
        target[2 &* n] = first
        target[2 &* n &+ 1] = last
        if n == 2 { break }
        target[2 &* n &+ 6] = first
        target[2 &* n &+ 7] = last
      }
    }
  }

  @inline(__always)
  private func halves(_ bottom: Int8, _ top: Int8) -> UInt32 {
    UInt32(UInt16(bitPattern: Int16(bottom))) | UInt32(bitPattern: Int32(top)) &<< 16
  }

  /// Weights of the first channel; those of the second lie 10 words on.
  ///
  /// - Parameter top: the place of the line under the first taps.
  @inline(__always)
  func weights(top: Int) -> Elements<UInt32> {
    weightWords.readOnly.dropping(top == 0 ? 0 : 6 &- 2 &* top)
  }

  /// The elements of a line that lie in the image, into a line of padding or of another line's.
  @inline(never)
  func gather(_ line: Elements<Int8>, _ place: Int) {
    if span.count == 0 { return }
    let (plane, step) = (plane, span.step)
    var source = line.dropping(span.offset)
    var target = valueWords.dropping(span.first / 2 &* 3 &+ place)
    var left = span.count
    if span.first & 1 != 0 {
      putOne(source, target, plane, 16)
      target = target.dropping(3)
      left = left &- 1
      if left == 0 { return }
      source = source.dropping(step)
    }
    let end = target.dropping(left / 2 &* 3)
    while target.isBefore(end) {
      let word = UInt32(source.half(0)) | UInt32(source.half(step)) &<< 16
      target[0] = abacus_even_bytes(word)
      target[plane] = abacus_odd_bytes(word)
      (source, target) = (source.dropping(2 &* step), target.dropping(3))
    }
    if left & 1 != 0 { putOne(source, target, plane, 0) }
  }

  /// One element of both channels beside one of padding.
  @inline(__always)
  private func putOne(
    _ source: Elements<Int8>, _ target: MutableElements<UInt32>, _ plane: Int, _ bits: UInt32
  ) {
    let padding = UInt32(UInt16(bitPattern: Int16(fill))) &<< (16 &- bits)
    target[0] = UInt32(UInt16(bitPattern: Int16(source[0]))) &<< bits | padding
    target[plane] = UInt32(UInt16(bitPattern: Int16(source[1]))) &<< bits | padding
  }

  /// A line of padding.
  @inline(never)
  func pad(_ place: Int) {
    let word = halves(fill, fill)
    for pair in 0..<2 &* span.pairs { valueWords[3 &* pair &+ place] = word }
  }
}

/// Sum to int8: high word, shift, saturation. Half a step and the zero point are one summand.
struct LineEpilogue {
  private let summand: Int32
  private let shift: Int32

  static func suits(_ stage: OutputStage) -> Bool {
    stage.shift > 32 && stage.shift <= 52 && stage.low == -128 && stage.high == 127
  }

  init(_ stage: OutputStage) {
    shift = stage.shift &- 32
    summand = 1 &<< (stage.shift &- 33) &+ stage.zeroPoint &<< shift
  }

  @inline(__always)
  func apply(_ sum: Int32, _ multiplier: Int32) -> Int8 {
    let high = sum.multipliedFullWidth(by: multiplier).high &+ summand
    return Int8(truncatingIfNeeded: abacus_saturate_byte(high &>> shift))
  }
}

/// One line of outputs of two channels. Weights and constants are read anew for each output: there are not
/// enough registers for them.
struct LineProduct {
  private let values: Elements<UInt32>
  private let plane: Int
  private let count: Int
  private let stride: Int
  /// From one output to the next.
  private let step: Int
  private let epilogue: LineEpilogue
  /// Bias and multiplier of each channel.
  var constants: Elements<Int32>
  var output: MutableElements<Int8>

  init(
    _ lines: LineBuffer, _ axis: LineAxis, _ epilogue: LineEpilogue, _ constants: Elements<Int32>,
    _ output: MutableElements<Int8>
  ) {
    values = lines.values
    plane = lines.plane
    count = axis.outputCount
    stride = axis.stride
    step = axis.outputStep
    self.epilogue = epilogue
    self.constants = constants
    self.output = output
  }

  @inline(__always)
  func run(_ weights: Elements<UInt32>) {
    if stride == 2 { return singles(weights, 0, count) }
    if count > 1 { pairs(weights, count / 2) }
    if count & 1 != 0 { singles(weights, count &- 1, 1) }
  }

  /// Two outputs at a time, which share three elements of four.
  @inline(never)
  private func pairs(_ weights: Elements<UInt32>, _ count: Int) {
    for lane in 0..<2 {
      let w = weights.dropping(10 &* lane)
      let k = constants.dropping(2 &* lane)
      var x = values.dropping(lane &* plane)
      let end = x.dropping(3 &* count)
      var y = output.dropping(lane)
      while x.isBefore(end) {
        let bias = k[0]
        var (first, second) = (bias, bias)
        add(x[0], x[3], w[0], w[1], &first, &second)
        add(x[1], x[4], w[2], w[3], &first, &second)
        add(x[2], x[5], w[4], w[5], &first, &second)
        let multiplier = k[1]
        let (a, b) = (epilogue.apply(first, multiplier), epilogue.apply(second, multiplier))
        y[0] = a
        y[step] = b
        (x, y) = (x.dropping(3), y.dropping(2 &* step))
      }
    }
  }

  /// One output at a time, each with the first tap in the bottom half of a word.
  @inline(never)
  private func singles(_ weights: Elements<UInt32>, _ start: Int, _ count: Int) {
    for lane in 0..<2 {
      let w = weights.dropping(10 &* lane)
      let k = constants.dropping(2 &* lane)
      var x = values.dropping(lane &* plane &+ start / 2 &* 3)
      let end = x.dropping(3 &* count)
      var y = output.dropping(start &* step &+ lane)
      while x.isBefore(end) {
        var sum = k[0]
        add(x[0], x[3], w[0], w[1], &sum)
        add(x[1], x[4], w[2], w[3], &sum)
        add(x[2], x[5], w[4], w[5], &sum)
        y[0] = epilogue.apply(sum, k[1])
        (x, y) = (x.dropping(3), y.dropping(step))
      }
    }
  }

  /// Three taps of a line: the first two, and the last two.
  @inline(__always)
  private func add(_ x01: UInt32, _ x23: UInt32, _ first: UInt32, _ last: UInt32, _ sum: inout Int32) {
    sum = abacus_multiply_add_pairs(x01, first, sum)
    sum = abacus_multiply_add_bottom_top(x23, last, sum)
  }

  /// The same, and for the next output.
  @inline(__always)
  private func add(
    _ x01: UInt32, _ x23: UInt32, _ first: UInt32, _ last: UInt32, _ sum: inout Int32, _ next: inout Int32
  ) {
    add(x01, x23, first, last, &sum)
    next = abacus_multiply_add_top_bottom(x01, first, next)
    next = abacus_multiply_add_pairs(x23, last, next)
  }
}
#endif
