/// Real values with a shape, row-major. Integers (indices, masks) are held as floats, too.
public struct FloatTensor: Sendable, Equatable {
  public var shape: [Int]
  public var values: [Float]

  public init(shape: [Int], values: [Float]) {
    self.shape = shape
    self.values = values
  }

  /// Numbers of a file, rounded to float32.
  public init(_ array: NumericArray) {
    self.init(shape: array.shape, values: array.floats())
  }
}

extension Tensor {
  /// What a constant's elements stand for: quantised ones as real values.
  func reals() throws -> [Double] {
    guard let data else { throw PackError(.malformed, "tensor \"\(name)\" is not a constant") }
    let array = try NumericArray(shape: shape, type: type, bytes: data, name: "tensor \"\(name)\"")
    guard let quantization else { return array.doubles() }
    try checkQuantization(quantization)
    return mapChannels(of: quantization, array.doubles()) { code, scale, zeroPoint in
      (code - zeroPoint) * scale
    }
  }

  /// The same in float32.
  func realValues() throws -> [Float] { try reals().map(Float.init) }

  /// Real values rounded half up and clamped to this tensor's grid; as they are where it has none.
  public func onGrid(_ values: [Float]) -> [Float] {
    guard let quantization, let codes = codes(of: values.map(Double.init)) else { return values }
    return mapChannels(of: quantization, codes) { code, scale, zeroPoint in (code - zeroPoint) * scale }
      .map(Float.init)
  }

  /// Real values as whole numbers on this tensor's grid, rounded half up and clamped; nil where it has
  /// none.
  public func codes(of values: [Double]) -> [Double]? {
    guard let quantization else { return nil }
    // No more than a `Double` holds exactly.
    let range = type.integerRange.clamped(to: -1 << 53...1 << 53)
    return mapChannels(of: quantization, values) { value, scale, zeroPoint in
      let code = (value / scale + 0.5).rounded(.down) + zeroPoint
      return code.isNaN ? zeroPoint : min(max(code, Double(range.lowerBound)), Double(range.upperBound))
    }
  }

  /// Throws unless there is one scale, or one for each channel of an axis that exists.
  func checkQuantization(_ quantization: Quantization) throws {
    let channels = shape.indices.contains(quantization.axis) ? shape[quantization.axis] : 1
    guard quantization.isPerTensor || quantization.scales.count == channels,
      quantization.zeroPoints.count == quantization.scales.count
    else {
      throw PackError(
        .malformed,
        "tensor \"\(name)\": \(quantization.scales.count) scales and \(quantization.zeroPoints.count) "
          + "zero points along dimension \(quantization.axis) of shape \(shape)")
    }
  }

  /// Every element with the scale and zero point of its channel.
  private func mapChannels(
    of quantization: Quantization, _ elements: [Double],
    _ convert: (Double, _ scale: Double, _ zeroPoint: Double) -> Double
  ) -> [Double] {
    let zeroPoints = quantization.zeroPoints.map(Double.init)
    let channels = quantization.scales.count
    let inner = channels == 1 ? 1 : shape[(quantization.axis + 1)...].reduce(1, *)
    return elements.indices.map { position in
      let channel = position / inner % channels
      return convert(elements[position], quantization.scales[channel], zeroPoints[channel])
    }
  }
}
