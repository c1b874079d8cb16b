/// Sums of products of two rows by two channels.
struct FourProducts {
  var s00: Int32 = 0
  var s01: Int32 = 0
  var s10: Int32 = 0
  var s11: Int32 = 0

  @inline(__always)
  mutating func add<Element: ProductElement>(_ x0: Element, _ x1: Element, _ w0: Int8, _ w1: Int8) {
    let x0 = Int32(truncatingIfNeeded: x0)
    let x1 = Int32(truncatingIfNeeded: x1)
    s00 = s00 &+ x0 &* Int32(w0)
    s01 = s01 &+ x0 &* Int32(w1)
    s10 = s10 &+ x1 &* Int32(w0)
    s11 = s11 &+ x1 &* Int32(w1)
  }

  /// (x0 w0, x0 w1, x1 w0, x1 w1).
  @inline(__always)
  var vector: SIMD4<Int32> { SIMD4(s00, s01, s10, s11) }
}
