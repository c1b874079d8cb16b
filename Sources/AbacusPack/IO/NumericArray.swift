/// A dense array of numbers as files deliver it: little-endian, row-major.
///
/// The shape always agrees with the bytes, so nothing that takes one needs to check it again.
public struct NumericArray: Sendable, Equatable {
  /// Extents, outermost first; empty for a single number.
  public private(set) var shape: [Int]
  /// How one element is stored.
  public private(set) var type: DataType
  /// `elementCount * type.bytes` bytes.
  public private(set) var bytes: [UInt8]

  /// Throws where `bytes` are not exactly what `shape` and `type` ask for.
  public init(shape: [Int], type: DataType, bytes: [UInt8], name: String = "array") throws(PackError) {
    guard let expected = Self.byteCount(shape: shape, type: type) else {
      throw PackError(.file, "\(name): impossible shape \(Self.text(shape))")
    }
    guard expected == bytes.count else {
      throw PackError(
        .file,
        "\(name): \(type.rawValue) of shape \(Self.text(shape)) takes \(expected) bytes, not \(bytes.count)"
      )
    }
    self.shape = shape
    self.type = type
    self.bytes = bytes
  }

  /// A float32 array; throws where `shape` does not hold as many values.
  public init(floats values: [Float], shape: [Int]) throws(PackError) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(values.count * 4)
    for value in values {
      withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }
    try self.init(shape: shape, type: .float32, bytes: bytes)
  }

  /// Product of the extents.
  public var elementCount: Int { bytes.count / type.bytes }

  /// Bytes of an array, or nil where an extent is negative or the product does not fit an `Int`.
  public static func byteCount(shape: [Int], type: DataType) -> Int? {
    guard shape.allSatisfy({ $0 >= 0 }) else { return nil }
    if shape.contains(0) { return 0 }
    var count = type.bytes
    for extent in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      if overflow { return nil }
      count = product
    }
    return count
  }

  /// The same numbers under another shape; throws where the counts differ.
  public func reshaped(to shape: [Int]) throws(PackError) -> NumericArray {
    try NumericArray(shape: shape, type: type, bytes: bytes)
  }

  // MARK: Elements

  /// All elements; throws at the first one that is no whole number or does not fit.
  public func int32s() throws(PackError) -> [Int32] { try wholeNumbers(Int32.self) }

  /// All elements; throws at the first one that is no whole number or does not fit.
  public func int64s() throws(PackError) -> [Int64] { try wholeNumbers(Int64.self) }

  /// All elements; 64-bit integers beyond 2^53 are rounded.
  public func doubles() -> [Double] {
    switch type {
    case .float32: stored(UInt32.self) { Double(Float(bitPattern: $0)) }
    case .float64: stored(UInt64.self) { Double(bitPattern: $0) }
    case .float16: stored(UInt16.self, Self.double(half:))
    case .uint64: stored(UInt64.self) { Double($0) }
    case .bool: bytes.map { $0 == 0 ? 0 : 1 }
    case .int4, .int8: stored(Int8.self) { Double($0) }
    case .uint8: bytes.map { Double($0) }
    case .int16: stored(Int16.self) { Double($0) }
    case .uint16: stored(UInt16.self) { Double($0) }
    case .int32: stored(Int32.self) { Double($0) }
    case .uint32: stored(UInt32.self) { Double($0) }
    case .int64: stored(Int64.self) { Double($0) }
    }
  }

  /// All elements, rounded to float32.
  public func floats() -> [Float] { doubles().map { Float($0) } }

  private func wholeNumbers<Result: FixedWidthInteger>(_: Result.Type) throws(PackError) -> [Result] {
    let converted: [Result?] =
      switch type {
      case .float16, .float32, .float64: doubles().map { Result(exactly: $0) }
      case .bool: bytes.map { $0 == 0 ? 0 : 1 }
      case .int4, .int8: stored(Int8.self) { Result(exactly: $0) }
      case .uint8: bytes.map { Result(exactly: $0) }
      case .int16: stored(Int16.self) { Result(exactly: $0) }
      case .uint16: stored(UInt16.self) { Result(exactly: $0) }
      case .int32: stored(Int32.self) { Result(exactly: $0) }
      case .uint32: stored(UInt32.self) { Result(exactly: $0) }
      case .int64: stored(Int64.self) { Result(exactly: $0) }
      case .uint64: stored(UInt64.self) { Result(exactly: $0) }
      }
    if let index = converted.firstIndex(of: nil) {
      throw PackError(
        .file, "element \(index) of \(type.rawValue) is not a whole number of \(Result.bitWidth) bits")
    }
    return converted.map { $0! }
  }

  private func stored<Stored: FixedWidthInteger, Result>(
    _: Stored.Type, _ convert: (Stored) -> Result
  ) -> [Result] {
    bytes.withUnsafeBytes { raw in
      (0..<elementCount).map {
        convert(Stored(littleEndian: raw.loadUnaligned(fromByteOffset: $0 * type.bytes, as: Stored.self)))
      }
    }
  }

  /// IEEE 754 binary16, which not every host's Swift has as a type.
  private static func double(half: UInt16) -> Double {
    let sign = half >> 15 == 0 ? 1.0 : -1.0
    let exponent = Int(half >> 10 & 31)
    let fraction = Double(half & 1023)
    switch exponent {
    case 0: return sign * fraction * 0x1p-24
    case 31: return fraction == 0 ? sign * .infinity : .nan
    default:
      return sign * (1024 + fraction) * Double(sign: .plus, exponent: exponent - 25, significand: 1)
    }
  }

  // MARK: Slices

  /// Entries `range` of the first axis; throws where they do not exist.
  public func rows(_ range: Range<Int>) throws(PackError) -> NumericArray {
    guard let count = shape.first, range.lowerBound >= 0, range.upperBound <= count else {
      throw PackError(
        .file,
        "entries \(range.lowerBound)..<\(range.upperBound) of an array of shape \(Self.text(shape))")
    }
    let rowBytes = count == 0 ? 0 : bytes.count / count
    return try NumericArray(
      shape: [range.count] + shape.dropFirst(), type: type,
      bytes: Array(bytes[range.lowerBound * rowBytes..<range.upperBound * rowBytes]))
  }

  /// Entry `index` of the first axis, without that axis; throws where it does not exist.
  public func row(_ index: Int) throws(PackError) -> NumericArray {
    guard let count = shape.first, index >= 0, index < count else {
      throw PackError(.file, "entry \(index) of an array of shape \(Self.text(shape))")
    }
    return try rows(index..<index + 1).reshaped(to: Array(shape.dropFirst()))
  }

  /// "2 x 3" for messages; "()" for a single number.
  public static func text(_ shape: [Int]) -> String {
    shape.isEmpty ? "()" : shape.map(String.init).joined(separator: " x ")
  }
}
