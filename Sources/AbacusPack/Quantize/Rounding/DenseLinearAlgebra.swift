/// One column of sixteen rows of a matrix, side by side: what is done to all channels alike is done to sixteen at once.
typealias Lanes = SIMD16<Double>

/// The sum over j of `weights[j] * lanes[j]`, in ascending order: the one inner loop of everything here that takes time.
@inline(__always)
func weightedSum(_ weights: UnsafePointer<Double>, _ lanes: UnsafePointer<Lanes>, count: Int) -> Lanes {
  var sum = Lanes.zero
  var j = 0
  while j < count {
    sum += lanes[j] * weights[j]
    j &+= 1
  }
  return sum
}

/// A symmetric matrix [count, count], row-major with both halves.
struct SymmetricMatrix: Sendable, Equatable {
  let count: Int
  var values: [Double]

  var diagonal: [Double] { (0..<count).map { values[$0 * (count + 1)] } }

  /// The rows and columns of these indices, in their order.
  func selecting(_ indices: [Int]) -> SymmetricMatrix {
    var selected = [Double]()
    selected.reserveCapacity(indices.count * indices.count)
    for row in indices {
      for column in indices { selected.append(values[row * count + column]) }
    }
    return SymmetricMatrix(count: indices.count, values: selected)
  }

  func addingToDiagonal(_ summand: Double) -> SymmetricMatrix {
    var result = self
    for index in 0..<count { result.values[index * (count + 1)] += summand }
    return result
  }
}

/// A symmetric positive definite matrix as the product of a lower triangle and its transpose (Cholesky).
struct CholeskyFactor: Sendable {
  let count: Int
  /// Row-major [count, count], zeros above the diagonal.
  private(set) var lower: [Double]
  /// Its transpose.
  private(set) var upper: [Double]

  /// Nil if the matrix is not positive definite to within the precision of its numbers.
  init?(_ matrix: SymmetricMatrix) {
    let count = matrix.count
    self.count = count
    lower = matrix.values
    upper = [Double](repeating: 0, count: count * count)
    let isSound = lower.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.map { Self.factorize($0, count) } ?? true
    }
    guard isSound else { return nil }
    for row in 0..<count {
      for column in 0..<count {
        if column <= row { upper[column * count + row] = lower[row * count + column] } else { lower[row * count + column] = 0 }
      }
    }
  }

  /// Overwrites the lower half with the factor, four rows at a time; false where a pivot is lost.
  private static func factorize(_ a: UnsafeMutablePointer<Double>, _ count: Int) -> Bool {
    for top in stride(from: 0, to: count, by: 4) {
      let end = min(top + 4, count)
      for j in 0..<end {
        let sums = dotProducts(a, ofRowsFrom: top, to: end - 1, withRow: j, stride: count)
        let diagonal = a + j * (count + 1)
        if j >= top {
          let pivot = diagonal.pointee - sums[j - top]
          guard pivot > 1e-14 * diagonal.pointee, pivot.isFinite else { return false }
          diagonal.pointee = pivot.squareRoot()
        }
        for row in max(top, j + 1)..<max(end, j + 1) {
          a[row * count + j] = (a[row * count + j] - sums[row - top]) / diagonal.pointee
        }
      }
    }
    return true
  }

  /// Of four rows (the last again in place of those behind it) with row j, over their first j columns.
  @inline(__always)
  private static func dotProducts(
    _ a: UnsafePointer<Double>, ofRowsFrom top: Int, to last: Int, withRow j: Int, stride: Int
  ) -> SIMD4<Double> {
    let (a0, a1) = (a + top &* stride, a + min(top &+ 1, last) &* stride)
    let (a2, a3) = (a + min(top &+ 2, last) &* stride, a + min(top &+ 3, last) &* stride)
    let b = a + j &* stride
    var (s0, s1, s2, s3) = (SIMD4<Double>.zero, SIMD4<Double>.zero, SIMD4<Double>.zero, SIMD4<Double>.zero)
    var k = 0
    while k &+ 4 <= j {
      let x = four(b, k)
      s0 += four(a0, k) * x
      s1 += four(a1, k) * x
      s2 += four(a2, k) * x
      s3 += four(a3, k) * x
      k &+= 4
    }
    var sums = SIMD4(s0.sum(), s1.sum(), s2.sum(), s3.sum())
    while k < j {
      sums += SIMD4(a0[k], a1[k], a2[k], a3[k]) * b[k]
      k &+= 1
    }
    return sums
  }

  @inline(__always)
  private static func four(_ pointer: UnsafePointer<Double>, _ offset: Int) -> SIMD4<Double> {
    UnsafeRawPointer(pointer + offset).loadUnaligned(as: SIMD4<Double>.self)
  }

  /// x with matrix * x = right, for sixteen right-hand sides [count].
  func solve(_ right: [Lanes]) -> [Lanes] {
    var x = right
    x.withUnsafeMutableBufferPointer { buffer in
      guard let x = buffer.baseAddress else { return }
      for i in 0..<count {
        let known = lower.withUnsafeBufferPointer { weightedSum($0.baseAddress! + i * count, x, count: i) }
        x[i] = (x[i] - known) / lower[i * (count + 1)]
      }
      for i in (0..<count).reversed() {
        let known = upper.withUnsafeBufferPointer {
          weightedSum($0.baseAddress! + i * (count + 1) + 1, x + i + 1, count: count - 1 - i)
        }
        x[i] = (x[i] - known) / lower[i * (count + 1)]
      }
    }
    return x
  }

  /// x with matrix * x = right [count].
  func solve(_ right: [Double]) -> [Double] { solve(right.map { Lanes(repeating: $0) }).map { $0[0] } }
}
