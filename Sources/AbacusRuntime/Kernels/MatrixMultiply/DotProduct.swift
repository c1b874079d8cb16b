#if !ABACUS_DSP && !ABACUS_MVE
// Dot products in plain loops, which compilers turn into vector multiply-accumulates where the CPU
// has them (AVX2).

extension Int8: ProductElement {}
extension Int16: ProductElement {}

extension ProductElement {
  @inline(__always)
  static func dot(_ x: Elements<Self>, _ w: Elements<Int8>, _ depth: Int) -> Int32 {
    var sum: Int32 = 0
    for k in 0..<depth { sum = sum &+ Int32(truncatingIfNeeded: x[k]) &* Int32(w[k]) }
    return sum
  }

  /// Four loads feed four products. Not inlined, so that four sums and four addresses find registers
  /// on cores that have thirteen.
  @inline(never)
  static func dot(
    _ x0: Elements<Self>, _ x1: Elements<Self>, _ w0: Elements<Int8>, _ w1: Elements<Int8>,
    _ depth: Int
  ) -> SIMD4<Int32> {
    var sums = FourProducts()
    for k in 0..<depth { sums.add(x0[k], x1[k], w0[k], w1[k]) }
    return sums.vector
  }

  @inline(never)
  static func fourProducts(
    _ x: Elements<Self>, _ w: Elements<Int8>, stride: Int, _ depth: Int, to products: MutableElements<Int32>
  ) -> Int32 {
    var greatest = Int32.min
    for i in 0..<4 {
      products[i] = dot(x, w.dropping(i &* stride), depth)
      greatest = Swift.max(greatest, products[i])
    }
    return greatest
  }
}
#endif
