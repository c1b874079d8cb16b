#if ABACUS_MVE
import AbacusFormat
import CAbacus

/// Rows of int8 activations times some channels of a constant matrix, on vectors.
///
/// Rows of at most 64 elements stay in registers while the weights of one channel after the other pass by;
/// longer ones pass by as well, in blocks of rows and channels. Where channels or rows do not come out even,
/// some of them are computed again.
struct VectorProduct {
  private let stage: OutputStage
  private let weights: Elements<Int8>
  /// Bias and multiplier of each channel.
  private let channels: Elements<Int32>
  private let depth: Int
  private let count: Int
  private let pitch: Int
  private let outputPitch: Int

  /// The loops apply: rows of weights follow each other without a gap, all channels share a shift that needs
  /// only high words, and there are enough of them.
  @inline(__always)
  static func suits(_ product: RowProduct, channels: Int) -> Bool {
    product.weights.isRowMajor && product.weights.groupStride == product.weights.depth
      && product.weightZeroPoint == 0 && !product.hasShifts
      && product.stage.shift > 32 && channels >= 4
  }

  /// - Parameters:
  ///   - range: channels.
  ///   - pitch: from one row to the next; `outputPitch` the same of the output.
  /// - Precondition: ``suits(_:channels:)``.
  @inline(__always)
  init(_ product: RowProduct, _ range: Range<Int>, pitch: Int, outputPitch: Int) {
    stage = product.stage
    weights = product.weights.row(range.lowerBound)
    channels = product.channels.dropping(2 &* range.lowerBound)
    depth = product.weights.depth
    count = range.count
    self.pitch = pitch
    self.outputPitch = outputPitch
  }

  /// Rows from `x` on; `output` is where the first of them goes.
  @inline(never)
  func run(_ x: Elements<Int8>, rows: Int, _ output: MutableElements<Int8>) {
    switch depth {
    case 0...16: residentVector(x, rows, output)
    case 17...32: residentPair(x, rows, output)
    case 33...48: residentThree(x, rows, output)
    case 49...64: residentFour(x, rows, output)
    default:
      let even = rows & ~1
      streamPairs(x, even, output)
      if even < rows { streamRow(x.dropping(even &* pitch), output.dropping(even &* outputPitch)) }
    }
    if stage.isFullRange { return }
    for row in 0..<rows {
      output.dropping(row &* outputPitch).clamp(low: stage.low, high: stage.high, count)
    }
  }

  /// From one row of weights to the next.
  @inline(__always)
  private var stride: Int { depth }

  /// Calls `step` for four channels at a time.
  @inline(__always)
  private func inSteps(_ output: MutableElements<Int8>, _ step: (inout ChannelWalk) -> Void) {
    var walk = ChannelWalk(weights: weights, constants: channels, output: output)
    var (steps, rest) = (count / 4, count & 3)
    while true {
      for _ in 0..<steps { step(&walk) }
      if rest == 0 { return }
      walk.skip(rest &- 4, stride: stride)
      (steps, rest) = (1, 0)
    }
  }

  /// Calls `step` with two rows at a time; of an odd number, the last takes both places.
  @inline(__always)
  private func inPairs(
    _ x: Elements<Int8>, _ rows: Int, _ output: MutableElements<Int8>,
    _ step: (Elements<Int8>, Elements<Int8>, MutableElements<Int8>, Int) -> Void
  ) {
    var (x, output, left) = (x, output, rows)
    while left > 0 {
      let isPair = left > 1
      step(x, x.dropping(isPair ? pitch : 0), output, isPair ? outputPitch : 0)
      (x, output, left) = (x.skipping(2 &* pitch), output.skipping(2 &* outputPitch), left &- 2)
    }
  }

  /// Requantises sums of four channels and goes on to the next.
  @inline(__always)
  private func finish(_ sums: SIMD4<Int32>, _ walk: inout ChannelWalk) {
    let (biases, multipliers) = walk.constants.pairs
    walk.output.store(stage.saturateHigh(sums &+ biases, multipliers: multipliers))
    walk.skipOutput()
  }

  /// The same of two rows.
  @inline(__always)
  private func finish(_ sums: SIMD4<Int32>, _ next: SIMD4<Int32>, pitch: Int, _ walk: inout ChannelWalk) {
    let (biases, multipliers) = walk.constants.pairs
    walk.output.store(stage.saturateHigh(sums &+ biases, multipliers: multipliers))
    walk.output.dropping(pitch).store(stage.saturateHigh(next &+ biases, multipliers: multipliers))
    walk.skipOutput()
  }

  /// A sum of each of four rows of weights; `sum` takes a row and the next.
  @inline(__always)
  private func fourSums(_ walk: inout ChannelWalk, _ sum: (Elements<Int8>, Elements<Int8>) -> Int32) -> SIMD4<Int32> {
    let (w0, w1, w2, w3) = (walk.row(stride), walk.row(stride), walk.row(stride), walk.row(stride))
    return SIMD4(sum(w0, w1), sum(w1, w2), sum(w2, w3), sum(w3, walk.weights))
  }

  // MARK: Rows that stay in registers

  /// Two rows of at most 16 elements.
  @inline(never)
  private func residentVector(_ x: Elements<Int8>, _ rows: Int, _ output: MutableElements<Int8>) {
    let lanes = abacus_byte_lanes(UInt32(truncatingIfNeeded: depth))
    inPairs(x, rows, output) { x0, x1, output, pitch in
      let (a, b) = (x0.bytes(lanes), x1.bytes(lanes))
      inSteps(output) { walk in
        let w0 = walk.row(stride).bytes(lanes)
        let (a0, b0) = (abacus_sum_products(a, w0), abacus_sum_products(b, w0))
        let w1 = walk.row(stride).bytes(lanes)
        let (a1, b1) = (abacus_sum_products(a, w1), abacus_sum_products(b, w1))
        let w2 = walk.row(stride).bytes(lanes)
        let (a2, b2) = (abacus_sum_products(a, w2), abacus_sum_products(b, w2))
        let w3 = walk.row(stride).bytes(lanes)
        let (a3, b3) = (abacus_sum_products(a, w3), abacus_sum_products(b, w3))
        finish(SIMD4(a0, a1, a2, a3), SIMD4(b0, b1, b2, b3), pitch: pitch, &walk)
      }
    }
  }

  /// Two rows of 17 to 32 elements.
  @inline(never)
  private func residentPair(_ x: Elements<Int8>, _ rows: Int, _ output: MutableElements<Int8>) {
    inPairs(x, rows, output) { x0, x1, output, pitch in
      let (a, b) = (TwoVectors(x0, depth), TwoVectors(x1, depth))
      inSteps(output) { walk in
        let s0 = TwoVectors.sums(a, b, walk.row(stride), walk.weights)
        let s1 = TwoVectors.sums(a, b, walk.row(stride), walk.weights)
        let s2 = TwoVectors.sums(a, b, walk.row(stride), walk.weights)
        let s3 = TwoVectors.sums(a, b, walk.row(stride), walk.weights)
        finish(SIMD4(s0.a, s1.a, s2.a, s3.a), SIMD4(s0.b, s1.b, s2.b, s3.b), pitch: pitch, &walk)
      }
    }
  }

  /// Rows of 33 to 48 elements, one after the other.
  @inline(never)
  private func residentThree(_ x: Elements<Int8>, _ rows: Int, _ output: MutableElements<Int8>) {
    for row in 0..<rows {
      let (x, output) = (x.dropping(row &* pitch), output.dropping(row &* outputPitch))
      let (head, tail) = (x.bytes, TwoVectors(x.dropping(16), depth &- 16))
      inSteps(output) { walk in
        let sums = fourSums(&walk) { w, next in
          tail.sum(abacus_sum_products(head, w.bytes), w.dropping(16), next)
        }
        finish(sums, &walk)
      }
    }
  }

  /// Rows of 49 to 64 elements, one after the other.
  @inline(never)
  private func residentFour(_ x: Elements<Int8>, _ rows: Int, _ output: MutableElements<Int8>) {
    for row in 0..<rows {
      let (x, output) = (x.dropping(row &* pitch), output.dropping(row &* outputPitch))
      let (first, second) = (x.bytes, x.dropping(16).bytes)
      let tail = TwoVectors(x.dropping(32), depth &- 32)
      inSteps(output) { walk in
        let sums = fourSums(&walk) { w, next in
          let sum = abacus_add_all_products(abacus_sum_products(first, w.bytes), second, w.dropping(16).bytes)
          return tail.sum(sum, w.dropping(32), next)
        }
        finish(sums, &walk)
      }
    }
  }

  // MARK: Rows that pass by

  /// One row, by four channels at a time: each vector of the row is loaded once for all of them.
  @inline(never)
  private func streamRow(_ x: Elements<Int8>, _ output: MutableElements<Int8>) {
    inSteps(output) { walk in
      var (x, w0, w1) = (x, walk.row(stride), walk.row(stride))
      var (w2, w3) = (walk.row(stride), walk.row(stride))
      var (s0, s1, s2, s3) = (Int32(0), Int32(0), Int32(0), Int32(0))
      var left = depth
      while left > 0 {
        let lanes = abacus_byte_lanes(UInt32(truncatingIfNeeded: left))
        let v = x.bytes(lanes)
        s0 = abacus_add_products(s0, v, w0.bytes(lanes), lanes)
        s1 = abacus_add_products(s1, v, w1.bytes(lanes), lanes)
        s2 = abacus_add_products(s2, v, w2.bytes(lanes), lanes)
        s3 = abacus_add_products(s3, v, w3.bytes(lanes), lanes)
        (x, w0, w1, w2, w3) = (x.next, w0.next, w1.next, w2.next, w3.next)
        left = left &- 16
      }
      finish(SIMD4(s0, s1, s2, s3), &walk)
    }
  }

  /// Two rows, by two channels at a time, the first and the third of four, then the others.
  @inline(never)
  private func streamPairs(_ x: Elements<Int8>, _ rows: Int, _ output: MutableElements<Int8>) {
    inPairs(x, rows, output) { x0, x1, output, pitch in
      inSteps(output) { walk in
        let even = fourProducts(x0, x1, walk.row(stride))
        let odd = fourProducts(x0, x1, walk.weights)
        walk.weights = walk.weights.skipping(3 &* stride)
        finish(
          SIMD4(even.s00, odd.s00, even.s01, odd.s01), SIMD4(even.s10, odd.s10, even.s11, odd.s11), pitch: pitch,
          &walk)
      }
    }
  }

  /// Two rows by two channels of which the second is the next but one: four loads feed four products.
  @inline(__always)
  private func fourProducts(_ x0: Elements<Int8>, _ x1: Elements<Int8>, _ w: Elements<Int8>) -> FourProducts {
    var sums = FourProducts()
    var (x0, x1, w0, w1) = (x0, x1, w, w.dropping(2 &* stride))
    var left = depth
    while left > 0 {
      let lanes = abacus_byte_lanes(UInt32(truncatingIfNeeded: left))
      let (a, v) = (x0.bytes(lanes), w0.bytes(lanes))
      sums.s00 = abacus_add_products(sums.s00, a, v, lanes)
      let b = x1.bytes(lanes)
      sums.s10 = abacus_add_products(sums.s10, b, v, lanes)
      let w = w1.bytes(lanes)
      sums.s01 = abacus_add_products(sums.s01, a, w, lanes)
      sums.s11 = abacus_add_products(sums.s11, b, w, lanes)
      (x0, x1, w0, w1) = (x0.next, x1.next, w0.next, w1.next)
      left = left &- 16
    }
    return sums
  }
}

/// Where the next channels are.
private struct ChannelWalk {
  var weights: Elements<Int8>
  private(set) var constants: Elements<Int32>
  private(set) var output: MutableElements<Int8>

  init(weights: Elements<Int8>, constants: Elements<Int32>, output: MutableElements<Int8>) {
    self.weights = weights
    self.constants = constants
    self.output = output
  }

  /// The weights of the next channel.
  @inline(__always)
  mutating func row(_ stride: Int) -> Elements<Int8> {
    let row = weights
    weights = weights.skipping(stride)
    return row
  }

  /// Four channels are done.
  @inline(__always)
  mutating func skipOutput() {
    constants = constants.skipping(8)
    output = output.skipping(4)
  }

  @inline(__always)
  mutating func skip(_ channels: Int, stride: Int) {
    weights = weights.skipping(channels &* stride)
    constants = constants.skipping(2 &* channels)
    output = output.skipping(channels)
  }
}

/// A row of 17 to 32 elements. The second vector ends with the row and is zero where the first has been, so
/// that no weights behind the row are read.
private struct TwoVectors {
  private let head: SIMD16<Int8>
  private let tail: SIMD16<Int8>

  @inline(__always)
  init(_ x: Elements<Int8>, _ depth: Int) {
    head = x.bytes
    tail = x.dropping(depth &- 16).bytes(~abacus_byte_lanes(UInt32(truncatingIfNeeded: 32 &- depth)))
  }

  /// Products with weights, added to a sum; the next row begins where these end.
  @inline(__always)
  func sum(_ sum: Int32, _ w: Elements<Int8>, _ next: Elements<Int8>) -> Int32 {
    abacus_add_all_products(abacus_add_all_products(sum, head, w.bytes), tail, next.skipping(-16).bytes)
  }

  /// Products of two such rows.
  @inline(__always)
  static func sums(
    _ a: TwoVectors, _ b: TwoVectors, _ w: Elements<Int8>, _ next: Elements<Int8>
  ) -> (a: Int32, b: Int32) {
    let v = w.bytes
    let (headA, headB) = (abacus_sum_products(a.head, v), abacus_sum_products(b.head, v))
    let t = next.skipping(-16).bytes
    return (abacus_add_all_products(headA, a.tail, t), abacus_add_all_products(headB, b.tail, t))
  }
}
#endif
