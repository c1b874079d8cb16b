/// The idx format of MNIST and its relatives, plain or compressed by gzip.
///
/// Two zero bytes, a type byte, the rank, the extents as big-endian 32-bit numbers, then the
/// elements in row-major order.
public enum IDXFile {
  /// Reads a file into an array; throws where it is not a whole idx file.
  public static func read(_ path: String) throws(PackError) -> NumericArray {
    try decode(readFile(path), name: path)
  }

  /// Images [count, height, width] of uint8.
  public static func images(_ path: String) throws(PackError) -> NumericArray {
    let array = try read(path)
    guard array.shape.count == 3, array.type == .uint8 else {
      let found = "\(array.type.rawValue) of shape \(NumericArray.text(array.shape))"
      throw PackError(.file, "\(path): holds \(found); images are uint8 [count, height, width]")
    }
    return array
  }

  /// Labels, one whole number each.
  public static func labels(_ path: String) throws(PackError) -> [Int] {
    let array = try read(path)
    guard array.shape.count == 1 else {
      let found = NumericArray.text(array.shape)
      throw PackError(.file, "\(path): holds an array of shape \(found); labels have one dimension")
    }
    return try array.int64s().map { Int($0) }
  }

  /// Reads the bytes of a file; `name` stands in messages.
  public static func decode(_ packed: [UInt8], name: String) throws(PackError) -> NumericArray {
    let bytes = Gzip.isGzip(packed) ? try Gzip.unpack(packed, name: name) : packed
    guard bytes.count >= 4, bytes[0] == 0, bytes[1] == 0, let type = elementType(bytes[2]) else {
      throw PackError(.file, "\(name): is not an idx file (two zero bytes, a type, a rank)")
    }
    let rank = Int(bytes[3])
    guard rank <= InputLimits.rank, bytes.count >= 4 + 4 * rank else {
      throw PackError(.file, "\(name): the idx header is cut short or has too many dimensions (\(rank))")
    }
    let shape = (0..<rank).map { Endian.big(bytes, at: 4 + 4 * $0, count: 4) ?? 0 }
    var data = Array(bytes[(4 + 4 * rank)...])
    Endian.swap(&data, width: type.bytes)
    return try NumericArray(shape: shape, type: type, bytes: data, name: name)
  }

  private static func elementType(_ code: UInt8) -> DataType? {
    switch code {
    case 0x08: .uint8
    case 0x09: .int8
    case 0x0B: .int16
    case 0x0C: .int32
    case 0x0D: .float32
    case 0x0E: .float64
    default: nil
    }
  }
}
