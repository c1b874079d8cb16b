#if ABACUS_MVE
// Dot products on vectors.

extension VectorElement {
  @inline(never)
  static func dot(_ x: Elements<Self>, _ w: Elements<Int8>, _ depth: Int) -> Int32 {
    var (x, w, left) = (x, w, depth)
    var s: Int32 = 0
    while left > 0 {
      let mask = mask(left)
      s = sum(s, vector(x, mask), weights(w, mask), mask)
      (x, w, left) = (x.skipping(lanes), w.skipping(lanes), left &- lanes)
    }
    return s
  }

  /// Four loads feed four products.
  @inline(never)
  static func dot(
    _ x0: Elements<Self>, _ x1: Elements<Self>, _ w0: Elements<Int8>, _ w1: Elements<Int8>, _ depth: Int
  ) -> SIMD4<Int32> {
    SIMD4(dot(x0, w0, depth), dot(x0, w1, depth), dot(x1, w0, depth), dot(x1, w1, depth))
  }

  /// One load of the row feeds four products.
  @inline(never)
  static func fourProducts(
    _ x: Elements<Self>, _ w: Elements<Int8>, stride: Int, _ depth: Int, to products: MutableElements<Int32>
  ) -> Int32 {
    var (x, w0, w1) = (x, w, w.dropping(stride))
    var (w2, w3) = (w1.dropping(stride), w1.dropping(2 &* stride))
    var (s0, s1, s2, s3) = (Int32(0), Int32(0), Int32(0), Int32(0))
    var left = depth
    while left > 0 {
      let mask = mask(left)
      let v = vector(x, mask)
      s0 = sum(s0, v, weights(w0, mask), mask)
      s1 = sum(s1, v, weights(w1, mask), mask)
      s2 = sum(s2, v, weights(w2, mask), mask)
      s3 = sum(s3, v, weights(w3, mask), mask)
      x = x.skipping(lanes)
      (w0, w1, w2, w3) = (w0.skipping(lanes), w1.skipping(lanes), w2.skipping(lanes), w3.skipping(lanes))
      left = left &- lanes
    }
    (products[0], products[1], products[2], products[3]) = (s0, s1, s2, s3)
    return Swift.max(Swift.max(s0, s1), Swift.max(s2, s3))
  }
}
#endif
