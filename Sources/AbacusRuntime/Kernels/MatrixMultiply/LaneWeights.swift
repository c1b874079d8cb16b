#if ABACUS_LANES
import AbacusFormat
import CAbacus

/// Weights in pairs of channels (``PairedLayout``), times words of two rows or times one row.
struct LaneWeights {
  let bytes: Elements<Int8>
  let depth: Int
  /// Groups of four columns.
  let quads: Int

  init(_ call: Invocation, depth: Int) {
    bytes = call.elements(Operands.weights)
    self.depth = depth
    quads = (depth &+ 3) / 4
  }

  /// Rows can be multiplied one at a time.
  @inline(__always)
  var takesOneRow: Bool { depth & 3 == 0 }

  #if ABACUS_THUMB
  /// Puts words of two rows in the order in which weights in pairs lie: columns 0, 2, 1, 3 of each four.
  @inline(never)
  func arrange(_ x: MutableElements<Int32>) {
    var x = x
    for _ in 0..<quads {
      (x[1], x[2]) = (x[2], x[1])
      x = x.dropping(4)
    }
  }
  #else
  /// Words of two rows stay as they are.
  @inline(__always)
  func arrange(_ x: MutableElements<Int32>) {}
  #endif

  /// Words of two rows times two channels: first row by first channel and by second, second row by first channel
  /// and by second.
  @inline(__always)
  func pairSums(_ x: Elements<Int32>, _ w: Elements<Int8>) -> SIMD4<Int32> {
    if quads <= Lanes.maximumQuads { return RowLanes.sums(x, w, quads: quads) }
    return manySums(x, w)
  }

  @inline(never)
  private func manySums(_ x: Elements<Int32>, _ w: Elements<Int8>) -> SIMD4<Int32> {
    var sums = SIMD4<Int32>(repeating: 0)
    var quad = 0
    while quad < quads {
      let count = min(quads &- quad, Lanes.maximumQuads)
      sums = sums &+ RowLanes.sums(x.dropping(4 &* quad), w.dropping(8 &* quad), quads: count)
      quad = quad &+ count
    }
    return sums
  }
}

/// Words of two rows.
@inline(never)
func packLanes(_ a: Elements<Int8>, _ b: Elements<Int8>, _ target: MutableElements<Int32>, _ count: Int) {
  var (a, b, target) = (a, b, target)
  let end = a.dropping(count & ~3)
  while a.isBefore(end) {
    for k in 0..<4 { target[k] = Lanes.word(a[k], b[k]) }
    (a, b, target) = (a.dropping(4), b.dropping(4), target.dropping(4))
  }
  for k in 0..<count & 3 { target[k] = Lanes.word(a[k], b[k]) }
}

/// Two rows, as they lie, by two channels: for elements that lanes have no room for.
@inline(never)
func pairProducts<Element: ProductElement>(
  _ x0: Elements<Element>, _ x1: Elements<Element>, _ w: Elements<Int8>, _ depth: Int
) -> SIMD4<Int32> {
  var (x0, x1, w) = (x0, x1, w)
  var sums = FourProducts()
  let end = x0.dropping(depth & ~3)
  while x0.isBefore(end) {
    for k in 0..<4 {
      let at = PairedLayout.offset(row: 0, column: k)
      sums.add(x0[k], x1[k], w[at], w[at &+ 1])
    }
    (x0, x1, w) = (x0.dropping(4), x1.dropping(4), w.dropping(8))
  }
  for k in 0..<depth & 3 {
    let at = PairedLayout.offset(row: 0, column: k)
    sums.add(x0[k], x1[k], w[at], w[at &+ 1])
  }
  return sums.vector
}
#endif
