import Foundation

@testable import AbacusPack

// Normalisations, attention and rotary embedding in real numbers.

extension RealReference {
  /// Over the last dimension: (x - mean) / deviation, times scale, plus bias.
  static func layerNormalization(
    _ x: RealTensor, scale: RealTensor?, bias: RealTensor?, epsilon: Double
  ) -> RealTensor {
    byRows(x) { row in
      let mean = row.reduce(0, +) / Double(row.count)
      // E[x^2] - E[x]^2
      let variance = row.map { $0 * $0 }.reduce(0, +) / Double(row.count) - mean * mean
      return row.indices.map { k in
        (row[k] - mean) / (variance + epsilon).squareRoot() * (scale?.values[k] ?? 1)
          + (bias?.values[k] ?? 0)
      }
    }
  }

  static func rmsNormalization(_ x: RealTensor, scale: RealTensor?, epsilon: Double) -> RealTensor {
    byRows(x) { row in
      let power = row.map { $0 * $0 }.reduce(0, +) / Double(row.count) + epsilon
      return row.indices.map { k in row[k] * pow(power, -0.5) * (scale?.values[k] ?? 1) }
    }
  }

  private static func byRows(_ x: RealTensor, _ change: ([Double]) -> [Double]) -> RealTensor {
    let length = x.shape.last!
    return RealTensor(
      x.shape,
      stride(from: 0, to: x.values.count, by: length).flatMap { change(Array(x.values[$0..<$0 + length])) })
  }

  /// Each element of the output on its own, from the definition.
  static func attention(
    _ query: RealTensor, _ key: RealTensor, _ value: RealTensor, mask: RealTensor?,
    _ attributes: AttentionAttributes, _ shape: [Int]
  ) -> RealTensor {
    let width = query.shape.last! / attributes.heads
    let valueWidth = value.shape.last! / attributes.keyValueHeads
    let keys = key.shape[key.shape.count - 2]
    return RealTensor(shape) { at in
      let (batch, row) = (Array(at.dropLast(2)), at[at.count - 2])
      let (head, column) = at.last!.quotientAndRemainder(dividingBy: valueWidth)
      let group = head * attributes.keyValueHeads / attributes.heads
      var (weighted, sum) = (0.0, 0.0)
      for k in 0..<keys {
        if attributes.isCausal && k > row { continue }
        if let mask, mask.broadcast(at: batch + [k]) == 0 { continue }
        var score = 0.0
        for c in 0..<width {
          score += query[batch + [row, head * width + c]] * key.broadcast(at: batch + [k, group * width + c])
        }
        let weight = exp(score * attributes.scale)
        sum += weight
        weighted += weight * value.broadcast(at: batch + [k, group * valueWidth + column])
      }
      return sum == 0 ? 0 : weighted / sum
    }
  }

  /// Pairs as complex numbers, turned by the angle whose cosine and sine the tables give.
  static func rotary(
    _ x: RealTensor, cosines: RealTensor, sines: RealTensor, _ attributes: RotaryAttributes
  ) -> RealTensor {
    let width = x.shape.last! / attributes.heads
    let half = width / 2
    return RealTensor(x.shape) { at in
      let (head, column) = at.last!.quotientAndRemainder(dividingBy: width)
      let isFirst = attributes.isInterleaved ? column % 2 == 0 : column < half
      let pair = attributes.isInterleaved ? column / 2 : column % half
      let other = attributes.isInterleaved ? column ^ 1 : (column + half) % width
      let turn = [at[at.count - 2], pair]
      let partner = x[at.dropLast() + [head * width + other]]
      return x[at] * cosines[turn] + (isFirst ? -partner : partner) * sines[turn]
    }
  }
}
