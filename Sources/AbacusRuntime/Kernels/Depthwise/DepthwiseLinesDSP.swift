#if ABACUS_DSP
import AbacusFormat
import CAbacus

// Two channels, elements widened to 16 bits, two of a line in a word: two loads (LDM) and twelve products for two
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

typealias LineEpilogue = ByteStage

/// One line of outputs of two channels. Constants are read anew for each output: there are not
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
    for lane in 0..<2 {
      let (w, k) = (weights.dropping(10 &* lane), constants.dropping(2 &* lane))
      let (x, y) = (values.dropping(lane &* plane), output.dropping(lane))
      let paired = stride == 2 ? 0 : count & ~1
      if paired > 0 { pairs(x, w, k, y, paired) }
      if paired < count { singles(x.dropping(paired / 2 &* 3), w, k, y.dropping(paired &* step), count &- paired) }
      epilogue.clamp(y, count, step: step)
    }
  }

  /// Two outputs at a time, which share three elements of four.
  @inline(never)
  private func pairs(
    _ values: Elements<UInt32>, _ weights: Elements<UInt32>, _ k: Elements<Int32>, _ output: MutableElements<Int8>, _ count: Int
  ) {
    let w = LineWeights(weights)
    let (bias, multiplier) = (k[0], k[1])
    var (x, y) = (values, output)
    let end = x.dropping(count / 2 &* 3)
    while x.isBefore(end) {
      let x01 = x.takeThree()
      var first = abacus_multiply_add_pairs(x01.a, w.first.a, bias)
      var second = abacus_multiply_add_top_bottom(x01.a, w.first.a, bias)
      first = abacus_multiply_add_pairs(x01.b, w.first.b, first)
      second = abacus_multiply_add_top_bottom(x01.b, w.first.b, second)
      first = abacus_multiply_add_pairs(x01.c, w.first.c, first)
      second = abacus_multiply_add_top_bottom(x01.c, w.first.c, second)
      let x23 = x.peekThree()
      first = abacus_multiply_add_bottom_top(x23.a, w.last.a, first)
      second = abacus_multiply_add_pairs(x23.a, w.last.a, second)
      first = abacus_multiply_add_bottom_top(x23.b, w.last.b, first)
      second = abacus_multiply_add_pairs(x23.b, w.last.b, second)
      first = abacus_multiply_add_bottom_top(x23.c, w.last.c, first)
      second = abacus_multiply_add_pairs(x23.c, w.last.c, second)
      y[0] = epilogue.apply(first, multiplier)
      y[step] = epilogue.apply(second, multiplier)
      y = y.dropping(2 &* step)
    }
  }

  /// One output at a time, each with the first tap in the bottom half of a word.
  @inline(never)
  private func singles(
    _ values: Elements<UInt32>, _ weights: Elements<UInt32>, _ k: Elements<Int32>, _ output: MutableElements<Int8>, _ count: Int
  ) {
    let w = LineWeights(weights)
    let (bias, multiplier) = (k[0], k[1])
    var (x, y) = (values, output)
    let end = x.dropping(3 &* count)
    while x.isBefore(end) {
      let x01 = x.takeThree()
      var sum = abacus_multiply_add_pairs(x01.a, w.first.a, bias)
      sum = abacus_multiply_add_pairs(x01.b, w.first.b, sum)
      sum = abacus_multiply_add_pairs(x01.c, w.first.c, sum)
      let x23 = x.peekThree()
      sum = abacus_multiply_add_bottom_top(x23.a, w.last.a, sum)
      sum = abacus_multiply_add_bottom_top(x23.b, w.last.b, sum)
      sum = abacus_multiply_add_bottom_top(x23.c, w.last.c, sum)
      y[0] = epilogue.apply(sum, multiplier)
      y = y.dropping(step)
    }
  }
}

/// The taps of three lines, in the order in which the buffer holds them.
private struct LineWeights {
  /// The first two of each line.
  let first: abacus_three_words
  /// The last two.
  let last: abacus_three_words

  @inline(__always)
  init(_ words: Elements<UInt32>) {
    first = abacus_three_words(a: words[0], b: words[2], c: words[4])
    last = abacus_three_words(a: words[1], b: words[3], c: words[5])
  }
}
#endif
