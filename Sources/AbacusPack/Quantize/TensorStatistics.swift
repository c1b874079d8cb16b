/// What the values of one tensor looked like over all samples.
public struct TensorStatistics: Sendable, Equatable {
  /// Up to this many channels (extent of the last dimension) are told apart.
  public static let maximumChannels = 4096

  /// Smallest and largest finite value; infinite (and in the wrong order) where there was none.
  public private(set) var minimum = Float.infinity
  public private(set) var maximum = -Float.infinity
  /// Values seen, those that are not finite included.
  public private(set) var count = 0
  /// Values that were infinite or no numbers: they take part in nothing else.
  public private(set) var nonFiniteCount = 0
  /// Of each channel; one entry for all where there are more than `maximumChannels`.
  public private(set) var channelMinimum: [Float] = []
  public private(set) var channelMaximum: [Float] = []
  /// Sum of each channel's finite values.
  private var channelSums: [Double] = []
  /// One for each of as many equal groups of channels as were asked for.
  private(set) var histograms: [Histogram]

  /// - Parameter groups: groups of neighbouring channels that have histograms of their own
  ///   (attention heads); it must divide the number of channels.
  init(groups: Int = 1) {
    histograms = [Histogram](repeating: Histogram(), count: max(groups, 1))
  }

  /// A range that is known without any values.
  init(low: Float, high: Float) {
    self.init()
    (minimum, maximum) = (low, high)
    (channelMinimum, channelMaximum) = ([low], [high])
  }

  /// What is known of each channel without any values.
  init(minima: [Float], maxima: [Float], means: [Double]) {
    self.init()
    (channelMinimum, channelMaximum, channelSums) = (minima, maxima, means)
    count = means.count
    minimum = minima.min() ?? minimum
    maximum = maxima.max() ?? maximum
  }

  /// Mean of each channel's values; those that are not finite count as 0.
  public var channelMean: [Double] {
    let rows = Double(count / max(channelSums.count, 1))
    return channelSums.map { $0 / rows }
  }

  /// Mean of all values.
  public var mean: Double { count == 0 ? 0 : channelSums.reduce(0, +) / Double(count) }

  /// Channels that are told apart.
  public var channels: Int { channelMinimum.count }

  // MARK: Collection

  /// Takes in the values of one sample. All samples of a tensor have the same shape.
  mutating func add(_ tensor: FloatTensor) {
    let extent = tensor.shape.last ?? 1
    prepare(channels: extent <= Self.maximumChannels ? max(extent, 1) : 1)
    count += tensor.values.count
    tensor.values.withUnsafeBufferPointer { values in
      addRanges(values)
      addHistograms(values)
    }
    minimum = channelMinimum.min() ?? minimum
    maximum = channelMaximum.max() ?? maximum
  }

  private mutating func prepare(channels: Int) {
    guard channelMinimum.isEmpty else { return }
    channelMinimum = [Float](repeating: .infinity, count: channels)
    channelMaximum = [Float](repeating: -.infinity, count: channels)
    channelSums = [Double](repeating: 0, count: channels)
  }

  private mutating func addRanges(_ values: UnsafeBufferPointer<Float>) {
    let channels = self.channels
    channelMinimum.withUnsafeMutableBufferPointer { low in
      channelMaximum.withUnsafeMutableBufferPointer { high in
        channelSums.withUnsafeMutableBufferPointer { sums in
          for start in stride(from: 0, to: values.count, by: channels) {
            for channel in 0..<channels {
              let value = values[start + channel]
              guard value.isFinite else {
                nonFiniteCount += 1
                continue
              }
              low[channel] = min(low[channel], value)
              high[channel] = max(high[channel], value)
              sums[channel] += Double(value)
            }
          }
        }
      }
    }
  }

  private mutating func addHistograms(_ values: UnsafeBufferPointer<Float>) {
    let width = channels / histograms.count
    guard histograms.count > 1, width > 0 else { return histograms[0].add(values) }
    for start in stride(from: 0, to: values.count, by: channels) {
      for group in histograms.indices {
        let first = start + group * width
        histograms[group].add(.init(rebasing: values[first..<first + width]))
      }
    }
  }

  /// Widens the range to that of another tensor, which shares this one's scale.
  mutating func extendRange(by other: TensorStatistics) {
    minimum = min(minimum, other.minimum)
    maximum = max(maximum, other.maximum)
  }

  /// Takes in the statistics of further samples of the same tensor.
  mutating func merge(_ other: TensorStatistics) {
    guard other.count > 0 else { return }
    prepare(channels: other.channels)
    count += other.count
    nonFiniteCount += other.nonFiniteCount
    for channel in 0..<channels {
      channelMinimum[channel] = min(channelMinimum[channel], other.channelMinimum[channel])
      channelMaximum[channel] = max(channelMaximum[channel], other.channelMaximum[channel])
      channelSums[channel] += other.channelSums[channel]
    }
    for group in histograms.indices { histograms[group].merge(other.histograms[group]) }
    minimum = min(minimum, other.minimum)
    maximum = max(maximum, other.maximum)
  }
}
