/// What may stand on the left of a product with int8 weights; each has inner loops of its own.
protocol ProductElement: FixedWidthInteger, BitwiseCopyable {
  /// `sum_k x[k] * w[k]`.
  static func dot(_ x: Elements<Self>, _ w: Elements<Int8>, _ depth: Int) -> Int32

  /// Two rows by two channels: (x0 w0, x0 w1, x1 w0, x1 w1).
  static func dot(
    _ x0: Elements<Self>, _ x1: Elements<Self>, _ w0: Elements<Int8>, _ w1: Elements<Int8>,
    _ depth: Int
  ) -> SIMD4<Int32>

  /// One row by four rows of int8 that are `stride` apart; returns the greatest product.
  static func fourProducts(
    _ x: Elements<Self>, _ w: Elements<Int8>, stride: Int, _ depth: Int, to products: MutableElements<Int32>
  ) -> Int32
}
