/// c[i, j] = sum over k of a[i, k] * b[j, k]: the one inner loop of every product of matrices.
///
/// Both operands have the summed dimension innermost, as weights [out, in] and rows of activations
/// do. Each sum runs in four lanes, so results do not depend on how the work is divided.
struct RowProduct {
  /// Rows of a and of c.
  var rows: Int
  /// Rows of b, columns of c.
  var columns: Int
  var depth: Int
  /// Elements from one row to the next.
  var strideA: Int
  var strideB: Int
  var strideC: Int

  /// Elements of a that are kept near (256 KB) while all of b goes by.
  private static let blockElements = 1 << 16

  func run(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>
  ) {
    let block = max(Self.blockElements / max(depth, 1) / 3, 1) * 3
    for start in stride(from: 0, to: rows, by: block) {
      let end = min(start + block, rows)
      for column in stride(from: 0, to: columns, by: 3) {
        for row in stride(from: start, to: end, by: 3) {
          tile(a, b, into: c, row: row, lastRow: end - 1, column: column)
        }
      }
    }
  }

  /// Three rows by three columns. At the edges the last row or column is computed again in place of
  /// those that do not exist: the same sums go to the same places.
  @inline(__always)
  private func tile(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>,
    row: Int, lastRow: Int, column: Int
  ) {
    let (row1, row2) = (min(row &+ 1, lastRow), min(row &+ 2, lastRow))
    let (column1, column2) = (min(column &+ 1, columns &- 1), min(column &+ 2, columns &- 1))
    let (a0, a1, a2) = (a + row &* strideA, a + row1 &* strideA, a + row2 &* strideA)
    let (b0, b1, b2) = (b + column &* strideB, b + column1 &* strideB, b + column2 &* strideB)
    var (c00, c01, c02) = (SIMD4<Float>.zero, SIMD4<Float>.zero, SIMD4<Float>.zero)
    var (c10, c11, c12) = (c00, c00, c00)
    var (c20, c21, c22) = (c00, c00, c00)
    var k = 0
    while k &+ 4 <= depth {
      let (x0, x1, x2) = (four(a0, k), four(a1, k), four(a2, k))
      let y0 = four(b0, k)
      c00 += x0 * y0
      c10 += x1 * y0
      c20 += x2 * y0
      let y1 = four(b1, k)
      c01 += x0 * y1
      c11 += x1 * y1
      c21 += x2 * y1
      let y2 = four(b2, k)
      c02 += x0 * y2
      c12 += x1 * y2
      c22 += x2 * y2
      k &+= 4
    }
    @inline(__always)
    func store(
      _ sums: SIMD4<Float>, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ row: Int, _ column: Int
    ) {
      var sum = sums.sum()
      for rest in k..<depth { sum += x[rest] * y[rest] }
      c[row &* strideC &+ column] = sum
    }
    store(c00, a0, b0, row, column)
    store(c01, a0, b1, row, column1)
    store(c02, a0, b2, row, column2)
    store(c10, a1, b0, row1, column)
    store(c11, a1, b1, row1, column1)
    store(c12, a1, b2, row1, column2)
    store(c20, a2, b0, row2, column)
    store(c21, a2, b1, row2, column1)
    store(c22, a2, b2, row2, column2)
  }

  @inline(__always)
  private func four(_ pointer: UnsafePointer<Float>, _ offset: Int) -> SIMD4<Float> {
    UnsafeRawPointer(pointer + offset).loadUnaligned(as: SIMD4<Float>.self)
  }
}

/// Writes the transpose of `source` [rows, columns], whose rows lie `stride` elements apart, as
/// [columns, rows].
func transposeMatrix(
  _ source: UnsafePointer<Float>, rows: Int, columns: Int, stride: Int,
  into target: UnsafeMutablePointer<Float>
) {
  // Small squares, so that both sides stay in the nearest cache.
  let square = 16
  for top in Swift.stride(from: 0, to: rows, by: square) {
    for left in Swift.stride(from: 0, to: columns, by: square) {
      for column in left..<min(left + square, columns) {
        for row in top..<min(top + square, rows) {
          target[column &* rows &+ row] = source[row &* stride &+ column]
        }
      }
    }
  }
}
