/// Weights of one matrix product on symmetric int8 grids, one for each output channel.
struct QuantizedWeights {
  /// In the order of the real weights.
  var codes: [Int8]
  /// One a channel.
  var scales: [Double]

  /// - Parameters:
  ///   - channelOf: output channel of weight i.
  ///
  /// Channels that are all but zero get a thousandth of the largest scale, or their int32 bias would
  /// overflow.
  init(_ weights: [Double], channels: Int, channelOf: (Int) -> Int) {
    var largest = [Double](repeating: 0, count: channels)
    for (index, weight) in weights.enumerated() {
      largest[channelOf(index)] = max(largest[channelOf(index)], weight.magnitude)
    }
    let most = largest.max() ?? 0
    let floor = most > 0 ? most * 1e-3 : 1
    let scales = largest.map { max($0, floor) / 127 }
    self.scales = scales
    codes = weights.enumerated().map { index, weight in
      Int8(min(max((weight / scales[channelOf(index)] + 0.5).rounded(.down), -127), 127))
    }
  }
}
