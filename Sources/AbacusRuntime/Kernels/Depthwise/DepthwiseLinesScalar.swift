#if ABACUS_SCALAR && !ABACUS_LONG
import AbacusFormat
import CAbacus

// One channel, weights and elements widened to 32 bits, so that every core loads them with an offset.

/// Three lines of one channel: [element][line].
struct LineBuffer {
  typealias Word = Int32
  static let channels = 1
  private let weightWords: MutableElements<Int32>
  private let valueWords: MutableElements<Int32>
  private let span: LineSpan
  private let fill: Int8

  init(_ scratch: MutableElements<Int32>, _ span: LineSpan, _ fill: Int8) {
    weightWords = scratch
    valueWords = scratch.dropping(DepthwiseLines.weightWords)
    self.span = span
    self.fill = fill
  }

  var values: Elements<Int32> { valueWords.readOnly }

  /// The three taps of lines 0, 1, 2, 0, 1: from any of them on, three lines in the order in which the
  /// buffer holds them.
  @inline(never)
  func setWeights(_ weights: Elements<Int8>, tap: Int, line: Int) {
    for n in 0..<3 {
      let taps = weights.dropping(n &* line)
      for k in 0..<3 {
        let weight = Int32(taps[k &* tap])
        weightWords[3 &* n &+ k] = weight
        if n < 2 { weightWords[3 &* n &+ k &+ 9] = weight }
      }
    }
  }

  /// - Parameter top: the place of the line under the first taps.
  @inline(__always)
  func weights(top: Int) -> Elements<Int32> {
    weightWords.readOnly.dropping(top == 0 ? 0 : 9 &- 3 &* top)
  }

  /// The elements of a line that lie in the image, into a line of padding or of another line's.
  @inline(never)
  func gather(_ line: Elements<Int8>, _ place: Int) {
    let target = valueWords.dropping(3 &* span.first &+ place)
    for i in 0..<span.count { target[3 &* i] = Int32(line[span.offset &+ i &* span.step]) }
  }

  /// A line of padding.
  @inline(never)
  func pad(_ place: Int) {
    for i in 0..<2 &* span.pairs { valueWords[3 &* i &+ place] = Int32(fill) }
  }
}

typealias LineEpilogue = ByteStage

/// One line of outputs of one channel.
struct LineProduct {
  private let values: Elements<Int32>
  private let count: Int
  private let stride: Int
  /// From one output to the next.
  private let step: Int
  private let epilogue: LineEpilogue
  /// Bias and multiplier of the channel.
  var constants: Elements<Int32>
  var output: MutableElements<Int8>

  init(
    _ lines: LineBuffer, _ axis: LineAxis, _ epilogue: LineEpilogue, _ constants: Elements<Int32>,
    _ output: MutableElements<Int8>
  ) {
    values = lines.values
    count = axis.outputCount
    stride = axis.stride
    step = axis.outputStep
    self.epilogue = epilogue
    self.constants = constants
    self.output = output
  }

  /// Not inlined, so that the loop finds registers.
  @inline(never)
  func run(_ w: Elements<Int32>) {
    let (bias, multiplier) = (constants[0], constants[1])
    var x = values
    let end = x.dropping(3 &* stride &* count)
    var y = 0
    while x.isBefore(end) {
      var sum = bias
      for k in 0..<3 {
        for line in 0..<3 { sum = sum &+ x[3 &* k &+ line] &* w[3 &* line &+ k] }
      }
      output[y] = epilogue.apply(sum, multiplier)
      (x, y) = (x.dropping(3 &* stride), y &+ step)
    }
  }
}
#endif
