/// How often values occurred, in buckets of 128 to the octave (0.8 % wide), over all of float32.
///
/// The bucket of a value is the upper half of its bit pattern, so histograms of different data have
/// the same buckets and add up exactly, in whatever order. Only octaves that occur take memory.
struct Histogram: Sendable, Equatable {
  /// Values of one bucket lie in `low..<high`; negative buckets are mirrored.
  struct Bucket: Equatable {
    var low: Double
    var high: Double
    var count: Int
  }

  /// Where the buckets of each combination of sign and exponent begin in `counts`; -1 for none.
  private var octaves = [Int32](repeating: -1, count: 512)
  private var counts: [Int] = []

  private static let bucketsPerOctave = 128

  /// Counts values; those that are not finite are left out.
  mutating func add(_ values: UnsafeBufferPointer<Float>) {
    for value in values where value.isFinite {
      let pattern = value.bitPattern
      counts[first(Int(pattern >> 23)) + Int(pattern >> 16 & 127)] += 1
    }
  }

  mutating func merge(_ other: Histogram) {
    for (octave, start) in other.octaves.enumerated() where start >= 0 {
      let own = first(octave)
      for bucket in 0..<Self.bucketsPerOctave {
        counts[own + bucket] += other.counts[Int(start) + bucket]
      }
    }
  }

  private mutating func first(_ octave: Int) -> Int {
    if octaves[octave] >= 0 { return Int(octaves[octave]) }
    octaves[octave] = Int32(counts.count)
    counts.append(contentsOf: repeatElement(0, count: Self.bucketsPerOctave))
    return Int(octaves[octave])
  }

  /// The same counts, whichever octave was first.
  static func == (a: Histogram, b: Histogram) -> Bool {
    a.magnitudes(negative: false) == b.magnitudes(negative: false)
      && a.magnitudes(negative: true) == b.magnitudes(negative: true)
  }

  // MARK: What it says

  /// Buckets that are not empty, in ascending order, cut to the range in which all values lie.
  func buckets(within range: ClosedRange<Double>) -> [Bucket] {
    (magnitudes(negative: true).reversed().map(\.mirrored) + magnitudes(negative: false))
      .map { $0.cut(to: range) }
  }

  /// Buckets of the magnitudes, in ascending order; the two signs of a magnitude are neighbours.
  func magnitudes(upTo largest: Double) -> [Bucket] {
    (magnitudes(negative: true) + magnitudes(negative: false)).sorted { $0.low < $1.low }
      .map { $0.cut(to: 0...largest) }
  }

  private func magnitudes(negative: Bool) -> [Bucket] {
    (0..<256).flatMap { exponent -> [Bucket] in
      let start = octaves[negative ? exponent + 256 : exponent]
      guard start >= 0 else { return [] }
      return (0..<Self.bucketsPerOctave).compactMap { index in
        let count = counts[Int(start) + index]
        guard count > 0 else { return nil }
        let pattern = UInt32(exponent) << 23 | UInt32(index) << 16
        return Bucket(
          low: Double(Float(bitPattern: pattern)), high: Double(Float(bitPattern: pattern | 0xFFFF)),
          count: count)
      }
    }
  }

  /// The value below which `share` (0 to 1) of what `buckets` count lies: linear between neighbours
  /// in order, as numpy has it; 0 where they count nothing.
  static func quantile(_ share: Double, of buckets: [Bucket]) -> Double {
    let total = buckets.reduce(0) { $0 + $1.count }
    let rank = min(max(share, 0), 1) * Double(max(total - 1, 0))
    let below = Int(rank.rounded(.down))
    let low = value(below, of: buckets)
    return low + (value(min(below + 1, total - 1), of: buckets) - low) * (rank - Double(below))
  }

  /// The value that comes at this place in ascending order, were each bucket's evenly spaced.
  private static func value(_ place: Int, of buckets: [Bucket]) -> Double {
    var before = 0
    for bucket in buckets {
      if place < before + bucket.count {
        let part = bucket.count > 1 ? Double(place - before) / Double(bucket.count - 1) : 0.5
        return bucket.low + (bucket.high - bucket.low) * part
      }
      before += bucket.count
    }
    return 0
  }

  /// The sum of squared errors that rounding to whole multiples of `scale`, clamped to `steps`,
  /// makes; values are taken to be spread evenly within a bucket.
  static func squaredError(_ buckets: [Bucket], scale: Double, steps: ClosedRange<Double>) -> Double {
    buckets.reduce(0) { sum, bucket in
      let (low, high) = (bucket.low / scale, bucket.high / scale)
      let mean =
        high > low
        ? (errorIntegral(to: high, steps) - errorIntegral(to: low, steps)) / (high - low)
        : squaredError(low, steps)
      return sum + Double(bucket.count) * mean * scale * scale
    }
  }

  /// Squared distance of `value` to the nearest whole number in `steps`.
  private static func squaredError(_ value: Double, _ steps: ClosedRange<Double>) -> Double {
    let nearest = min(max((value + 0.5).rounded(.down), steps.lowerBound), steps.upperBound)
    return (value - nearest) * (value - nearest)
  }

  /// The integral of that from 0 to `value`: a twelfth for every whole step, and a cubic for the rest.
  private static func errorIntegral(to value: Double, _ steps: ClosedRange<Double>) -> Double {
    let nearest = min(max((value + 0.5).rounded(.down), steps.lowerBound), steps.upperBound)
    let rest = value - nearest
    return nearest / 12 + rest * rest * rest / 3
  }
}

extension Histogram.Bucket {
  fileprivate var mirrored: Histogram.Bucket { .init(low: -high, high: -low, count: count) }

  fileprivate func cut(to range: ClosedRange<Double>) -> Histogram.Bucket {
    .init(
      low: min(max(low, range.lowerBound), range.upperBound),
      high: min(max(high, range.lowerBound), range.upperBound), count: count)
  }
}
