#if ABACUS_SCALAR
import AbacusFormat
import CAbacus

// Lines of one channel at a time: what cores with and without long multiplication share. What a word holds and how
// outputs are summed is theirs (DepthwiseLinesScalar.swift, DepthwiseLinesLanes.swift).

/// Three lines of one channel: [element][line].
struct LineBuffer {
  typealias Word = Int32
  static let channels = 1
  let weightWords: MutableElements<Int32>
  let valueWords: MutableElements<Int32>
  let span: LineSpan
  let fill: Int8

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
}

typealias LineEpilogue = ByteStage

/// One line of outputs of one channel.
struct LineProduct {
  let values: Elements<Int32>
  let count: Int
  let stride: Int
  /// From one output to the next.
  let step: Int
  let epilogue: LineEpilogue
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
}
#endif
