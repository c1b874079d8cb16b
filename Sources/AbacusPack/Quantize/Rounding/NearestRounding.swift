extension RoundedWeights {
  /// Each weight on the nearest value of its grid, the largest of each group or channel on the last.
  ///
  /// - Parameter weights: row-major [channels, depth].
  ///
  /// Groups and channels that are all but zero get a thousandth of the largest scale, or their int32 bias would overflow.
  static func nearest(_ weights: [Double], channels: Int, _ format: WeightFormat) -> RoundedWeights {
    let depth = weights.count / channels
    var rounded = RoundedWeights(
      format: format, channels: channels, depth: depth, codes: [], scales: [], relativeScales: [], zeros: [], lift: format.lift)
    let groups = rounded.groups
    let size = format.groupSize ?? depth
    let (lowest, highest) = (Double(format.levels.first!), Double(format.levels.last!))
    // Step and lowest value of each group.
    let ranges = (0..<channels * groups).map { index -> (step: Double, bottom: Double) in
      let start = index / groups * depth + index % groups * size
      let part = weights[start..<min(start + size, (index / groups + 1) * depth)]
      if format.grid == .offset {
        let (bottom, top) = (min(part.min() ?? 0, 0), max(part.max() ?? 0, 0))
        return ((top - bottom) / (highest - lowest), bottom)
      }
      return (part.reduce(0) { max($0, $1.magnitude) } / highest, 0)
    }
    let most = ranges.reduce(0) { max($0, $1.step) }
    let floor = most > 0 ? most * 1e-3 : 1
    let steps = ranges.map { max($0.step, floor) }
    if format.groupSize == nil {
      rounded.scales = steps
    } else {
      rounded.scales = (0..<channels).map { n in steps[n * groups..<(n + 1) * groups].max()! * 128 / 255 }
      rounded.relativeScales = steps.indices.map { UInt8(min(max((steps[$0] / rounded.scales[$0 / groups] * 128).rounded(), 1), 255)) }
      if format.grid == .offset {
        rounded.zeros = steps.indices.map {
          Int8(min(max((ranges[$0].bottom / rounded.scales[$0 / groups] * 16).rounded(), -128), 127))
        }
      }
    }
    rounded.codes = weights.indices.map { index in
      let (n, k) = (index / depth, index % depth)
      let group = n * groups + k / size
      let step =
        rounded.relativeScales.isEmpty ? rounded.scales[n] : rounded.unit(n) * Double(rounded.relativeScales[group])
      let zero = rounded.zeros.isEmpty ? 0 : rounded.unit(n) * 8 * Double(rounded.zeros[group])
      return format.code((weights[index] - zero) / step)
    }
    return rounded
  }
}

extension WeightFormat {
  /// The value of the grid that lies nearest.
  func code(_ value: Double) -> Int8 {
    let levels = levels
    let nearest = grid == .odd ? 2 * (value / 2).rounded(.down) + 1 : (value + 0.5).rounded(.down)
    return Int8(min(max(nearest, Double(levels.first!)), Double(levels.last!)))
  }
}
