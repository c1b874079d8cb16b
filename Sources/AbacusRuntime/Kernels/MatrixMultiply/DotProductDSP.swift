#if ABACUS_DSP
import CAbacus

// Dot products for Cortex-M4 and M7: a word holds four int8, SXTB16 widens two of them, SMLAD
// multiplies and adds two pairs. Boards ask for this file with -D ABACUS_DSP in their toolset.

/// Four int8, widened: elements 0 and 2, elements 1 and 3.
private struct Quad {
  let even: UInt32
  let odd: UInt32

  @inline(__always)
  init(_ elements: Elements<Int8>, _ index: Int) {
    let word = elements.word(index)
    even = abacus_even_bytes(word)
    odd = abacus_odd_bytes(word)
  }

  @inline(__always)
  func product(_ other: Quad, _ sum: Int32) -> Int32 {
    abacus_multiply_add_pairs(odd, other.odd, abacus_multiply_add_pairs(even, other.even, sum))
  }
}

/// `sum_k x[k] * w[k]`.
@inline(never)
func dot(_ x: Elements<Int8>, _ w: Elements<Int8>, _ depth: Int) -> Int32 {
  var sum: Int32 = 0
  var k = 0
  while k &+ 4 <= depth {
    sum = Quad(x, k).product(Quad(w, k), sum)
    k = k &+ 4
  }
  while k < depth {
    sum = sum &+ Int32(x[k]) &* Int32(w[k])
    k = k &+ 1
  }
  return sum
}

/// Two rows by two channels: (x0 w0, x0 w1, x1 w0, x1 w1); each word is loaded and widened once.
@inline(never)
func dot(
  _ x0: Elements<Int8>, _ x1: Elements<Int8>, _ w0: Elements<Int8>, _ w1: Elements<Int8>, _ depth: Int
) -> SIMD4<Int32> {
  var sums = FourProducts()
  var k = 0
  while k &+ 4 <= depth {
    let a = Quad(x0, k)
    let b = Quad(x1, k)
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
#endif
