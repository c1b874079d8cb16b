// Sums of values over the keys, by weights of 15 bits.

/// `sum_j weights[j] * columns[j * stride + i]` for up to four neighbouring columns i.
@inline(__always)
func weightedSums(
  _ weights: Elements<Int16>, _ count: Int, _ columns: Elements<Int8>, _ columnCount: Int, stride: Int
) -> SIMD4<Int32> {
  if columnCount == 4 { return fourWeightedSums(weights, count, columns, stride: stride) }
  // One by one: of a loop over lanes, compilers make moves through registers for floats.
  func sum(_ i: Int) -> Int32 { i < columnCount ? weightedSum(weights, count, columns.dropping(i), stride: stride) : 0 }
  return SIMD4(sum(0), sum(1), sum(2), 0)
}

@inline(never)
private func weightedSum(_ weights: Elements<Int16>, _ count: Int, _ column: Elements<Int8>, stride: Int) -> Int32 {
  var sum: Int32 = 0
  var index = 0
  for j in 0..<count {
    sum = sum &+ Int32(weights[j]) &* Int32(column[index])
    index = index &+ stride
  }
  return sum
}

#if ABACUS_DSP
import CAbacus

/// Two keys at a time, whose values lie side by side as halfwords for SMLAD.
@inline(never)
private func fourWeightedSums(
  _ weights: Elements<Int16>, _ count: Int, _ columns: Elements<Int8>, stride: Int
) -> SIMD4<Int32> {
  var sums = SIMD4<Int32>(repeating: 0)
  var (weights, value) = (weights, columns)
  let end = weights.dropping(count & ~1)
  while weights.isBefore(end) {
    sums.add(weights.word(0), value.word(0), value.word(stride))
    weights = weights.dropping(2)
    value = value.dropping(2 &* stride)
  }
  // The last key of an odd number, beside one that weighs nothing.
  if count & 1 != 0 { sums.add(UInt32(UInt16(bitPattern: weights[0])), value.word(0), 0) }
  return sums
}

extension SIMD4<Int32> {
  /// Adds four elements of two values, the weights of which are the halves of a word.
  @inline(__always)
  fileprivate mutating func add(_ weights: UInt32, _ first: UInt32, _ second: UInt32) {
    let low = first & 0xFFFF | second &<< 16
    let high = first &>> 16 | second & 0xFFFF_0000
    self[0] = abacus_multiply_add_pairs(abacus_even_bytes(low), weights, self[0])
    self[1] = abacus_multiply_add_pairs(abacus_odd_bytes(low), weights, self[1])
    self[2] = abacus_multiply_add_pairs(abacus_even_bytes(high), weights, self[2])
    self[3] = abacus_multiply_add_pairs(abacus_odd_bytes(high), weights, self[3])
  }
}
#elseif ABACUS_MVE
/// One key at a time, whose values are the lanes of a vector.
@inline(never)
private func fourWeightedSums(
  _ weights: Elements<Int16>, _ count: Int, _ columns: Elements<Int8>, stride: Int
) -> SIMD4<Int32> {
  var sums = SIMD4<Int32>(repeating: 0)
  var (weights, value, left) = (weights, columns, count)
  while left > 0 {
    sums = sums &+ value.words &* SIMD4(repeating: Int32(weights[0]))
    (weights, value, left) = (weights.skipping(1), value.skipping(stride), left &- 1)
  }
  return sums
}
#else
@inline(never)
private func fourWeightedSums(
  _ weights: Elements<Int16>, _ count: Int, _ columns: Elements<Int8>, stride: Int
) -> SIMD4<Int32> {
  var sums = SIMD4<Int32>(repeating: 0)
  var index = 0
  for j in 0..<count {
    let weight = Int32(weights[j])
    sums[0] = sums[0] &+ weight &* Int32(columns[index])
    sums[1] = sums[1] &+ weight &* Int32(columns[index &+ 1])
    sums[2] = sums[2] &+ weight &* Int32(columns[index &+ 2])
    sums[3] = sums[3] &+ weight &* Int32(columns[index &+ 3])
    index = index &+ stride
  }
  return sums
}
#endif
