/// Arithmetic on shapes that come from files.
enum Shapes {
  /// Elements of one tensor stay below this, as in the blob.
  static let maximumElements = 1 << 30
  static let maximumRank = 8

  /// Elements of a shape within the limits, else nil. Zero extents do not hide a product that
  /// overflows.
  static func elementCount(_ shape: [Int]) -> Int? {
    guard shape.count <= maximumRank else { return nil }
    var count = 1
    for extent in shape {
      guard (0..<maximumElements).contains(extent) else { return nil }
      count *= max(extent, 1)
      guard count < maximumElements else { return nil }
    }
    return shape.contains(0) ? 0 : count
  }

  /// The shape of two operands' combination by numpy's rules.
  static func broadcast(_ a: [Int], _ b: [Int]) throws -> [Int] {
    let rank = max(a.count, b.count)
    return try zip(widened(a, to: rank), widened(b, to: rank)).map { x, y in
      guard x == y || x == 1 || y == 1 else {
        throw PackError(.malformed, "the shapes \(a) and \(b) do not broadcast")
      }
      return x == 1 ? y : x
    }
  }

  /// The shape seen with `rank` dimensions: ones before its own.
  static func widened(_ shape: [Int], to rank: Int) -> [Int] {
    Array(repeating: 1, count: max(rank - shape.count, 0)) + shape
  }

  /// `axis` counted from the front, for a tensor of `rank` dimensions.
  static func resolve(axis: Int, rank: Int) throws -> Int {
    let resolved = axis < 0 ? axis + rank : axis
    guard (0..<rank).contains(resolved) else {
      throw PackError(.malformed, "dimension \(axis) of a tensor with \(rank) dimensions does not exist")
    }
    return resolved
  }
}
