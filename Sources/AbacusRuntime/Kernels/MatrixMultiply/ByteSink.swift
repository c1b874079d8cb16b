#if ABACUS_DSP
import AbacusFormat
import CAbacus

/// Sum to int8: high word, shift, saturation. Half a step and the zero point are one summand.
struct ByteEpilogue {
  private let summand: Int32
  private let shift: Int32

  init(_ stage: OutputStage) {
    shift = stage.shift &- 32
    summand = 1 &<< (stage.shift &- 33) &+ stage.zeroPoint &<< shift
  }

  /// SMMLA, ASR, SSAT.
  @inline(__always)
  func apply(_ sum: Int32, _ multiplier: Int32) -> Int8 {
    let high = sum.multipliedFullWidth(by: multiplier).high &+ summand
    return Int8(truncatingIfNeeded: abacus_saturate_byte(abacus_shift_right(high, shift)))
  }
}

/// Rows of outputs of 8 bits. Sums stay in registers from their bias to the byte that becomes of them.
struct ByteSink: PairSink {
  /// Bias and multiplier of each channel.
  private let channels: Elements<Int32>
  private let channelCount: Int
  private let epilogue: ByteEpilogue
  private let low: Int8
  private let high: Int8
  private let output: MutableElements<Int8>
  private var target: MutableElements<Int8>
  private(set) var rows = 3

  init(_ call: Invocation, _ stage: OutputStage, channelCount: Int) {
    channels = call.elements(Operands.channels)
    self.channelCount = channelCount
    epilogue = ByteEpilogue(stage)
    low = Int8(truncatingIfNeeded: stage.low)
    high = Int8(truncatingIfNeeded: stage.high)
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
      let next = w.dropping(2 &* product.quads)
      var sums = PairSums(k[0], k[2])
      sums.addThree(x, w, blocks: w.dropping(2 &* (product.quads & ~3)), end: next)
      let (first, second) = (k[1], k[3])
      let (b, c) = (a.dropping(toB), a.dropping(toC))
      c[0] = epilogue.apply(sums.c0, first)
      c[1] = epilogue.apply(sums.c1, second)
      b[0] = epilogue.apply(sums.b0, first)
      b[1] = epilogue.apply(sums.b1, second)
      a[0] = epilogue.apply(sums.a0, first)
      a[1] = epilogue.apply(sums.a1, second)
      (w, k, a) = (next, k.dropping(4), a.dropping(2))
    }
    clamp()
  }

  @inline(never)
  func one(_ product: PairedProduct, _ x: Elements<UInt32>) {
    var (w, k) = (product.weights, channels)
    var y = target
    let end = k.dropping(2 &* channelCount)
    while k.isBefore(end) {
      // Without a second pair the first stands in for it.
      let hasSecond = k.dropping(4).isBefore(end)
      let second = hasSecond ? w.dropping(2 &* product.quads) : w
      let l = hasSecond ? k.dropping(4) : k
      let z = hasSecond ? y.dropping(2) : y
      var sums = PairSums(k[0], k[2])
      (sums.b0, sums.b1) = (l[0], l[2])
      sums.addOne(x, w, second, quads: product.quads)
      y[0] = epilogue.apply(sums.a0, k[1])
      y[1] = epilogue.apply(sums.a1, k[3])
      z[0] = epilogue.apply(sums.b0, l[1])
      z[1] = epilogue.apply(sums.b1, l[3])
      (w, k, y) = (second.dropping(2 &* product.quads), l.dropping(4), z.dropping(2))
    }
    clamp()
  }

  /// The clamp of an activation, where saturation is not all of it: seldom, because outputs of ReLU have
  /// the zero point -128.
  @inline(__always)
  private func clamp() {
    if low == .min && high == .max { return }
    for i in 0..<rows &* channelCount { target[i] = min(max(target[i], low), high) }
  }
}
#endif
