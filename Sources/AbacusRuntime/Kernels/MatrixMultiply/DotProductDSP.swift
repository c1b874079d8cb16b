#if ABACUS_DSP
import CAbacus

// Dot products for Cortex-M4 and M7: SMLAD multiplies and adds two pairs of halfwords. A word holds
// four int8, of which SXTB16 widens two, or two int16. Boards ask for this file with -D ABACUS_DSP in
// their toolset.

/// Four elements as halfwords: elements 0 and 2, elements 1 and 3.
struct Quad {
  private let even: UInt32
  private let odd: UInt32

  @inline(__always)
  init(_ elements: Elements<Int8>, _ index: Int) {
    let word = elements.word(index)
    even = abacus_even_bytes(word)
    odd = abacus_odd_bytes(word)
  }

  /// PKHBT and PKHTB.
  @inline(__always)
  init(_ elements: Elements<Int16>, _ index: Int) {
    let first = elements.word(index)
    let second = elements.word(index &+ 2)
    even = first & 0xFFFF | second &<< 16
    odd = first &>> 16 | second & 0xFFFF_0000
  }

  @inline(__always)
  func product(_ other: Quad, _ sum: Int32) -> Int32 {
    abacus_multiply_add_pairs(odd, other.odd, abacus_multiply_add_pairs(even, other.even, sum))
  }
}

/// Elements that come as quads.
protocol QuadElement: ProductElement {
  static func quad(_ elements: Elements<Self>, _ index: Int) -> Quad
}

extension Int8: QuadElement {
  @inline(__always)
  static func quad(_ elements: Elements<Int8>, _ index: Int) -> Quad { Quad(elements, index) }
}

extension Int16: QuadElement {
  @inline(__always)
  static func quad(_ elements: Elements<Int16>, _ index: Int) -> Quad { Quad(elements, index) }
}

extension QuadElement {
  @inline(never)
  static func dot(_ x: Elements<Self>, _ w: Elements<Int8>, _ depth: Int) -> Int32 {
    var sum: Int32 = 0
    var k = 0
    while k &+ 4 <= depth {
      sum = quad(x, k).product(Quad(w, k), sum)
      k = k &+ 4
    }
    while k < depth {
      sum = sum &+ Int32(truncatingIfNeeded: x[k]) &* Int32(w[k])
      k = k &+ 1
    }
    return sum
  }

  /// Each word is loaded and widened once.
  @inline(never)
  static func dot(
    _ x0: Elements<Self>, _ x1: Elements<Self>, _ w0: Elements<Int8>, _ w1: Elements<Int8>,
    _ depth: Int
  ) -> SIMD4<Int32> {
    var sums = FourProducts()
    var k = 0
    while k &+ 4 <= depth {
      let a = quad(x0, k)
      let b = quad(x1, k)
      let c = Quad(w0, k)
      sums.s00 = a.product(c, sums.s00)
      sums.s10 = b.product(c, sums.s10)
      let d = Quad(w1, k)
      sums.s01 = a.product(d, sums.s01)
      sums.s11 = b.product(d, sums.s11)
      k = k &+ 4
    }
    while k < depth {
      sums.add(x0[k], x1[k], w0[k], w1[k])
      k = k &+ 1
    }
    return sums.vector
  }

  /// Each word of the row is loaded and widened once.
  @inline(never)
  static func fourProducts(
    _ x: Elements<Self>, _ w: Elements<Int8>, stride: Int, _ depth: Int, to products: MutableElements<Int32>
  ) -> Int32 {
    let whole = depth & ~3
    var sums =
      whole == depth
      ? SIMD4<Int32>(repeating: 0) : rest(x.dropping(whole), w.dropping(whole), stride: stride, depth &- whole)
    let (w1, w2, w3) = (w.dropping(stride), w.dropping(2 &* stride), w.dropping(3 &* stride))
    var (x, w, v1, v2, v3) = (x, w, w1, w2, w3)
    let end = x.dropping(whole)
    while x.isBefore(end) {
      let a = quad(x, 0)
      sums[0] = a.product(Quad(w, 0), sums[0])
      sums[1] = a.product(Quad(v1, 0), sums[1])
      sums[2] = a.product(Quad(v2, 0), sums[2])
      sums[3] = a.product(Quad(v3, 0), sums[3])
      (x, w, v1, v2, v3) = (x.dropping(4), w.dropping(4), v1.dropping(4), v2.dropping(4), v3.dropping(4))
    }
    for i in 0..<4 { products[i] = sums[i] }
    return Swift.max(Swift.max(sums[0], sums[1]), Swift.max(sums[2], sums[3]))
  }

  /// Fewer than four elements.
  @inline(never)
  private static func rest(_ x: Elements<Self>, _ w: Elements<Int8>, stride: Int, _ count: Int) -> SIMD4<Int32> {
    var sums = SIMD4<Int32>(repeating: 0)
    for i in 0..<4 {
      for k in 0..<count { sums[i] = sums[i] &+ Int32(truncatingIfNeeded: x[k]) &* Int32(w[i &* stride &+ k]) }
    }
    return sums
  }
}
#endif
