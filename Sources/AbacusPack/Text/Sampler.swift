import Foundation

/// Chooses the next token from a model's logits; the same seed gives the same choices.
public struct Sampler: Sendable {
  /// What the logits are divided by: 0 takes the highest, 1 the model's own distribution.
  public let temperature: Double
  /// Only the `topK` highest logits are eligible; nil for all.
  public let topK: Int?
  private var generator: SplitMix

  /// Throws where the temperature is negative or no number, or `topK` is below 1.
  public init(temperature: Double = 0, topK: Int? = nil, seed: UInt64 = 0) throws(PackError) {
    guard temperature.isFinite, temperature >= 0 else {
      throw PackError(.file, "a temperature must be 0 or more, not \(temperature)")
    }
    guard topK ?? 1 >= 1 else { throw PackError(.file, "top-k must be 1 or more, not \(topK!)") }
    self.temperature = temperature
    self.topK = topK
    generator = SplitMix(state: seed)
  }

  /// The index of the chosen logit, of at least one; of equal ones the first is the higher.
  public mutating func choose(_ logits: [Double]) -> Int {
    let order = logits.indices.sorted { (logits[$0], -$0) > (logits[$1], -$1) }
    let eligible = order.prefix(topK ?? order.count)
    guard temperature > 0 else { return order[0] }
    let weights = eligible.map { exp((logits[$0] - logits[order[0]]) / temperature) }
    var rest = generator.nextFraction() * weights.reduce(0, +)
    for (index, weight) in zip(eligible, weights) {
      rest -= weight
      if rest < 0 { return index }
    }
    return eligible.last!
  }
}
