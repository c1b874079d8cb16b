/// A rearrangement that reshapes and transposes make, in one normal form: the source, seen with the
/// extents of `factors`, its factors in another `order`, the result seen with `shape`.
struct Relayout {
  private let sourceShape: [Int]
  /// Extents greater than 1 whose product is the number of elements, in the source's order.
  private var factors: [Int]
  /// Places in `factors`, in the result's order.
  private var order: [Int]
  private(set) var shape: [Int]

  init(of shape: [Int]) {
    sourceShape = shape
    self.shape = shape
    factors = shape.filter { $0 > 1 }
    order = Array(factors.indices)
  }

  /// Follows a reshape or transpose to a result of `shape`. False, and without effect, where the
  /// combination has no such form.
  mutating func follow(_ operation: Operation, to shape: [Int]) -> Bool {
    switch operation {
    case .reshape: break
    case .transpose(let permutation):
      guard let groups = split(self.shape) else { return false }
      order = permutation.flatMap { groups[$0] }
    default: return false
    }
    self.shape = shape
    merge()
    return true
  }

  /// The fewest nodes that do it, each an operation and the shape of its result. A transpose comes
  /// last where it can: from there it may move on.
  var steps: [(operation: Operation, shape: [Int])] {
    if order == Array(factors.indices) { return sourceShape == shape ? [] : [(.reshape, shape)] }
    let first = transposeFirst
    if let first, first.count == 1 { return first }
    if let steps = transposeLast ?? first { return steps }
    let moved = order.map { factors[$0] }
    return [(.reshape, factors), (.transpose(permutation: order), moved)]
      + (moved == shape ? [] : [(.reshape, shape)])
  }

  /// A transpose of the source's own dimensions, and a reshape where its result needs one.
  private var transposeFirst: [(operation: Operation, shape: [Int])]? {
    var copy = self
    guard let groups = copy.splitSource() else { return nil }
    // Each dimension's factors must stay together; those of extent 1 go where the shape wants them.
    guard let sorted = copy.dimensions(of: groups, in: copy.order) else { return nil }
    var ones = sourceShape.indices.filter { sourceShape[$0] == 1 }
    var rest = sorted[...]
    var permutation: [Int] = []
    if shape.count == sourceShape.count, shape.filter({ $0 > 1 }) == sorted.map({ sourceShape[$0] }) {
      permutation = shape.map { $0 == 1 ? ones.removeFirst() : rest.removeFirst() }
      return [(.transpose(permutation: permutation), shape)]
    }
    permutation = ones + sorted
    let moved = permutation.map { sourceShape[$0] }
    return [(.transpose(permutation: permutation), moved), (.reshape, shape)]
  }

  /// A reshape, and a transpose of its dimensions that gives the result.
  private var transposeLast: [(operation: Operation, shape: [Int])]? {
    var copy = self
    guard let groups = copy.split(shape) else { return nil }
    let indices = Array(copy.factors.indices)
    guard let sorted = copy.dimensions(of: groups, in: indices) else { return nil }
    let dimensions = shape.indices.filter { shape[$0] == 1 } + sorted
    let permutation = shape.indices.map { dimensions.firstIndex(of: $0)! }
    return [
      (.reshape, dimensions.map { shape[$0] }), (.transpose(permutation: permutation), shape),
    ]
  }

  /// The order in which dimensions greater than 1, each a group of factors, occur in a sequence of
  /// factors; nil where the sequence tears one apart.
  private func dimensions(of groups: [[Int]], in sequence: [Int]) -> [Int]? {
    var starts: [Int: Int] = [:]
    for (dimension, group) in groups.enumerated() where !group.isEmpty { starts[group[0]] = dimension }
    var result: [Int] = []
    var place = 0
    while place < sequence.count {
      guard let dimension = starts[sequence[place]] else { return nil }
      let group = groups[dimension]
      guard sequence[place...].starts(with: group) else { return nil }
      result.append(dimension)
      place += group.count
    }
    return result
  }

  /// Splits factors so that each dimension of `shape` is a row of whole ones in the result's order.
  private mutating func split(_ shape: [Int]) -> [[Int]]? {
    let saved = self
    var place = 0
    var groups: [[Int]] = []
    for extent in shape {
      var rest = extent
      var count = 0
      while rest > 1 {
        let next = place + count
        guard next < order.count, rest % factors[order[next]] == 0 || factors[order[next]] % rest == 0
        else {
          self = saved
          return nil
        }
        if rest < factors[order[next]] { divide(order[next], outer: rest) }
        rest /= factors[order[next]]
        count += 1
      }
      groups.append(Array(place..<place + count))
      place += count
    }
    return groups.map { $0.map { order[$0] } }
  }

  /// The same for the dimensions of the source, in the source's order.
  private mutating func splitSource() -> [[Int]]? {
    var inverse = self
    inverse.order = Array(factors.indices)
    guard let groups = inverse.split(sourceShape) else { return nil }
    // Splitting the source never fails to refine: a merged factor is a product of whole dimensions
    // or a part of one; the same cuts are made in the real order.
    var cut = self
    var place = 0
    while cut.factors != inverse.factors {
      if cut.factors[place] != inverse.factors[place] { cut.divide(place, outer: inverse.factors[place]) }
      place += 1
    }
    self = cut
    return groups
  }

  /// Cuts a factor in two.
  private mutating func divide(_ factor: Int, outer: Int) {
    factors.insert(factors[factor] / outer, at: factor + 1)
    factors[factor] = outer
    order = order.flatMap { $0 == factor ? [factor, factor + 1] : [$0 > factor ? $0 + 1 : $0] }
  }

  /// Neighbours in both the source and the result are one factor.
  private mutating func merge() {
    var place = 0
    while place + 1 < order.count {
      let factor = order[place]
      guard order[place + 1] == factor + 1 else {
        place += 1
        continue
      }
      factors[factor] *= factors.remove(at: factor + 1)
      order.remove(at: place + 1)
      order = order.map { $0 > factor ? $0 - 1 : $0 }
    }
  }
}
