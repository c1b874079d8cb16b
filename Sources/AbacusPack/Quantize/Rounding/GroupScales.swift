extension WeightFormat {
  /// Weights of a channel that share a scale.
  func groupSize(depth: Int) -> Int { groupSize ?? max(depth, 1) }

  /// The inputs of each group of a channel.
  func groups(depth: Int) -> [Range<Int>] {
    let size = groupSize(depth: depth)
    return stride(from: 0, to: depth, by: size).map { $0..<min($0 + size, depth) }
  }

  /// The value of the grid that lies nearest to each.
  @inline(__always)
  func nearest(_ values: Lanes) -> Lanes {
    let nearest: Lanes =
      grid == .odd ? 2 * (values / 2).rounded(.down) + 1 : (values + Lanes(repeating: 0.5)).rounded(.down)
    return nearest.clamped(lowerBound: Lanes(repeating: Double(lowest)), upperBound: Lanes(repeating: Double(highest)))
  }

  private var lowest: Int { grid == .offset ? 0 : -highest }

  /// The last value of the grid.
  var highest: Int { grid == .symmetric ? (1 << (bits - 1)) - 1 : (1 << bits) - 1 }
}

/// Steps and zero points of the groups of sixteen channels, as real numbers: a weight is `step * code + zero`.
struct GroupScales: Sendable {
  /// One a group.
  var steps: [Lanes]
  /// One a group; 0 but on the grid `offset`.
  var zeros: [Lanes]

  /// Steps that span the weights of each group.
  init(spanning weights: [Lanes], _ format: WeightFormat) {
    self.init(weights, importance: nil, shares: [1], format)
  }

  /// Steps with the smallest squared error after rounding to the nearest, among those that span 40 to 100 % of the
  /// weights' range (25 to 100 % where it is symmetric).
  ///
  /// - Parameter importance: of each weight: the diagonal of the second moments of the inputs, 0 for pruned weights.
  init(searching weights: [Lanes], importance: [Lanes], _ format: WeightFormat) {
    let (first, count) = format.grid == .offset ? (0.4, 31) : (0.25, 46)
    let shares = (0..<count).map { $0 == count - 1 ? 1 : first + Double($0) * ((1 - first) / Double(count - 1)) }
    self.init(weights, importance: importance, shares: shares, format)
  }

  private init(_ weights: [Lanes], importance: [Lanes]?, shares: [Double], _ format: WeightFormat) {
    steps = []
    zeros = []
    for group in format.groups(depth: weights.count) {
      let part = weights[group]
      var bottom = part.first ?? .zero
      var top = bottom
      for weight in part {
        bottom = pointwiseMin(bottom, weight)
        top = pointwiseMax(top, weight)
      }
      var (best, step, zero) = (Lanes(repeating: .infinity), Lanes.zero, Lanes.zero)
      for share in shares {
        let (triedStep, triedZero) = Self.spanning(share, of: bottom, top, format)
        var error = Lanes.zero
        for k in group {
          let difference = format.nearest((weights[k] - triedZero) / triedStep) * triedStep + triedZero - weights[k]
          error += difference * difference * (importance?[k] ?? Lanes(repeating: 1))
        }
        let isBetter = error .< best
        best.replace(with: error, where: isBetter)
        step.replace(with: triedStep, where: isBetter)
        zero.replace(with: triedZero, where: isBetter)
      }
      steps.append(step)
      zeros.append(zero)
    }
  }

  /// The step and zero point with which a grid spans a share of a range, about its middle.
  private static func spanning(
    _ share: Double, of bottom: Lanes, _ top: Lanes, _ format: WeightFormat
  ) -> (step: Lanes, zero: Lanes) {
    let smallest = Lanes(repeating: 1e-30)
    let highest = Double(format.highest)
    guard format.grid == .offset else {
      return (pointwiseMax(pointwiseMax(top, -bottom) * share / highest, smallest), .zero)
    }
    let step = pointwiseMax((top - bottom) * share / highest, smallest)
    return (step, (top + bottom) / 2 - step * highest / 2)
  }
}

/// The scales of one channel as they are stored.
struct ChannelScales: Sendable, Equatable {
  var scale: Double
  /// 1...255, in 128ths of the scale; empty without groups.
  var relative: [UInt8] = []
  /// In 16ths of the scale; empty but on the grid `offset`.
  var zeros: [Int8] = []

  /// - Parameters:
  ///   - steps, zeros: of the channel's groups.
  ///   - floor: what steps are at least: a channel that is all but zero would have a bias beyond 32 bits.
  init(steps: [Double], zeros: [Double], floor: Double, _ format: WeightFormat) {
    let steps = steps.map { max($0, floor) }
    scale = steps.max() ?? floor
    guard format.groupSize != nil else { return }
    scale = scale * 128 / 255
    if format.grid == .offset { scale = max(scale, (zeros.map(\.magnitude).max() ?? 0) * 16 / 127) }
    relative = steps.map { [scale] in UInt8(min(max(($0 / scale * 128 + 0.5).rounded(.down), 1), 255)) }
    guard format.grid == .offset else { return }
    self.zeros = zeros.map { [scale] in Int8(min(max(($0 / scale * 16 + 0.5).rounded(.down), -128), 127)) }
  }

  func step(_ group: Int) -> Double { relative.isEmpty ? scale : scale * Double(relative[group]) / 128 }

  func zero(_ group: Int) -> Double { zeros.isEmpty ? 0 : scale * Double(zeros[group]) / 16 }
}
