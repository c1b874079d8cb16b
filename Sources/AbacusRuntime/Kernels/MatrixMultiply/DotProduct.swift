#if !ABACUS_DSP
// Dot products in plain loops, which compilers turn into vector multiply-accumulates where the CPU
// has them (AVX2, MVE: vmlava).

/// `sum_k x[k] * w[k]`.
@inline(__always)
func dot(_ x: Elements<Int8>, _ w: Elements<Int8>, _ depth: Int) -> Int32 {
  var sum: Int32 = 0
  for k in 0..<depth { sum = sum &+ Int32(x[k]) &* Int32(w[k]) }
  return sum
}

/// Two rows by two channels: (x0 w0, x0 w1, x1 w0, x1 w1). Four loads feed four products. Not
/// inlined, so that four sums and four addresses find registers on cores that have thirteen.
@inline(never)
func dot(
  _ x0: Elements<Int8>, _ x1: Elements<Int8>, _ w0: Elements<Int8>, _ w1: Elements<Int8>, _ depth: Int
) -> SIMD4<Int32> {
  var sums = FourProducts()
  for k in 0..<depth { sums.add(x0[k], x1[k], w0[k], w1[k]) }
  return sums.vector
}
#endif
