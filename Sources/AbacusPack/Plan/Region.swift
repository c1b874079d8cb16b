/// A rectangle of pixels of an image.
struct Region: Hashable {
  var rows: Range<Int>
  var columns: Range<Int>

  /// All of an image [1, height, width, channels].
  static func whole(_ shape: [Int]) -> Region { Region(rows: 0..<shape[1], columns: 0..<shape[2]) }

  var pixels: Int { rows.count * columns.count }

  /// The smallest rectangle that holds both.
  func hull(_ other: Region) -> Region {
    func hull(_ a: Range<Int>, _ b: Range<Int>) -> Range<Int> {
      min(a.lowerBound, b.lowerBound)..<max(a.upperBound, b.upperBound)
    }
    return Region(rows: hull(rows, other.rows), columns: hull(columns, other.columns))
  }
}

/// How an image is cut into patches.
public struct PatchGrid: Hashable, Sendable {
  public var rows: Int
  public var columns: Int

  /// Patches of an image, row by row, as equal as can be.
  func regions(of shape: [Int]) -> [Region] {
    func parts(_ extent: Int, _ count: Int) -> [Range<Int>] {
      (0..<count).map { extent * $0 / count..<extent * ($0 + 1) / count }
    }
    return parts(shape[1], rows).flatMap { rows in
      parts(shape[2], columns).map { Region(rows: rows, columns: $0) }
    }
  }
}
