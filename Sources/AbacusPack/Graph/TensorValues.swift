// The numbers of constants, decoded and encoded.

extension Tensor {
  /// An integer that stands for itself: an index, an extent.
  var isPlainInteger: Bool {
    switch type {
    case .int8, .uint8, .int16, .uint16, .int32, .uint32, .int64, .uint64: quantization == nil
    default: false
    }
  }

  /// The elements of a constant int32 or int64 tensor.
  var indexValues: [Int]? {
    guard let data, type == .int32 || type == .int64 else { return nil }
    let size = type.bytes
    return stride(from: 0, to: data.count, by: size).map { start in
      let pattern = data[start..<start + size].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      return size == 4 ? Int(Int32(truncatingIfNeeded: pattern)) : Int(Int64(bitPattern: pattern))
    }
  }

  /// The real values of a constant; nil where it has none.
  var reals: [Double]? {
    guard let data, let array = try? NumericArray(shape: shape, type: type, bytes: data) else { return nil }
    let stored = array.doubles()
    guard let quantization else { return stored }
    let channel = channels(of: quantization)
    return stored.indices.map {
      (stored[$0] - Double(quantization.zeroPoints[channel($0)])) * quantization.scales[channel($0)]
    }
  }

  /// Real values as this tensor stores them: rounded to its grid, half to even, and clamped. Nil
  /// where it has no such form.
  func stored(_ reals: [Double]) -> [UInt8]? {
    if type == .float32 {
      return reals.flatMap { real in
        let pattern = Float(real).bitPattern
        return (0..<4).map { UInt8(truncatingIfNeeded: pattern >> (8 * $0)) }
      }
    }
    guard type.isInteger else { return nil }
    // What a `Double` holds exactly.
    let range = type.integerRange.clamped(to: -(1 << 53)...1 << 53)
    guard let quantization else {
      // Numbers that only change their type are cut off, as everywhere.
      let integers = reals.map { Int(exactly: $0.rounded(.towardZero)) }
      guard integers.allSatisfy({ $0.map(range.contains) ?? false }) else { return nil }
      return Self.data(of: integers.compactMap { $0 }, bytes: type.bytes)
    }
    let channel = channels(of: quantization)
    let codes = reals.indices.map { index in
      let steps = (reals[index] / quantization.scales[channel(index)]).rounded(.toNearestOrEven)
      let code = steps + Double(quantization.zeroPoints[channel(index)])
      return code.isNaN
        ? quantization.zeroPoints[channel(index)]
        : Int(min(max(code, Double(range.lowerBound)), Double(range.upperBound)))
    }
    return Self.data(of: codes, bytes: type.bytes)
  }

  /// The position of an element's scale.
  private func channels(of quantization: Quantization) -> (Int) -> Int {
    guard !quantization.isPerTensor else { return { _ in 0 } }
    let inner = shape[(quantization.axis + 1)...].reduce(1, *)
    return { $0 / inner % quantization.scales.count }
  }

  /// Little-endian integers of `bytes` bytes each.
  static func data(of values: [Int], bytes: Int) -> [UInt8] {
    values.flatMap { value in (0..<bytes).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
  }
}

extension DataType {
  var isInteger: Bool {
    switch self {
    case .float16, .float32, .float64: false
    default: true
    }
  }
}
