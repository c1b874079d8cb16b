import Foundation
import Testing

@testable import AbacusPack

/// Statistics and ranges against plain computations on all the values.
@Suite struct TensorStatisticsTests {
  /// Bell-shaped values with a few large ones, [rows, channels].
  static func values(_ count: Int, seed: UInt64, tail: Float = 6) -> [Float] {
    var generator = SeededGenerator(state: seed)
    return (0..<count).map { index in
      let sum = (0..<12).reduce(Float(0)) { sum, _ in sum + Float.random(in: 0...1, using: &generator) } - 6
      return index % 997 == 5 ? sum * tail : sum
    }
  }

  static func statistics(_ values: [Float], channels: Int, groups: Int = 1) -> TensorStatistics {
    var statistics = TensorStatistics(groups: groups)
    statistics.add(FloatTensor(shape: [values.count / channels, channels], values: values))
    return statistics
  }

  @Test func momentsByChannel() {
    let values = Self.values(600, seed: 1)
    var statistics = TensorStatistics()
    for part in [values[..<240], values[240...]] {
      statistics.merge(Self.statistics(Array(part), channels: 6))
    }
    #expect(statistics.count == 600)
    #expect(statistics.nonFiniteCount == 0)
    #expect(statistics.minimum == values.min())
    #expect(statistics.maximum == values.max())
    for channel in 0..<6 {
      let own = stride(from: channel, to: 600, by: 6).map { values[$0] }
      #expect(statistics.channelMinimum[channel] == own.min())
      #expect(statistics.channelMaximum[channel] == own.max())
      let mean = own.reduce(0.0) { $0 + Double($1) } / 100
      #expect(abs(statistics.channelMean[channel] - mean) < 1e-12)
    }
    let mean = values.reduce(0.0) { $0 + Double($1) } / 600
    #expect(abs(statistics.mean - mean) < 1e-12)
  }

  @Test func manyChannelsAreNotToldApart() {
    let values = Self.values(5000, seed: 2)
    let statistics = Self.statistics(values, channels: 5000)
    #expect(statistics.channels == 1)
    #expect(statistics.minimum == values.min())
    #expect(
      statistics.symmetricScale(bits: 8, .minMax, channels: 10..<20)
        == statistics.symmetricScale(bits: 8, .minMax))
  }

  /// What is not finite is counted and otherwise left out.
  @Test func nonFiniteValues() {
    let statistics = Self.statistics([1, .nan, -.infinity, -2, .infinity, 4], channels: 2)
    #expect(statistics.count == 6)
    #expect(statistics.nonFiniteCount == 3)
    #expect(statistics.minimum == -2)
    #expect(statistics.maximum == 4)
    let means: [Double] = [1.0 / 3, 2.0 / 3]
    #expect(statistics.channelMean == means)
    #expect(statistics.histograms[0].buckets(within: -9...9).map(\.count) == [1, 1, 1])
    #expect(statistics.symmetricScale(bits: 8, .minMax) == 4.0 / 127)
  }

  // MARK: Ranges

  @Test func minMax() {
    let statistics = Self.statistics([-3, 1, 0.5, 2], channels: 2)
    #expect(statistics.symmetricScale(bits: 8, .minMax) == 3.0 / 127)
    #expect(statistics.symmetricScale(bits: 16, .minMax) == 3.0 / 32767)
    let grid = statistics.asymmetric(.minMax)
    #expect(grid.scale == 5.0 / 255)
    #expect(grid.zeroPoint == 25)
  }

  /// The range always has a code for 0.
  @Test func oneSidedRanges() {
    let positive = Self.statistics([2, 5.1], channels: 2).asymmetric(.minMax)
    #expect(abs(positive.scale - 0.02) < 1e-7)
    #expect(positive.zeroPoint == -128)
    let negative = Self.statistics([-2, -5.1], channels: 2).asymmetric(.minMax)
    #expect(abs(negative.scale - 0.02) < 1e-7)
    #expect(negative.zeroPoint == 127)
  }

  @Test(arguments: [RangeMethod.minMax, .percentile(99.9), .meanSquaredError])
  func emptyAndZeroRanges(_ method: RangeMethod) {
    for statistics in [TensorStatistics(), Self.statistics([0, 0, -0.0, 0], channels: 2)] {
      #expect(statistics.symmetricScale(bits: 8, method) == 1.0 / 127)
      #expect(statistics.symmetricScale(bits: 8, method, channels: 0..<1) == 1.0 / 127)
      #expect(statistics.asymmetric(method) == (1.0 / 255, -128))
    }
    // Almost always zero: still a usable scale.
    let sparse = Self.statistics([Float](repeating: 0, count: 9999) + [1], channels: 1)
    #expect(sparse.symmetricScale(bits: 8, method) > 0)
    #expect(sparse.asymmetric(method).scale > 0)
    #expect((-128...127).contains(sparse.asymmetric(method).zeroPoint))
  }

  @Test(arguments: [90, 99, 99.9, 99.99, 100]) func percentiles(_ share: Double) {
    for groups in [1, 4] {
      let values = Self.values(8_000, seed: 3)
      let statistics = Self.statistics(values, channels: 8, groups: groups)
      let largest = Self.quantile(values.map(\.magnitude), share / 100)
      #expect(
        abs(statistics.symmetricScale(bits: 8, .percentile(share)) * 127 / largest - 1) < 0.008)
      let low = Self.quantile(values, (100 - share) / 200)
      let high = Self.quantile(values, (100 + share) / 200)
      let grid = statistics.asymmetric(.percentile(share))
      #expect(abs(grid.scale * 255 / (high - low) - 1) < 0.008)
      #expect(abs(Double(grid.zeroPoint) - (-128 - low / grid.scale)) < 1.6)
    }
  }

  /// numpy's rule: linear between the neighbours in order.
  private static func quantile(_ values: [Float], _ share: Double) -> Double {
    let sorted = values.sorted()
    let rank = share * Double(values.count - 1)
    let (low, high) = (Int(rank.rounded(.down)), Int(rank.rounded(.up)))
    return Double(sorted[low]) + (rank - Double(low)) * Double(sorted[high] - sorted[low])
  }

  /// The chosen scale is as good as the best that all values, one by one, would choose.
  @Test(arguments: [Float(1), 3, 8]) func meanSquaredErrorSymmetric(_ tail: Float) {
    let values = Self.values(6_000, seed: 4, tail: tail)
    let largest = Double(values.map(\.magnitude).max()!)
    let candidates = (0..<36).map { largest * (0.3 + 0.02 * Double($0)) / 127 }
    let best = candidates.map { Self.error(values, $0, 0) }.min()!
    let chosen = Self.statistics(values, channels: 10).symmetricScale(bits: 8, .meanSquaredError)
    #expect(candidates.contains { abs($0 - chosen) < 1e-9 })
    #expect(Self.error(values, chosen, 0) < 1.01 * best)
    if tail == 8 { #expect(chosen < 0.99 * largest / 127) }
  }

  @Test(arguments: [Float(1), 3, 8]) func meanSquaredErrorAsymmetric(_ tail: Float) {
    // Like the output of a GELU: a long positive and a short negative side.
    let values = Self.values(6_000, seed: 5, tail: tail).map { $0 > 0 ? $0 : 0.05 * max($0, -3) }
    let (low, high) = (Double(values.min()!), Double(values.max()!))
    let best = (0..<26).map { candidate in
      let scale = (high * (0.5 + 0.02 * Double(candidate)) - low) / 255
      return Self.error(values, scale, (-128 - low / scale).rounded())
    }.min()!
    let grid = Self.statistics(values, channels: 10).asymmetric(.meanSquaredError)
    #expect(Self.error(values, grid.scale, Double(grid.zeroPoint)) < 1.01 * best)
  }

  /// Mean squared error of rounding to int8 codes.
  private static func error(_ values: [Float], _ scale: Double, _ zeroPoint: Double) -> Double {
    values.reduce(0) { sum, value in
      let code = (Double(value) / scale + 0.5).rounded(.down) + zeroPoint
      let difference = (min(max(code, -128), 127) - zeroPoint) * scale - Double(value)
      return sum + difference * difference
    } / Double(values.count)
  }

  /// Two heads of three channels, the second ten times as large.
  @Test func groupsOfChannels() {
    let values = Self.values(3_000, seed: 6).enumerated().map { $0 % 6 < 3 ? $1 : 10 * $1 }
    let heads = (0..<2).map { head in
      values.enumerated().filter { $0.offset % 6 / 3 == head }.map(\.element)
    }
    let separate = Self.statistics(values, channels: 6, groups: 2)
    let joint = Self.statistics(values, channels: 6)
    for (head, own) in heads.enumerated() {
      let channels = head * 3..<(head + 1) * 3
      let alone = Self.statistics(own, channels: 3)
      for method in [RangeMethod.minMax, .percentile(99), .meanSquaredError] {
        #expect(
          separate.symmetricScale(bits: 8, method, channels: channels)
            == alone.symmetricScale(bits: 8, method), "\(method)")
        // Without histograms of their own, channels have their whole range.
        #expect(
          joint.symmetricScale(bits: 8, method, channels: channels)
            == alone.symmetricScale(bits: 8, .minMax))
      }
    }
    for method in [RangeMethod.minMax, .percentile(99), .meanSquaredError] {
      #expect(separate.symmetricScale(bits: 8, method) == joint.symmetricScale(bits: 8, method))
      #expect(separate.asymmetric(method) == joint.asymmetric(method))
    }
  }
}
