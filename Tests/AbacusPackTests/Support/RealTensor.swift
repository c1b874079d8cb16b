@testable import AbacusPack

/// Real values with a shape: what the codes of a quantised tensor stand for.
struct RealTensor {
  var shape: [Int]
  var values: [Double]

  init(_ shape: [Int], _ values: [Double]) {
    self.shape = shape
    self.values = values
  }

  /// Every element computed from its index.
  init(_ shape: [Int], _ element: ([Int]) -> Double) {
    self.shape = shape
    values = (0..<shape.reduce(1, *)).map { element(RealTensor.index($0, shape)) }
  }

  /// Codes as real values: `(code - zeroPoint) * scale`, per channel where there are several scales.
  init(codes: [Int], of tensor: Tensor) {
    shape = tensor.shape
    guard let quantization = tensor.quantization else {
      values = codes.map(Double.init)
      return
    }
    let isPerTensor = quantization.scales.count == 1
    values = codes.enumerated().map { position, code in
      let channel = isPerTensor ? 0 : RealTensor.index(position, tensor.shape)[quantization.axis]
      return Double(code - quantization.zeroPoints[channel]) * quantization.scales[channel]
    }
  }

  subscript(index: [Int]) -> Double { values[position(index)] }

  /// Row-major position of an index.
  private func position(_ index: [Int]) -> Int {
    zip(index, shape).reduce(0) { $0 * $1.1 + $1.0 }
  }

  /// The element that numpy's broadcasting puts at an index of a larger tensor.
  func broadcast(at index: [Int]) -> Double {
    let own = index.suffix(shape.count)
    return self[zip(own, shape).map { $1 == 1 ? 0 : $0 }]
  }

  /// Index of a row-major position.
  static func index(_ position: Int, _ shape: [Int]) -> [Int] {
    var rest = position
    var index = shape
    for dimension in shape.indices.reversed() {
      index[dimension] = rest % shape[dimension]
      rest /= shape[dimension]
    }
    return index
  }

  /// Every index of a shape, row-major.
  static func indices(_ shape: [Int]) -> [[Int]] {
    (0..<shape.reduce(1, *)).map { index($0, shape) }
  }
}
