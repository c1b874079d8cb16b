@testable import AbacusPack

// Sums of products in real numbers.

extension RealReference {
  static func convolution(
    _ x: RealTensor, _ weights: RealTensor, _ bias: RealTensor?, _ window: WindowAttributes, groups: Int,
    _ shape: [Int]
  ) -> RealTensor {
    let depth = weights.shape[3]
    let groupChannels = weights.shape[0] / groups
    return windowSum(x, bias, window, shape) { tap, row, column, at in
      let first = at[3] / groupChannels * depth
      var sum = 0.0
      for k in 0..<depth {
        sum += x[[at[0], row, column, first + k]] * weights[[at[3], tap[0], tap[1], k]]
      }
      return sum
    }
  }

  static func depthwise(
    _ x: RealTensor, _ weights: RealTensor, _ bias: RealTensor?, _ window: WindowAttributes,
    _ multiplier: Int, _ shape: [Int]
  ) -> RealTensor {
    windowSum(x, bias, window, shape) { tap, row, column, at in
      x[[at[0], row, column, at[3] / multiplier]] * weights[[0, tap[0], tap[1], at[3]]]
    }
  }

  /// The sum of `term` over the taps that lie inside the image; padding is real zero.
  private static func windowSum(
    _ x: RealTensor, _ bias: RealTensor?, _ window: WindowAttributes, _ shape: [Int],
    _ term: (_ tap: [Int], _ row: Int, _ column: Int, _ at: [Int]) -> Double
  ) -> RealTensor {
    RealTensor(shape) { at in
      var sum = bias?.values[at[3]] ?? 0
      for tap in RealTensor.indices(window.size) {
        let row = at[1] * window.strides[0] - window.padBefore[0] + tap[0] * window.dilations[0]
        let column = at[2] * window.strides[1] - window.padBefore[1] + tap[1] * window.dilations[1]
        if (0..<x.shape[1]).contains(row) && (0..<x.shape[2]).contains(column) {
          sum += term(tap, row, column, at)
        }
      }
      return sum
    }
  }

  static func fullyConnected(
    _ x: RealTensor, _ weights: RealTensor, _ bias: RealTensor?, _ shape: [Int]
  ) -> RealTensor {
    let (channels, depth) = (weights.shape[0], weights.shape[1])
    let values = stride(from: 0, to: x.values.count, by: depth).flatMap { start in
      (0..<channels).map { (n: Int) -> Double in
        var sum = bias?.values[n] ?? 0
        for k in 0..<depth { sum += x.values[start + k] * weights[[n, k]] }
        return sum
      }
    }
    return RealTensor(shape, values)
  }

  static func matrixMultiply(
    _ a: RealTensor, _ b: RealTensor, _ transposeA: Bool, _ transposeB: Bool, _ shape: [Int]
  ) -> RealTensor {
    let depth = a.shape[a.shape.count - (transposeA ? 2 : 1)]
    return RealTensor(shape) { (at: [Int]) -> Double in
      let batch = Array(at.dropLast(2))
      let (m, n) = (at[at.count - 2], at[at.count - 1])
      var sum = 0.0
      for k in 0..<depth {
        let inA: [Int] = transposeA ? [k, m] : [m, k]
        let inB: [Int] = transposeB ? [n, k] : [k, n]
        let left: Double = a.broadcast(at: batch + inA)
        let right: Double = b.broadcast(at: batch + inB)
        sum += left * right
      }
      return sum
    }
  }
}
