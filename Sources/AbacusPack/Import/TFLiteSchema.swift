// The part of TFLite's schema (version 3) that the importer reads. Each accessor names a field by its
// number in the schema.

struct TFLiteModel {
  let table: FlatTable

  init(_ bytes: [UInt8]) throws {
    table = try FlatBuffer(bytes).root(identifier: "TFL3")
    let version = try table.integer(0, default: UInt32(0))
    guard version == 3 else {
      throw PackError(.unsupported, "version \(version) of the TFLite schema; supported: version 3")
    }
  }

  func operatorCodes() throws -> [TFLiteOperatorCode] { try table.tables(1).map(TFLiteOperatorCode.init) }
  func subgraphs() throws -> [TFLiteSubgraph] { try table.tables(2).map(TFLiteSubgraph.init) }
  func buffers() throws -> [TFLiteBuffer] { try table.tables(4).map(TFLiteBuffer.init) }
}

struct TFLiteOperatorCode {
  let table: FlatTable

  /// Older files have the code in one byte (field 0) and leave the newer field at its default;
  /// newer files have a placeholder there for codes that need more. The larger of both is meant.
  func code() throws -> Int {
    max(Int(try table.integer(0, default: Int8(0))), Int(try table.integer(3, default: Int32(0))))
  }

  /// "CONV_2D", or for a custom operator "CUSTOM (name)".
  func name() throws -> String {
    let name = TFLiteNames.name(ofOperator: try code())
    return name == "CUSTOM" ? "CUSTOM (\(try table.string(1) ?? "without a name"))" : name
  }
}

struct TFLiteSubgraph {
  let table: FlatTable

  func tensors() throws -> [TFLiteTensor] { try table.tables(0).map(TFLiteTensor.init) }
  func inputs() throws -> [Int] { try table.integers(1, of: Int32.self)?.map(Int.init) ?? [] }
  func outputs() throws -> [Int] { try table.integers(2, of: Int32.self)?.map(Int.init) ?? [] }
  func operators() throws -> [TFLiteOperator] { try table.tables(3).map(TFLiteOperator.init) }
  func name() throws -> String { try table.string(4) ?? "" }
}

struct TFLiteTensor {
  let table: FlatTable

  func shape() throws -> [Int] { try table.integers(0, of: Int32.self)?.map(Int.init) ?? [] }
  func type() throws -> TFLiteType { TFLiteType(code: Int(try table.integer(1, default: Int8(0)))) }
  /// Index of the buffer with the constant's bytes; 0 stands for none.
  func buffer() throws -> Int { Int(try table.integer(2, default: UInt32(0))) }
  func name() throws -> String { try table.string(3) ?? "" }
  func quantization() throws -> TFLiteQuantization? { try table.table(4).map(TFLiteQuantization.init) }
  func isVariable() throws -> Bool { try table.flag(5) }
  func isSparse() throws -> Bool { try table.table(6) != nil }
  /// The shape with -1 for extents that are known at run time only; nil where all are known.
  func shapeSignature() throws -> [Int]? {
    let signature = try table.integers(7, of: Int32.self)?.map(Int.init)
    return signature?.isEmpty == true ? nil : signature
  }
  /// Index of a buffer in another file; 0 stands for none.
  func externalBuffer() throws -> Int { Int(try table.integer(10, default: UInt32(0))) }
}

struct TFLiteQuantization {
  let table: FlatTable

  func scales() throws -> [Double] { try table.reals(2)?.map(Double.init) ?? [] }
  func zeroPoints() throws -> [Int] { try table.integers(3, of: Int64.self)?.map(Int.init) ?? [] }
  /// Kind of quantisation: 0 for scales and zero points, else custom, by blocks or along several axes.
  func details() throws -> Int { Int(try table.integer(4, default: UInt8(0))) }
  func dimension() throws -> Int { Int(try table.integer(6, default: Int32(0))) }
}

struct TFLiteBuffer {
  let table: FlatTable

  /// The bytes. Files beyond 2 GB have them behind the FlatBuffer, at an offset from the start of
  /// the file (fields 1 and 2).
  func bytes() throws -> [UInt8] {
    let offset = try table.integer(1, default: UInt64(0))
    guard offset > 1 else { return try table.bytes(0) ?? [] }
    let size = try table.integer(2, default: UInt64(0))
    return try table.buffer.slice(at: Int(clamping: offset), count: Int(clamping: size))
  }
}

struct TFLiteOperator {
  let table: FlatTable

  /// Index in the model's list of operator codes.
  func code() throws -> Int { Int(try table.integer(0, default: UInt32(0))) }
  /// Indices of tensors; -1 stands for an input left out.
  func inputs() throws -> [Int] { try table.integers(1, of: Int32.self)?.map(Int.init) ?? [] }
  func outputs() throws -> [Int] { try table.integers(2, of: Int32.self)?.map(Int.init) ?? [] }

  /// The options, which may be left out if all have their defaults.
  func options(_ kind: TFLiteOptions.Kind) throws -> TFLiteOptions {
    let found = try table.integer(3, default: UInt8(0))
    guard found == 0 || found == kind.rawValue else {
      throw FlatBufferError(
        offset: table.position,
        expected: "an operator with options of type \(kind.rawValue) (\(kind)), found type \(found)")
    }
    return TFLiteOptions(table: found == 0 ? nil : try table.table(4))
  }

  /// The subgraphs that the operator runs, by index.
  func subgraphs() throws -> [Int] {
    // Type of options, and how many of their first fields name subgraphs.
    let referring: [UInt8: Int] = [16: 1, 92: 2, 93: 2, 103: 1]  // CALL, IF, WHILE, CALL_ONCE
    guard let count = referring[try table.integer(3, default: UInt8(0))], let options = try table.table(4)
    else {
      return []
    }
    return try (0..<count).map { Int(try options.integer($0, default: Int32(0))) }
  }
}

/// Options of one operator, or none. The fields' numbers are at their uses, beside their names.
struct TFLiteOptions {
  /// The options that the importer reads, with their numbers in the schema's union.
  enum Kind: UInt8 {
    case conv2D = 1
    case depthwiseConv2D = 2
    case pool2D = 5
    case fullyConnected = 8
    case softmax = 9
    case concatenation = 10
    case add = 11
    case reshape = 17
    case spaceToDepth = 19
    case mul = 21
    case gather = 23
    case reducer = 27
    case sub = 28
    case squeeze = 30
    case stridedSlice = 32
    case pack = 59
    case unpack = 64
    case leakyRelu = 75
    case mirrorPad = 77
    case depthToSpace = 94
    case batchMatMul = 101
    case gelu = 116
  }

  let table: FlatTable?

  /// A 32-bit integer.
  func int(_ field: Int, default value: Int32 = 0) throws -> Int {
    Int(try table?.integer(field, default: value) ?? value)
  }
  /// An enumeration, which takes a byte.
  func choice(_ field: Int) throws -> Int { Int(try table?.integer(field, default: Int8(0)) ?? 0) }
  func flag(_ field: Int) throws -> Bool { try table?.flag(field) ?? false }
  func real(_ field: Int) throws -> Double { Double(try table?.real(field) ?? 0) }
  func ints(_ field: Int) throws -> [Int]? { try table?.integers(field, of: Int32.self)?.map(Int.init) }
}

/// A tensor's element type.
struct TFLiteType: CustomStringConvertible {
  let code: Int

  private static let names = [
    "float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8",
    "float64", "complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4", "bfloat16",
    "int2", "uint4", "float8_e4m3fn", "float8_e5m2",
  ]

  var description: String { Self.names.indices.contains(code) ? Self.names[code] : "type code \(code)" }
  /// nil for types that a ``Graph`` has not.
  var dataType: DataType? { DataType(rawValue: description) }
}
