#if ABACUS_MVE
import AbacusFormat
import CAbacus

extension RowProduct {
  /// The loop below applies: rows of weights are contiguous, and all channels share a shift that needs only
  /// high words.
  @inline(__always)
  var isVector: Bool { weights.isRowMajor && weightZeroPoint == 0 && !hasShifts && stage.shift > 32 }

  /// One row, channels `range`, four at a time: each vector of the row is loaded once for four channels,
  /// whose sums are requantised together.
  @inline(never)
  func oneVector(_ x: Elements<Int8>, channels range: Range<Int>, _ output: MutableElements<Int8>) {
    let stage = stage
    let (depth, stride) = (weights.depth, weights.groupStride)
    var w = weights.row(range.lowerBound)
    var channels = channels.dropping(2 &* range.lowerBound)
    var output = output
    var left = range.count
    while left > 0 {
      let count = min(left, 4)
      let sums = fourSums(x, w, depth, stride: stride, last: count &- 1)
      let lanes = abacus_word_lanes(UInt32(truncatingIfNeeded: left))
      let places = SIMD4<Int32>(0, 8, 16, 24)
      let accumulators = sums &+ channels.words(at: places, lanes)
      let multipliers = channels.dropping(1).words(at: places, lanes)
      output.store(stage.applyHigh(accumulators, multipliers: multipliers), lanes)
      left = left &- count
      w = w.dropping(count &* stride)
      channels = channels.dropping(2 &* count)
      output = output.dropping(count)
    }
  }
}

/// Products of a row and four rows of weights that are `stride` apart; where there are fewer, the last one
/// stands in for those that are missing.
@inline(__always)
private func fourSums(
  _ x: Elements<Int8>, _ w: Elements<Int8>, _ depth: Int, stride: Int, last: Int
) -> SIMD4<Int32> {
  var (s0, s1, s2, s3) = (Int32(0), Int32(0), Int32(0), Int32(0))
  var (x, w0) = (x, w)
  var w1 = w.dropping(min(1, last) &* stride)
  var w2 = w.dropping(min(2, last) &* stride)
  var w3 = w.dropping(last &* stride)
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
  return SIMD4(s0, s1, s2, s3)
}
#endif
