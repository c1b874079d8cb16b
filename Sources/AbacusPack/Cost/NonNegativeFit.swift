/// Least squares with coefficients that are not negative (Lawson and Hanson), each sample weighted such that relative errors
/// count.
enum NonNegativeFit {
  /// Coefficients of the features whose share is not nothing.
  ///
  /// - Parameter samples: of each, its features and what was measured, more than 0.
  static func fit(_ samples: [(features: [String: Double], measured: Double)]) -> [String: Double] {
    let names = Set(samples.flatMap(\.features.keys)).sorted()
    let columns = names.map { name in samples.map { ($0.features[name] ?? 0) / $0.measured } }
    // Columns of length 1 keep the equations well conditioned.
    let lengths = columns.map { column in max(column.reduce(0) { $0 + $1 * $1 }.squareRoot(), 1e-300) }
    let scaled = zip(columns, lengths).map { column, length in column.map { $0 / length } }
    let gram = scaled.map { a in scaled.map { dot(a, $0) } }
    let target = scaled.map { $0.reduce(0, +) }
    let solution = solve(gram, target)
    return names.indices.reduce(into: [:]) { if solution[$1] > 0 { $0[names[$1]] = solution[$1] / lengths[$1] } }
  }

  private static func solve(_ gram: [[Double]], _ target: [Double]) -> [Double] {
    var solution = target.map { _ in 0.0 }
    var active: [Int] = []
    let tolerance = 1e-7 * Double(max(target.count, 1))
    for _ in 0..<3 * target.count {
      let gradient = target.indices.map { target[$0] - dot(gram[$0], solution) }
      let candidates = target.indices.filter { !active.contains($0) && gradient[$0] > tolerance }
      guard let next = candidates.max(by: { gradient[$0] < gradient[$1] }) else { break }
      active.append(next)
      while let trial = unconstrained(gram, target, active) {
        let negative = active.indices.filter { trial[$0] <= 0 }
        if negative.isEmpty {
          for (place, index) in active.enumerated() { solution[index] = trial[place] }
          break
        }
        // As far as no coefficient becomes negative; those that are 0 then leave.
        let share = negative.map { solution[active[$0]] / (solution[active[$0]] - trial[$0]) }.min() ?? 0
        for (place, index) in active.enumerated() { solution[index] += share * (trial[place] - solution[index]) }
        let leaving = Set(negative.map { active[$0] }.filter { solution[$0] <= 1e-12 })
        for index in leaving { solution[index] = 0 }
        active.removeAll(where: leaving.contains)
        if leaving.isEmpty || leaving.contains(next) { break }
      }
    }
    return solution
  }

  /// By Cholesky's method; nil where the columns depend on each other.
  private static func unconstrained(_ gram: [[Double]], _ target: [Double], _ active: [Int]) -> [Double]? {
    let count = active.count
    var factor = (0..<count).map { row in (0..<count).map { gram[active[row]][active[$0]] + ($0 == row ? 1e-9 : 0) } }
    for column in 0..<count {
      for row in column..<count {
        for k in 0..<column { factor[row][column] -= factor[row][k] * factor[column][k] }
      }
      guard factor[column][column] > 0 else { return nil }
      let root = factor[column][column].squareRoot()
      for row in column..<count { factor[row][column] /= root }
    }
    var result = active.map { target[$0] }
    for row in 0..<count {
      for k in 0..<row { result[row] -= factor[row][k] * result[k] }
      result[row] /= factor[row][row]
    }
    for row in (0..<count).reversed() {
      for k in row + 1..<max(count, row + 1) { result[row] -= factor[k][row] * result[k] }
      result[row] /= factor[row][row]
    }
    return result
  }

  private static func dot(_ a: [Double], _ b: [Double]) -> Double {
    var sum = 0.0
    for index in a.indices { sum += a[index] * b[index] }
    return sum
  }
}
