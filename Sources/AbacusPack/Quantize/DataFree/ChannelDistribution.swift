import Foundation

/// What training has found of the values of a tensor's channels, or what follows from it: the normal distributions behind
/// a batch normalisation (arXiv 1502.03167), cut off where an activation cuts values off.
public struct ChannelDistribution: Sendable, Equatable {
  /// Of each channel, before values are cut off.
  var means: [Double]
  var deviations: [Double]
  /// Where an activation cuts values off.
  var low = -Double.infinity
  var high = Double.infinity

  /// - Parameter deviations: standard deviations, as many as means.
  init(means: [Double], deviations: [Double]) {
    self.means = means
    self.deviations = deviations
  }

  /// How many standard deviations a range reaches to either side: all but 64 of a million values.
  static let reach = 4.0

  /// The range of a channel's values.
  func range(_ channel: Int) -> ClosedRange<Double> {
    let spread = Self.reach * deviations[channel]
    let bottom = min(max(means[channel] - spread, low), high)
    return bottom...max(bottom, min(means[channel] + spread, high))
  }

  /// The mean of a channel's values.
  func mean(_ channel: Int) -> Double { moments(channel).mean }

  /// The mean and the standard deviation of a channel's values: of a normal distribution of which everything outside of a
  /// range lies at its ends.
  func moments(_ channel: Int) -> (mean: Double, deviation: Double) {
    let (mean, deviation) = (means[channel], deviations[channel])
    guard deviation > 0 else { return (min(max(mean, low), high), 0) }
    let (a, b) = ((low - mean) / deviation, (high - mean) / deviation)
    let (below, above) = (Self.cumulative(a), Self.cumulative(-b))
    let inside = 1 - below - above
    let (first, last) = (Self.density(a), Self.density(b))
    var (sum, squares) = (inside * mean + deviation * (first - last), 0.0)
    squares = inside * (mean * mean + deviation * deviation) + 2 * mean * deviation * (first - last)
    if low.isFinite {
      sum += below * low
      squares += below * low * low + deviation * deviation * a * first
    }
    if high.isFinite {
      sum += above * high
      squares += above * high * high - deviation * deviation * b * last
    }
    return (sum, max(squares - sum * sum, 0).squareRoot())
  }

  /// Of the standard normal distribution.
  private static func density(_ x: Double) -> Double { x.isFinite ? exp(-x * x / 2) / (2 * Double.pi).squareRoot() : 0 }
  private static func cumulative(_ x: Double) -> Double { erfc(-x / 2.0.squareRoot()) / 2 }

  /// The distribution behind a function that only cuts values off; nil for others.
  func behind(_ function: UnaryFunction) -> ChannelDistribution? {
    switch function {
    case .relu: clamped(0, .infinity)
    case .relu6: clamped(0, 6)
    case .reluN1To1: clamped(-1, 1)
    case .relu0To1: clamped(0, 1)
    case .clip(let low, let high): clamped(low, high)
    default: nil
    }
  }

  private func clamped(_ low: Double, _ high: Double) -> ChannelDistribution {
    var result = self
    result.low = min(max(self.low, low), high)
    result.high = min(max(self.high, low), high)
    return result
  }
}

extension Graph {
  /// Distributions that follow from the model's batch normalisations, by the name of the tensor. They outlive the passes
  /// that make batch normalisations and activations part of the layers before them, as these keep the last one's name.
  func namedDistributions() -> [String: ChannelDistribution] {
    var known = batchStatistics
    for node in nodes {
      guard let input = node.inputs.first ?? nil, let distribution = known[input] else { continue }
      switch node.operation {
      case .unary(let function): known[node.outputs[0]] = distribution.behind(function)
      case .transpose: known[node.outputs[0]] = distribution
      default: continue
      }
    }
    return Dictionary(known.map { (tensors[$0].name, $1) }, uniquingKeysWith: { first, _ in first })
  }
}
