import Foundation

/// Turns the constants of a file into tensors of a ``Graph``.
final class ONNXTensorSource {
  private var initializers: [String: ONNXTensorProto] = [:]
  /// Where external data lies; nil where the model did not come from a folder.
  private let folder: String?
  /// Files of external data read so far.
  private var files: [String: [UInt8]] = [:]

  init(_ graph: ONNXGraphProto, folder: String? = nil) throws {
    self.folder = folder
    guard graph.sparseInitializer.isEmpty else {
      throw PackError(.unsupported, "sparse constants are not supported")
    }
    for tensor in graph.initializer {
      guard initializers.updateValue(tensor, forKey: tensor.name) == nil else {
        throw PackError(.malformed, "two constants of the model have the name \"\(tensor.name)\"")
      }
    }
  }

  func isInitializer(_ name: String) -> Bool { initializers[name] != nil }

  func isNarrow(_ name: String) -> Bool { initializers[name].map { Self.isNarrow($0.dataType) } ?? false }

  func initializer(_ name: String) throws -> Tensor? { try initializers[name].map(tensor) }

  /// The type that values of an ONNX type have in a graph: all real numbers are float32.
  static func type(ofCode code: Int32) throws -> DataType {
    let type = ONNXTensorProto.DataType(rawValue: Int(code))
    switch type {
    case .float, .double, .float16, .bfloat16: return .float32
    case .uint8, .uint4: return .uint8
    case .int4: return .int4
    case .int8: return .int8
    case .uint16: return .uint16
    case .int16: return .int16
    case .int32: return .int32
    case .int64: return .int64
    case .uint32: return .uint32
    case .uint64: return .uint64
    case .bool: return .bool
    case let other?: throw PackError(.unsupported, "the type \(other) is not supported")
    case nil: throw PackError(.unsupported, "the type with code \(code) is not supported")
    }
  }

  /// True for types of which two elements share a byte; only constants have them.
  static func isNarrow(_ code: Int32) -> Bool {
    [ONNXTensorProto.DataType.int4.rawValue, ONNXTensorProto.DataType.uint4.rawValue].contains(Int(code))
  }

  func tensor(_ proto: ONNXTensorProto) throws -> Tensor {
    func fail(_ kind: PackError.Kind, _ what: String) -> PackError {
      PackError(kind, "constant \"\(proto.name)\" \(proto.dims.prefix(16).map(Int.init)): \(what)")
    }
    do {
      let type = try Self.type(ofCode: proto.dataType)
      let shape = proto.dims.map { Int($0) }
      guard let count = Shapes.elementCount(shape) else {
        throw PackError(
          .malformed,
          "its shape must have at most \(Shapes.maximumRank) dimensions, none negative, and fewer than 2^30 elements")
      }
      let stored = proto.dataLocation == .external || proto.hasRawData
        ? try rawBytes(proto) : try Self.typedBytes(proto)
      return Tensor(name: proto.name, shape: shape, type: type, data: try Self.decoded(stored, proto, count))
    } catch let error as PackError {
      throw fail(error.kind, error.description)
    }
  }

  // MARK: Bytes

  /// How a type is stored: real numbers that become float32, packed halves of bytes, or as in a graph.
  private static func decoded(_ stored: [UInt8], _ proto: ONNXTensorProto, _ count: Int) throws -> [UInt8] {
    func expect(_ bytes: Int) throws {
      guard stored.count == bytes else {
        throw PackError(.malformed, "has \(stored.count) bytes of data; its type and shape need \(bytes)")
      }
    }
    switch ONNXTensorProto.DataType(rawValue: Int(proto.dataType)) {
    case .double, .float16:
      let type: DataType = proto.dataType == 11 ? .float64 : .float16
      try expect(count * type.bytes)
      let array = try NumericArray(shape: [count], type: type, bytes: stored)
      return array.floats().flatMap { littleEndianBytes($0.bitPattern) }
    case .bfloat16:
      try expect(count * 2)
      return stride(from: 0, to: stored.count, by: 2).flatMap { [0, 0, stored[$0], stored[$0 + 1]] }
    case .int4, .uint4:
      try expect((count + 1) / 2)
      let isSigned = proto.dataType == 22
      return (0..<count).map { index in
        let nibble = stored[index / 2] >> (index % 2 == 0 ? 0 : 4) & 0xF
        return isSigned && nibble > 7 ? nibble | 0xF0 : nibble
      }
    default:
      try expect(count * Self.type(ofCode: proto.dataType).bytes)
      return stored
    }
  }

  /// Data in a field of its type, as bytes.
  private static func typedBytes(_ proto: ONNXTensorProto) throws -> [UInt8] {
    func low(_ bytes: Int) -> [UInt8] {
      proto.int32Data.flatMap { value in (0..<bytes).map { UInt8(truncatingIfNeeded: value >> (8 * Int32($0))) } }
    }
    switch ONNXTensorProto.DataType(rawValue: Int(proto.dataType)) {
    case .float: return proto.floatData.flatMap { littleEndianBytes($0.bitPattern) }
    case .double: return proto.doubleData.flatMap { littleEndianBytes($0.bitPattern) }
    case .int64: return proto.int64Data.flatMap(littleEndianBytes)
    case .uint64: return proto.uint64Data.flatMap(littleEndianBytes)
    case .uint32: return proto.uint64Data.flatMap { littleEndianBytes(UInt32(truncatingIfNeeded: $0)) }
    case .int32: return low(4)
    case .float16, .bfloat16, .int16, .uint16: return low(2)
    default: return low(1)
    }
  }

  private func rawBytes(_ proto: ONNXTensorProto) throws -> [UInt8] {
    guard proto.dataLocation == .external else { return Array(proto.rawData) }
    let entries = Dictionary(proto.externalData.map { ($0.key, $0.value) }) { first, _ in first }
    guard let location = entries["location"] else {
      throw PackError(.malformed, "its data is external, but no location says where")
    }
    let file = try file(location)
    let offset = try number(entries["offset"], "offset") ?? 0
    guard offset <= file.count else {
      throw PackError(.malformed, "its data begins at \(offset) of \"\(location)\", which has \(file.count) bytes")
    }
    let length = try number(entries["length"], "length") ?? file.count - offset
    guard length <= file.count - offset else {
      throw PackError(
        .malformed,
        "\(length) bytes from \(offset) are its data; \"\(location)\" has \(file.count) bytes")
    }
    return Array(file[offset..<offset + length])
  }

  private func number(_ text: String?, _ what: String) throws -> Int? {
    guard let text else { return nil }
    guard let value = Int(text), value >= 0 else {
      throw PackError(.malformed, "the \(what) of its external data is \"\(text)\"")
    }
    return value
  }

  /// The content of a file beside the model. It must lie in the model's folder, whatever links
  /// there are on the way.
  private func file(_ location: String) throws -> [UInt8] {
    if let bytes = files[location] { return bytes }
    guard let folder else {
      throw PackError(
        .unsupported, "its data is in the file \"\(location)\", and the model was not read from a folder")
    }
    let isInside = !location.hasPrefix("/") && !location.split(separator: "/").contains("..")
    let home = URL(filePath: folder, directoryHint: .isDirectory).resolvingSymlinksInPath().path()
    let path = URL(filePath: folder, directoryHint: .isDirectory).appending(path: location)
    guard isInside, path.resolvingSymlinksInPath().path().hasPrefix(home) else {
      throw PackError(.malformed, "its data is in \"\(location)\", which is outside the model's folder")
    }
    let bytes = try readFile(path.path(percentEncoded: false))
    files[location] = bytes
    return bytes
  }
}
