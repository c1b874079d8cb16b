import AbacusFormat

#if ABACUS_DSP
typealias SparseElement = QuadElement & WidenedElement
#else
typealias SparseElement = ProductElement
#endif

/// Weights in groups (``GroupLayout``), from some channel on.
struct SparseWeights {
  /// [kept group][16]
  private var values: Elements<Int8>
  private var indices: Elements<UInt8>
  private let counts: Elements<UInt8>
  private let depth: Int

  init(_ call: Invocation, depth: Int) {
    values = call.elements(Operands.weights)
    indices = call.elements(Operands.groupIndices)
    counts = call.elements(Operands.groupCounts)
    self.depth = depth
  }

  /// `sum_k x[k] * w[n, k]`, where channel `n` is next; then the one behind it is.
  @inline(__always)
  mutating func next<Source: SparseElement>(_ n: Int, _ x: Elements<Source>) -> Int32 {
    let count = Int(counts[n])
    let sum = dotProduct(x, count)
    (values, indices) = (values.dropping(count &* GroupLayout.size), indices.dropping(count))
    return sum
  }

  @inline(__always)
  private func dotProduct<Source: SparseElement>(_ x: Elements<Source>, _ count: Int) -> Int32 {
    #if ABACUS_DSP
    if depth % GroupLayout.size == 0 { return Source.groupProducts(x, values, indices, count) }
    #endif
    return anyDepth(x, count)
  }

  /// A row ends where its last group may have padding.
  @inline(never)
  private func anyDepth<Source: SparseElement>(_ x: Elements<Source>, _ count: Int) -> Int32 {
    var sum: Int32 = 0
    for group in 0..<count {
      let start = Int(indices[group]) &* GroupLayout.size
      sum = sum &+ Source.dot(
        x.dropping(start), values.dropping(group &* GroupLayout.size), min(GroupLayout.size, depth &- start))
    }
    return sum
  }
}

#if ABACUS_DSP
extension QuadElement {
  /// Whole groups of one channel.
  @inline(never)
  fileprivate static func groupProducts(
    _ x: Elements<Self>, _ values: Elements<Int8>, _ indices: Elements<UInt8>, _ count: Int
  ) -> Int32 {
    var sum: Int32 = 0
    var (values, indices) = (values, indices)
    let end = indices.dropping(count)
    while indices.isBefore(end) {
      let group = x.dropping(Int(indices[0]) &* GroupLayout.size)
      sum = quad(group, 0).product(Quad(values, 0), sum)
      sum = quad(group, 4).product(Quad(values, 4), sum)
      sum = quad(group, 8).product(Quad(values, 8), sum)
      sum = quad(group, 12).product(Quad(values, 12), sum)
      (values, indices) = (values.dropping(GroupLayout.size), indices.dropping(1))
    }
    return sum
  }
}
#endif
