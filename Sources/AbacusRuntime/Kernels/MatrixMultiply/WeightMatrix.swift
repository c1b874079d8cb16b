import AbacusFormat

/// int8 weights [N, K] in blocks `[N/nr][K/kr][nr][kr]`; row-major is the block (1, 1).
///
/// Every target can execute every block size; a target's own inner loop is only faster on the one
/// that the packer chose for it.
struct WeightMatrix {
  let elements: Elements<Int8>
  let depth: Int
  let blockRows: Int
  let blockColumns: Int
  private let isPaired: Bool
  /// Bytes from one group of `blockRows` rows to the next.
  let groupStride: Int

  @inline(__always)
  init(_ elements: Elements<Int8>, record: Tensor, depth: Int) {
    self.elements = elements
    self.depth = depth
    blockRows = Int(truncatingIfNeeded: record.blockRows)
    blockColumns = Int(truncatingIfNeeded: record.blockColumns)
    isPaired = record.layout == Layout.paired.rawValue
    let paddedDepth = (depth &+ blockColumns &- 1) / blockColumns &* blockColumns
    groupStride = paddedDepth &* blockRows
  }

  /// A row is contiguous.
  @inline(__always)
  var isRowMajor: Bool { blockRows == 1 }

  /// Rows follow each other, without padding.
  @inline(__always)
  var isDense: Bool { blockRows == 1 && groupStride == depth }

  /// Row `n` of a row-major matrix.
  @inline(__always)
  func row(_ n: Int) -> Elements<Int8> { elements.dropping(n &* groupStride) }

  /// `sum_k x[k] * w[n, k]` for any block size.
  @inline(never)
  func dotProduct<Element: ProductElement>(row n: Int, _ x: Elements<Element>) -> Int32 {
    if isPaired { return pairedProduct(row: n, x) }
    let group = elements.dropping(n / blockRows &* groupStride &+ n % blockRows &* blockColumns)
    var sum: Int32 = 0
    var k = 0
    var offset = 0
    while k < depth {
      let length = min(blockColumns, depth &- k)
      for i in 0..<length {
        sum = sum &+ Int32(truncatingIfNeeded: x[k &+ i]) &* Int32(group[offset &+ i])
      }
      k = k &+ blockColumns
      offset = offset &+ blockRows &* blockColumns
    }
    return sum
  }

  /// The same for pairs of channels.
  @inline(never)
  private func pairedProduct<Element: ProductElement>(row n: Int, _ x: Elements<Element>) -> Int32 {
    let pair = elements.dropping(n / 2 &* groupStride)
    var sum: Int32 = 0
    for k in 0..<depth {
      let weight = pair[k / 4 &* 8 &+ PairedLayout.offset(row: n, column: k)]
      sum = sum &+ Int32(truncatingIfNeeded: x[k]) &* Int32(weight)
    }
    return sum
  }
}
