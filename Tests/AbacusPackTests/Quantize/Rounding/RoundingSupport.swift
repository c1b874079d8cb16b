import Testing

@testable import AbacusPack

/// A matrix product with random weights, whose inputs are correlated and of very different size.
struct RoundingProblem {
  let channels: Int
  let depth: Int
  let weights: [Double]
  let inputs: [Float]
  let second: SecondMoments
  let moments: DampedMoments

  /// - Parameter directions: of the inputs; fewer than `depth` leave the second moments singular.
  init(channels: Int, depth: Int, directions: Int, seed: UInt64) throws {
    self.channels = channels
    self.depth = depth
    var generator = SplitMix(state: seed)
    func random() -> Double { (0..<4).reduce(-2) { sum, _ in sum + generator.nextFraction() } }
    weights = (0..<channels * depth).map { _ in random() }
    let mix = (0..<directions * depth).map { Float(random() * ($0 % 3 == 0 ? 20 : 1)) }
    var inputs = [Float](repeating: 0.5, count: 3 * depth * depth)
    for row in 0..<3 * depth {
      for direction in 0..<directions {
        let factor = Float(random())
        for k in 0..<depth { inputs[row * depth + k] += factor * mix[direction * depth + k] }
      }
    }
    self.inputs = inputs
    var second = SecondMoments(depth: depth)
    try second.add(inputs)
    self.second = second
    moments = try DampedMoments(second, isCentred: true, name: "layer")
  }

  /// d H dᵀ of each channel.
  func errors(_ rounded: RoundedWeights, of target: [Double]? = nil) -> [Double] {
    (0..<channels).map { channel in
      let difference = (0..<depth).map { k in
        (target ?? weights)[channel * depth + k] - Double(rounded.integer(channel, k)) * rounded.unit(channel)
      }
      var sum = 0.0
      for i in 0..<depth {
        for j in 0..<depth { sum += difference[i] * moments.matrix.values[i * depth + j] * difference[j] }
      }
      return sum
    }
  }

  static let formats = [
    WeightFormat(bits: 8, grid: .symmetric), WeightFormat(bits: 4, grid: .symmetric), WeightFormat(bits: 2, grid: .odd),
    WeightFormat(bits: 4, grid: .symmetric, groupSize: 16), WeightFormat(bits: 2, grid: .symmetric, groupSize: 32),
    WeightFormat(bits: 2, grid: .odd, groupSize: 16), WeightFormat(bits: 2, grid: .offset, groupSize: 16),
    WeightFormat(bits: 4, grid: .offset, groupSize: 32),
  ]
}
