import Testing

@testable import AbacusPack

@Suite struct HistogramTests {
  private func histogram(_ values: [Float]) -> Histogram {
    var histogram = Histogram()
    values.withUnsafeBufferPointer { histogram.add($0) }
    return histogram
  }

  /// Every value lies in a bucket of its own size, the order is ascending, and nothing is lost.
  @Test func bucketsHoldTheirValues() {
    let values: [Float] = [
      0, -0.0, .leastNonzeroMagnitude, -.leastNormalMagnitude, 0.1, -0.1, 1, 1.0078125, -1, 3.5, -3e38, 3e38, .greatestFiniteMagnitude,
    ]
    let histogram = histogram(values + [.nan, .infinity, -.infinity])
    let buckets = histogram.buckets(within: -4e38...4e38)
    #expect(buckets.reduce(0) { $0 + $1.count } == values.count)
    for value in values.map(Double.init) {
      let own = buckets.first { $0.low <= value && value <= $0.high }
      #expect(own != nil, "\(value)")
      if let own, value.magnitude > 1e-37 { #expect((own.high - own.low) / value.magnitude < 0.0079) }
    }
    for (bucket, next) in zip(buckets, buckets.dropFirst()) { #expect(bucket.high <= next.low) }
    #expect(histogram.magnitudes(upTo: 4e38).reduce(0) { $0 + $1.count } == values.count)
  }

  @Test func mergingEqualsCountingTogether() {
    let values = TensorStatisticsTests.values(3000, seed: 1)
    var parts = histogram(Array(values[..<100]))
    parts.merge(histogram(Array(values[100...])))
    let whole = histogram(values)
    #expect(parts == whole)
    parts.merge(histogram([1]))
    #expect(parts != whole)
    #expect(whole.buckets(within: -100...100).reduce(0) { $0 + $1.count } == 3000)
  }

  /// The closed form against a fine sum, inside the grid, across its ends, and far outside.
  @Test(arguments: [(0.1, 0.3), (0.4, 3.7), (-1.2, 2.2), (2.9, 6.3), (-40, -20), (1.5, 1.5), (7, 7)])
  func squaredErrorOfABucket(_ low: Double, _ high: Double) {
    let scale = 0.7
    let bucket = Histogram.Bucket(low: low * scale, high: high * scale, count: 3)
    let points = 20_000
    var sum = 0.0
    for point in 0..<points {
      let value = low + (high - low) * (Double(point) + 0.5) / Double(points)
      let nearest = min(max((value + 0.5).rounded(.down), -3), 4)
      sum += (value - nearest) * (value - nearest) * scale * scale
    }
    let error = Histogram.squaredError([bucket], scale: scale, steps: -3...4)
    #expect(abs(error - 3 * sum / Double(points)) < 1e-6 * max(1, error))
  }

  @Test func quantilesInterpolate() {
    let buckets = [
      Histogram.Bucket(low: 0, high: 1, count: 5), .init(low: 10, high: 12, count: 1),
    ]
    #expect(Histogram.quantile(0, of: buckets) == 0)
    #expect(Histogram.quantile(0.4, of: buckets) == 0.5)
    #expect(Histogram.quantile(0.8, of: buckets) == 1)
    #expect(Histogram.quantile(0.9, of: buckets) == 6)
    #expect(Histogram.quantile(1, of: buckets) == 11)
    #expect(Histogram.quantile(0.5, of: []) == 0)
  }
}
