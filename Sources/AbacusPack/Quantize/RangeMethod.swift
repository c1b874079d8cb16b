import Foundation

/// How a range of values is chosen from what was seen.
public enum RangeMethod: Sendable, Equatable {
  /// Everything that was seen.
  case minMax
  /// This percentage of what was seen: of the magnitudes where the grid is symmetric; otherwise half
  /// of the rest is cut off at either end.
  case percentile(Double)
  /// The range for which rounding and clamping together have the smallest mean squared error.
  case meanSquaredError
}

extension TensorStatistics {
  /// Scale of a symmetric grid of `bits` bits: largest magnitude by 127 or 32,767.
  ///
  /// Never zero: a tensor that was always zero gets the range 1.
  public func symmetricScale(bits: Int, _ method: RangeMethod) -> Double {
    Self.symmetricScale(bits, method, largest: magnitude(of: 0..<channels), histograms)
  }

  /// Scale of a symmetric grid for some of the channels, such as one attention head's.
  ///
  /// Methods other than `minMax` need histograms of just these channels, which calibration keeps
  /// where it is asked to (`channelGroups`); elsewhere they act as `minMax`. Channels that are not
  /// told apart have the scale of the whole tensor.
  public func symmetricScale(bits: Int, _ method: RangeMethod, channels: Range<Int>) -> Double {
    guard channels.upperBound <= self.channels else { return symmetricScale(bits: bits, method) }
    let groups = histograms(of: channels)
    return Self.symmetricScale(
      bits, groups.isEmpty ? .minMax : method, largest: magnitude(of: channels), groups)
  }

  /// Scale and zero point of an int8 grid that reaches from the smallest to the largest value and has
  /// a code for 0.
  public func asymmetric(bits: Int = 8, _ method: RangeMethod) -> (scale: Double, zeroPoint: Int) {
    let steps = Double((1 << bits) - 1)
    let lowest = -Double(1 << (bits - 1))
    var (low, high) = (Self.sane(Double(minimum)), Self.sane(Double(maximum)))
    let buckets = method == .minMax ? [] : Self.merged(histograms).buckets(within: low...max(low, high))
    if case .percentile(let share) = method, !buckets.isEmpty {
      low = max(Histogram.quantile((100 - share) / 200, of: buckets), low)
      high = min(Histogram.quantile((100 + share) / 200, of: buckets), high)
    }
    low = min(low, 0)
    high = max(high, 0)
    guard high - low >= Self.smallestRange else { return (1 / steps, Int(lowest)) }
    func grid(_ fraction: Double) -> (scale: Double, zeroPoint: Int) {
      let scale = max(high * fraction - low, Self.smallestRange) / steps
      let zeroPoint = (lowest - low / scale).rounded(.toNearestOrEven)
      return (scale, Int(min(max(zeroPoint, lowest), lowest + steps)))
    }
    guard method == .meanSquaredError else { return grid(1) }
    return Self.best(from: 0.5, candidates: 26, grid) { scale, zeroPoint in
      let first = lowest - Double(zeroPoint)
      return Histogram.squaredError(buckets, scale: scale, steps: first...(first + steps))
    }
  }

  /// Power of the values over power of the error, in decibels, that rounding to a grid of 8 bits leaves.
  ///
  /// - Parameter isSymmetric: the grid has no zero point.
  public func signalToNoise(isSymmetric: Bool, _ method: RangeMethod) -> Double {
    let (low, high) = (Self.sane(Double(minimum)), Self.sane(Double(maximum)))
    let buckets = Self.merged(histograms).buckets(within: low...max(low, high))
    let signal = buckets.reduce(0) { sum, bucket in
      let middle = (bucket.low + bucket.high) / 2
      return sum + Double(bucket.count) * middle * middle
    }
    let (scale, zeroPoint) = isSymmetric ? (symmetricScale(bits: 8, method), 0) : asymmetric(method)
    let first = -128 - Double(zeroPoint)
    let noise = Histogram.squaredError(buckets, scale: scale, steps: first...(first + 255))
    return noise > 0 && signal > 0 ? 10 * log10(signal / noise) : .infinity
  }

  // MARK: Parts

  /// Ranges below this are taken for zero.
  private static let smallestRange = 1e-30

  /// Infinity, which stands for "nothing was seen", as zero.
  private static func sane(_ value: Double) -> Double { value.isFinite ? value : 0 }

  private static func symmetricScale(
    _ bits: Int, _ method: RangeMethod, largest: Double, _ histograms: [Histogram]
  ) -> Double {
    let steps = Double((1 << (bits - 1)) - 1)
    guard largest >= smallestRange else { return 1 / steps }
    switch method {
    case .minMax: return largest / steps
    case .percentile(let share):
      let quantile = Histogram.quantile(share / 100, of: merged(histograms).magnitudes(upTo: largest))
      return max(min(quantile, largest), smallestRange) / steps
    case .meanSquaredError:
      let buckets = merged(histograms).buckets(within: -largest...largest)
      return best(from: 0.3, candidates: 36, { largest * $0 / steps }) { scale in
        Histogram.squaredError(buckets, scale: scale, steps: (-steps - 1)...steps)
      }
    }
  }

  /// The grid with the smallest error among those for evenly spaced fractions of the whole range, up
  /// to the whole.
  private static func best<Grid>(
    from first: Double, candidates: Int, _ grid: (Double) -> Grid, error: (Grid) -> Double
  ) -> Grid {
    var best = (grid: grid(1), error: Double.infinity)
    for candidate in 0..<candidates {
      let grid = grid(first + (1 - first) * Double(candidate) / Double(candidates - 1))
      let error = error(grid)
      if error < best.error { best = (grid, error) }
    }
    return best.grid
  }

  private static func merged(_ histograms: [Histogram]) -> Histogram {
    var sum = histograms[0]
    for histogram in histograms.dropFirst() { sum.merge(histogram) }
    return sum
  }

  /// Histograms that together count these channels and no others; none where there are no such.
  private func histograms(of channels: Range<Int>) -> [Histogram] {
    guard self.channels % histograms.count == 0, !channels.isEmpty else { return [] }
    let width = self.channels / histograms.count
    guard channels.lowerBound % width == 0, channels.upperBound % width == 0 else { return [] }
    return Array(histograms[(channels.lowerBound / width)..<(channels.upperBound / width)])
  }

  /// Largest magnitude in some channels.
  private func magnitude(of channels: Range<Int>) -> Double {
    channels.reduce(0) { largest, channel in
      max(
        largest, Self.sane(Double(channelMaximum[channel].magnitude)),
        Self.sane(Double(channelMinimum[channel].magnitude)))
    }
  }
}
