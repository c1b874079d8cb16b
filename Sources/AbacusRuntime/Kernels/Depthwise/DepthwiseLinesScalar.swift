#if ABACUS_SCALAR && !ABACUS_LONG
import AbacusFormat
import CAbacus

// One channel, weights and elements widened to 32 bits, so that every core loads them with an offset.

extension LineBuffer {
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

extension LineProduct {
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
