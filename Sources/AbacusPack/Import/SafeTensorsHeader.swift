/// What a .safetensors file holds and where.
///
/// The file begins with the length of the header (8 bytes, little-endian), then the header as a JSON
/// object: for each tensor its type, shape and the range of its bytes in what follows. The ranges
/// have to cover everything after the header, without gaps or overlaps.
struct SafeTensorsHeader {
  /// Element types of the format.
  enum ElementType: String {
    case float64 = "F64"
    case float32 = "F32"
    case float16 = "F16"
    case brainFloat16 = "BF16"
    case int64 = "I64"
    case int32 = "I32"
    case int16 = "I16"
    case int8 = "I8"
    case uint8 = "U8"
    case boolean = "BOOL"

    /// The type under which its bytes can be read; bfloat16 is the upper half of a float32.
    var stored: DataType {
      switch self {
      case .float64: .float64
      case .float32: .float32
      case .float16: .float16
      case .brainFloat16: .uint16
      case .int64: .int64
      case .int32: .int32
      case .int16: .int16
      case .int8: .int8
      case .uint8: .uint8
      case .boolean: .bool
      }
    }
  }

  struct Entry {
    var type: ElementType
    var shape: [Int]
    /// Bytes of the file.
    var range: Range<Int>
  }

  private(set) var entries: [String: Entry] = [:]

  /// Reads and checks the header of `file`; throws a ``PackError`` of kind `malformed` whatever is
  /// wrong with it.
  init(of file: RandomAccessFile) throws {
    guard file.byteCount >= 8,
      let length = Endian.little(try file.read(at: 0, count: 8), at: 0, count: 8),
      length <= file.byteCount - 8
    else {
      throw PackError(
        .malformed,
        "\(file.path): is not a .safetensors file (it must begin with the length of its header, "
          + "and be at least as long)")
    }
    guard length <= InputLimits.safeTensorsHeaderBytes else {
      throw PackError(
        .malformed,
        "\(file.path): a header of \(length) bytes; at most \(InputLimits.safeTensorsHeaderBytes) are read"
      )
    }
    let text = try file.read(at: 8, count: length)
    let raw = try JSONValue.decode(RawHeader.self, from: text, name: "\(file.path): the header")
    for (name, tensor) in raw.tensors {
      entries[name] = try Self.entry(
        tensor, dataStart: 8 + length, fileBytes: file.byteCount,
        name: "\(file.path): tensor \"\(name)\"")
    }
    try requireTiling(8 + length..<file.byteCount, file.path)
  }

  private static func entry(
    _ raw: RawTensor, dataStart: Int, fileBytes: Int, name: String
  ) throws(PackError) -> Entry {
    guard let type = ElementType(rawValue: raw.dtype) else {
      throw PackError(.unsupported, "\(name) has elements of type \(raw.dtype), which is not supported")
    }
    guard raw.shape.count <= InputLimits.rank,
      let bytes = NumericArray.byteCount(shape: raw.shape, type: type.stored)
    else { throw PackError(.malformed, "\(name) has the impossible shape \(raw.shape)") }
    guard raw.data_offsets.count == 2, let start = raw.data_offsets.first,
      let end = raw.data_offsets.last,
      start >= 0, end >= start, end <= fileBytes - dataStart
    else {
      throw PackError(
        .malformed,
        "\(name) lies at \(raw.data_offsets), but the file has \(fileBytes - dataStart) bytes of data")
    }
    guard end - start == bytes else {
      throw PackError(
        .malformed,
        "\(name), \(raw.dtype) of shape \(NumericArray.text(raw.shape)), takes \(bytes) bytes, "
          + "not the \(end - start) at \(raw.data_offsets)")
    }
    return Entry(type: type, shape: raw.shape, range: dataStart + start..<dataStart + end)
  }

  private func requireTiling(_ data: Range<Int>, _ path: String) throws(PackError) {
    var position = data.lowerBound
    let ordered = entries.sorted {
      ($0.value.range.lowerBound, $0.value.range.upperBound)
        < ($1.value.range.lowerBound, $1.value.range.upperBound)
    }
    for (name, entry) in ordered {
      guard entry.range.lowerBound == position else {
        throw PackError(
          .malformed,
          "\(path): tensor \"\(name)\" \(entry.range.lowerBound < position ? "overlaps" : "leaves a gap after") "
            + "the tensor before it (byte \(position) of the file)")
      }
      position = entry.range.upperBound
    }
    guard position == data.upperBound else {
      throw PackError(
        .malformed, "\(path): the last \(data.upperBound - position) bytes belong to no tensor")
    }
  }
}

/// The header as it stands in the file.
private struct RawHeader: Decodable {
  var tensors: [String: RawTensor] = [:]

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Name.self)
    for key in container.allKeys where key.stringValue != "__metadata__" {
      tensors[key.stringValue] = try container.decode(RawTensor.self, forKey: key)
    }
  }

  struct Name: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }
}

private struct RawTensor: Decodable {
  var dtype: String
  var shape: [Int]
  var data_offsets: [Int]
}
