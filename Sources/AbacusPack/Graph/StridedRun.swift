/// Elements `start`, `start + stride`, ... along one dimension.
struct StridedRun: Equatable {
  var start: Int
  var stride = 1
  var count: Int

  /// All of an extent.
  static func whole(_ extent: Int) -> StridedRun { StridedRun(start: 0, count: extent) }

  /// The indices that a begin, end (nil for open ones) and stride pick, by Python's rules. A relative
  /// end counts from the begin.
  static func python(
    over extent: Int, _ begin: Int?, _ end: Int?, _ stride: Int, endIsRelative: Bool = false
  ) throws -> StridedRun {
    guard stride != 0 else { throw PackError(.malformed, "strides must not be 0") }
    // Going backwards, the place before the first element can be an end, and is never a begin.
    let places = stride > 0 ? 0...extent : -1...extent - 1
    func clamp(_ index: Int) -> Int { min(max(index, places.lowerBound), places.upperBound) }
    func resolve(_ index: Int) -> Int { clamp(index < 0 ? index + extent : index) }
    let start = begin.map(resolve) ?? (stride > 0 ? 0 : extent - 1)
    let stop: Int
    if let end {
      stop = endIsRelative ? clamp(start + end) : resolve(end)
    } else {
      stop = stride > 0 ? extent : -1
    }
    let count = stride > 0 ? (stop - start + stride - 1) / stride : (start - stop - stride - 1) / -stride
    return StridedRun(start: start, stride: stride, count: max(count, 0))
  }
}
