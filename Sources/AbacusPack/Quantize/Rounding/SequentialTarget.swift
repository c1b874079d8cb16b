/// What the weights of a layer are to become when the layers before it are rounded already: it no longer gets the inputs x
/// that it was trained with, but y.
enum SequentialTarget {
  /// The weights T with which the sums over y come closest to those of the weights over x, in least squares:
  /// T = W (C + damping) (H + damping)⁻¹, with H the moments of y and C those between x and y.
  ///
  /// - Parameters:
  ///   - weights: W [channels, depth].
  ///   - cross: moments of rows y (first) and x (other), centred where `moments` are.
  ///   - share: how much of the way to go: 1 for all, 0 for the weights as they are.
  static func weights(
    _ weights: [Double], channels: Int, cross: SecondMoments, _ moments: DampedMoments, isCentred: Bool,
    share: Double = 1, threads: Int? = nil
  ) throws -> [Double] {
    let depth = weights.count / channels
    let matrix = cross.matrix(isCentred: isCentred)
    let target = try ChannelPanel.map(channels: channels, depth: depth, threads: threads) { panel in
      let lanes = ChannelPanel.lanes(panel, of: weights, channels: channels)
      let right = matrix.withUnsafeBufferPointer { matrix in
        lanes.withUnsafeBufferPointer { lanes in
          lanes.indices.map { k in
            weightedSum(matrix.baseAddress! + k * depth, lanes.baseAddress!, count: depth) + lanes[k] * moments.damping
          }
        }
      }
      return moments.solve(right)
    }
    return zip(weights, target).map { $0 + share * ($1 - $0) }
  }

  /// What to add to the bias of each channel: the mean that its sums have with the weights and the inputs of training, less
  /// the one that they have with the rounded weights and the inputs that come now.
  ///
  /// - Parameters:
  ///   - mean: of each input of training [depth].
  ///   - roundedMean: of each input after rounding the layers before.
  static func biasCorrection(
    _ weights: [Double], _ rounded: RoundedWeights, mean: [Double], roundedMean: [Double]
  ) -> [Double] {
    (0..<rounded.channels).map { channel in
      (0..<rounded.depth).reduce(0) { sum, k in
        sum + weights[channel * rounded.depth + k] * mean[k]
          - Double(rounded.integer(channel, k)) * rounded.unit(channel) * roundedMean[k]
      }
    }
  }
}
