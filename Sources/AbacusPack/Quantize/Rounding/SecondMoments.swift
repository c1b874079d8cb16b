/// What the inputs of a matrix product look like together: the mean of each, and of the product of every two.
///
/// Sums are of Doubles, in the order of the rows: they do not depend on how many cores work.
struct SecondMoments: Sendable {
  /// Inputs of the product: the length of a row.
  let depth: Int
  /// Rows seen.
  private(set) var count = 0
  private var sums: [Double]
  private var otherSums: [Double]
  /// [depth, depth]: the sum over rows of `row[i] * other[j]`.
  private var products: [Double]
  /// Whether rows of two kinds are multiplied.
  private let isCross: Bool

  /// - Parameter isCross: whether rows of two kinds are multiplied: what a layer gets after rounding the layers before it,
  ///   and what it would get without.
  init(depth: Int, isCross: Bool = false) {
    self.depth = depth
    self.isCross = isCross
    sums = [Double](repeating: 0, count: depth)
    otherSums = sums
    products = [Double](repeating: 0, count: depth * depth)
  }

  /// - Parameters:
  ///   - rows: inputs [n, depth].
  ///   - others: of moments between two kinds, the other inputs of the same samples, in the same order.
  ///
  /// Throws `PackError` unless both are whole rows, equally many.
  mutating func add(_ rows: [Float], _ others: [Float]? = nil, threads: Int? = nil) throws {
    let others = others ?? rows
    guard depth > 0, rows.count.isMultiple(of: depth), others.count == rows.count else {
      throw PackError(.malformed, "\(rows.count) and \(others.count) inputs are not rows of \(depth) of the same samples")
    }
    let added = rows.count / depth
    count += added
    for index in rows.indices {
      sums[index % depth] += Double(rows[index])
      otherSums[index % depth] += Double(others[index])
    }
    // Columns of the rows one behind the other, a few rows at a time so that they stay near.
    for start in stride(from: 0, to: added, by: 512) {
      let block = start..<min(start + 512, added)
      try addProducts(columns(of: rows, block), columns(of: others, block), rows: block.count, threads: threads)
    }
  }

  /// The columns of some rows, as [depth, rows].
  private func columns(of rows: [Float], _ block: Range<Int>) -> [Double] {
    var columns = [Double](repeating: 0, count: depth * block.count)
    for row in block {
      for k in 0..<depth { columns[k * block.count + row - block.lowerBound] = Double(rows[row * depth + k]) }
    }
    return columns
  }

  /// Adds `left[i] * right[j]` [depth, depth] for sixteen j at a time; of equal kinds only where i does not lie behind j.
  private mutating func addProducts(_ left: [Double], _ right: [Double], rows: Int, threads: Int?) throws {
    let (depth, isCross) = (depth, isCross)
    try OrderedWork.run(count: ChannelPanel.count(channels: depth), threads: threads) { panel in
      let lanes = ChannelPanel.lanes(panel, of: right, channels: depth)
      let end = isCross ? depth : ChannelPanel.channels(panel, of: depth).upperBound
      return left.withUnsafeBufferPointer { left in
        lanes.withUnsafeBufferPointer { lanes in
          (0..<end).map { weightedSum(left.baseAddress! + $0 * rows, lanes.baseAddress!, count: rows) }
        }
      }
    } consume: { panel, panelSums in
      for (lane, j) in ChannelPanel.channels(panel, of: depth).enumerated() {
        for i in panelSums.indices where isCross || i <= j { products[i * depth + j] += panelSums[i][lane] }
      }
    }
  }

  /// The mean of each input.
  var mean: [Double] { sums.map { $0 / Double(max(count, 1)) } }

  /// The mean of each input of the other kind.
  var otherMean: [Double] { otherSums.map { $0 / Double(max(count, 1)) } }

  /// The mean products [depth, depth], less the products of the means if `isCentred`: with a corrected bias it does not
  /// matter what rounding does to the mean of a sum.
  func matrix(isCentred: Bool) -> [Double] {
    let (mean, otherMean) = (mean, otherMean)
    var result = products
    for i in 0..<depth {
      for j in 0..<depth {
        let sum = isCross || i <= j ? products[i * depth + j] : products[j * depth + i]
        result[i * depth + j] = sum / Double(max(count, 1)) - (isCentred ? mean[i] * otherMean[j] : 0)
      }
    }
    return result
  }
}

/// Second moments with enough on their diagonal to be inverted: what the error of rounded weights is measured by.
struct DampedMoments: Sendable {
  /// H [depth, depth]: the error of weights that are off by d is d H dᵀ.
  let matrix: SymmetricMatrix
  /// What was added to the diagonal.
  let damping: Double
  /// Inputs by rising diagonal.
  let order: [Int]
  /// Of the matrix in that order.
  let factor: CholeskyFactor

  /// - Parameters:
  ///   - share: of the diagonal's mean, what is added to it: 0.01 as GPTQ does. It grows where it is not enough.
  ///   - name: of the layer, for messages.
  init(_ moments: SecondMoments, isCentred: Bool, share: Double = 0.01, name: String) throws {
    try self.init(
      SymmetricMatrix(count: moments.depth, values: moments.matrix(isCentred: isCentred)), share: share, name: name)
  }

  init(_ matrix: SymmetricMatrix, share: Double = 0.01, name: String) throws {
    let diagonal = matrix.diagonal
    let mean = diagonal.reduce(0, +) / Double(max(matrix.count, 1))
    guard mean.isFinite, mean >= 0 else {
      throw PackError(.unsupported, "\(name): its inputs have a mean square of \(mean), and weights cannot be rounded by that")
    }
    let order = diagonal.indices.sorted { (diagonal[$0], $0) < (diagonal[$1], $1) }
    let ordered = matrix.selecting(order)
    // Inputs that are always 0 weigh alike.
    let unit = mean > 0 ? mean : 1
    var share = mean > 0 ? max(share, 1e-9) : 1
    while share < 1e6 {
      if let factor = CholeskyFactor(ordered.addingToDiagonal(share * unit)) {
        self.matrix = matrix.addingToDiagonal(share * unit)
        self.damping = share * unit
        self.order = order
        self.factor = factor
        return
      }
      share *= 10
    }
    throw PackError(
      .unsupported, "\(name): the second moments of its inputs have no inverse, whatever is added to their diagonal")
  }

  /// x with H x = right, for sixteen right-hand sides.
  func solve(_ right: [Lanes]) -> [Lanes] {
    let solved = factor.solve(order.map { right[$0] })
    var result = solved
    for (position, index) in order.enumerated() { result[index] = solved[position] }
    return result
  }

  /// H d for input k: how the error grows with weight k. `difference` holds the weights less the rounded ones.
  @inline(__always)
  func slope(_ k: Int, _ difference: UnsafePointer<Lanes>) -> Lanes {
    matrix.values.withUnsafeBufferPointer {
      weightedSum($0.baseAddress! + k &* matrix.count, difference, count: matrix.count)
    }
  }

  /// d H dᵀ of sixteen channels.
  func error(_ difference: [Lanes]) -> Lanes {
    difference.withUnsafeBufferPointer { difference in
      var sum = Lanes.zero
      for k in difference.indices { sum += difference[k] * slope(k, difference.baseAddress!) }
      return sum
    }
  }
}
