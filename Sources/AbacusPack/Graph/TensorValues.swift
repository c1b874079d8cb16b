// The numbers of constants, decoded and encoded.

extension Tensor {
  /// An integer that stands for itself: an index, an extent.
  var isPlainInteger: Bool { type.isInteger && type != .bool && quantization == nil }

  /// The real values of a constant; nil where it has none.
  var knownReals: [Double]? { isConstant ? try? reals() : nil }

  /// Real values as this tensor stores them: on its grid, where it has one. Nil where it has no such
  /// form.
  func stored(_ reals: [Double]) -> [UInt8]? {
    if type == .float32 { return Tensor.data(of: reals.map(Float.init)) }
    guard type.isInteger else { return nil }
    if quantization != nil {
      return codes(of: reals).map { Tensor.data(of: $0.map { Int($0) }, bytes: type.bytes) }
    }
    // Numbers that only change their type are cut off, as everywhere.
    let integers = reals.map { Int(exactly: $0.rounded(.towardZero)) }
    guard integers.allSatisfy({ $0.map(type.integerRange.contains) ?? false }) else { return nil }
    return Self.data(of: integers.compactMap { $0 }, bytes: type.bytes)
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
