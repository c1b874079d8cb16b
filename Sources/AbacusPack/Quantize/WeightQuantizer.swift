/// Weights of one matrix product on symmetric int8 grids, one for each output channel.
struct QuantizedWeights {
  /// In the order of the real weights.
  var codes: [Int8]
  /// One a channel.
  var scales: [Double]

  /// - Parameters:
  ///   - largestSum: what the magnitudes of a channel's codes may come to; its scale grows where they
  ///     would be more.
  ///   - channelOf: output channel of weight i.
  ///
  /// Channels that are all but zero get a thousandth of the largest scale, or their int32 bias would
  /// overflow.
  init(_ weights: [Double], channels: Int, largestSum: Double = .infinity, channelOf: (Int) -> Int) {
    var largest = [Double](repeating: 0, count: channels)
    var sums = largest
    for (index, weight) in weights.enumerated() {
      sums[channelOf(index)] += weight.magnitude
      largest[channelOf(index)] = max(largest[channelOf(index)], weight.magnitude)
    }
    let most = largest.max() ?? 0
    let floor = most > 0 ? most * 1e-3 : 1
    // Rounding may add half a step to each weight.
    let mostSteps = largestSum - Double(weights.count / max(channels, 1)) / 2
    let scales = zip(largest, sums).map { max(max($0, floor) / 127, $1 / mostSteps) }
    self.scales = scales
    codes = weights.enumerated().map { index, weight in
      Int8(min(max((weight / scales[channelOf(index)] + 0.5).rounded(.down), -127), 127))
    }
  }
}
