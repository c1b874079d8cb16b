#if ABACUS_DSP
import AbacusFormat
import CAbacus

/// Rows of outputs of 8 bits. Sums stay in registers from their bias to the byte that becomes of them.
struct ByteSink: PairSink {
  /// Bias and multiplier of each channel.
  private let channels: Elements<Int32>
  private let channelCount: Int
  private let stage: ByteStage
  private let output: MutableElements<Int8>
  private var target: MutableElements<Int8>
  private(set) var rows = 3

  init(_ call: Invocation, _ stage: OutputStage, channelCount: Int) {
    channels = call.elements(Operands.channels)
    self.channelCount = channelCount
    self.stage = ByteStage(stage)
    output = call.mutableElements(Operands.output)
    target = output
  }

  @inline(__always)
  mutating func move(to row: Int, rows: Int) {
    self.rows = rows
    target = output.dropping(row &* channelCount)
  }

  /// Rows that are not wanted go where a wanted one comes after them.
  @inline(never)
  func three(_ product: PairedProduct, _ x: Elements<UInt32>) {
    var (w, k) = (product.weights, channels)
    var a = target
    let toB = rows < 2 ? 0 : channelCount
    let toC = rows < 3 ? toB : 2 &* channelCount
    let end = k.dropping(2 &* channelCount)
    while k.isBefore(end) {
      var sums = PairSums(k[0], k[2])
      sums.addThree(x, &w, product.depth)
      let (first, second) = (k[1], k[3])
      let (b, c) = (a.dropping(toB), a.dropping(toC))
      c[0] = stage.apply(sums.c0, first)
      c[1] = stage.apply(sums.c1, second)
      b[0] = stage.apply(sums.b0, first)
      b[1] = stage.apply(sums.b1, second)
      a[0] = stage.apply(sums.a0, first)
      a[1] = stage.apply(sums.a1, second)
      (k, a) = (k.dropping(4), a.dropping(2))
    }
    stage.clamp(target, rows &* channelCount, step: 1)
  }

  @inline(never)
  func one(_ product: PairedProduct, _ x: Elements<UInt32>) {
    var (w, k) = (product.weights, channels)
    var a = target
    let end = k.dropping(2 &* channelCount)
    while k.isBefore(end) {
      var sums = PairSums(k[0], k[2])
      sums.addOne(x, &w, product.depth)
      a[0] = stage.apply(sums.a0, k[1])
      a[1] = stage.apply(sums.a1, k[3])
      (k, a) = (k.dropping(4), a.dropping(2))
    }
    stage.clamp(target, rows &* channelCount, step: 1)
  }
}
#endif
