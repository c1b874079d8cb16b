import Foundation

/// How outputs compare.
enum Statistics {
  /// Index of the highest value, first of equals.
  static func top(_ values: some Collection<Float>) -> Int {
    var best: (index: Int, value: Float)?
    for (index, value) in values.enumerated() where value > best?.value ?? -.infinity { best = (index, value) }
    return best?.index ?? 0
  }

  /// Percentage of samples with the same highest value.
  static func agreement(_ first: [[Float]], _ second: [[Float]]) -> Double {
    percentage(zip(first, second).count { top($0) == top($1) }, of: first.count)
  }

  /// Percentage of samples whose highest value is that of their label.
  static func accuracy(_ outputs: [[Float]], _ labels: [Int]) -> Double {
    percentage(zip(outputs, labels).count { top($0) == $1 }, of: outputs.count)
  }

  static func percentage(_ part: Int, of whole: Int) -> Double {
    whole > 0 ? 100 * Double(part) / Double(whole) : 0
  }

  /// Power of a signal over power of the difference to it, in decibels.
  static func decibels(_ signal: [[Float]], _ approximation: [[Float]]) -> Double? {
    var (power, noise) = (0.0, 0.0)
    for (exact, other) in zip(signal, approximation) {
      for (x, y) in zip(exact, other) {
        power += Double(x) * Double(x)
        noise += (Double(x) - Double(y)) * (Double(x) - Double(y))
      }
    }
    return power > 0 && noise > 0 ? 10 * log10(power / noise) : nil
  }

  /// Logarithms of the probabilities that logits stand for.
  static func logSoftmax(_ logits: [Float]) -> [Double] {
    let largest = Double(logits.max() ?? 0)
    let normal = largest + log(logits.reduce(0) { $0 + exp(Double($1) - largest) })
    return logits.map { Double($0) - normal }
  }

  /// Kullback-Leibler divergence, in nats, of what logits say from what others say.
  static func divergence(of logits: [Float], from reference: [Float]) -> Double {
    zip(logSoftmax(reference), logSoftmax(logits)).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
  }

  /// Spearman's rank correlation; equal values share the mean of their ranks.
  static func rankCorrelation(_ first: [Double], _ second: [Double]) -> Double {
    correlation(ranks(first), ranks(second))
  }

  /// How likely a score of a sample that is marked exceeds one of a sample that is not; nil where all are of
  /// one kind.
  static func areaUnderCurve(_ scores: [Double], _ isMarked: [Bool]) -> Double? {
    let marked = isMarked.count { $0 }
    guard marked > 0, marked < scores.count else { return nil }
    let sum = zip(ranks(scores), isMarked).reduce(0) { $0 + ($1.1 ? $1.0 + 1 : 0) }
    let least = Double(marked * (marked + 1)) / 2
    return (sum - least) / Double(marked * (scores.count - marked))
  }

  private static func ranks(_ values: [Double]) -> [Double] {
    let order = values.indices.sorted { values[$0] < values[$1] }
    var ranks = [Double](repeating: 0, count: values.count)
    var start = 0
    while start < order.count {
      var end = start
      while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
      for index in order[start..<end] { ranks[index] = Double(start + end - 1) / 2 }
      start = end
    }
    return ranks
  }

  private static func correlation(_ x: [Double], _ y: [Double]) -> Double {
    let count = Double(x.count)
    let (meanX, meanY) = (x.reduce(0, +) / count, y.reduce(0, +) / count)
    var (xx, yy, xy) = (0.0, 0.0, 0.0)
    for (a, b) in zip(x, y) {
      xx += (a - meanX) * (a - meanX)
      yy += (b - meanY) * (b - meanY)
      xy += (a - meanX) * (b - meanY)
    }
    return xx > 0 && yy > 0 ? xy / (xx * yy).squareRoot() : 0
  }
}
