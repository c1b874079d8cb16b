/// Turns the tensors of a file into tensors of a ``Graph``.
final class TFLiteTensorSource {
  let tensors: [TFLiteTensor]
  private let buffers: [TFLiteBuffer]
  /// Bytes of the buffers read so far: tensors may share one.
  private var contents: [Int: [UInt8]] = [:]

  init(tensors: [TFLiteTensor], buffers: [TFLiteBuffer]) {
    self.tensors = tensors
    self.buffers = buffers
  }

  private static let constantTypes: [DataType] = [
    .float32, .float16, .int4, .int8, .int16, .int32, .int64, .uint8, .bool,
  ]
  private static let runTimeTypes: [DataType] = [.float32, .int8, .int16, .int32, .int64, .uint8, .bool]

  /// Name, type and shape, for messages; whatever of it can be read.
  func describe(_ index: Int) -> String {
    if index == -1 { return "left out" }
    guard tensors.indices.contains(index) else { return "tensor \(index), which does not exist" }
    let tensor = tensors[index]
    let type = (try? tensor.type())?.description ?? "of unknown type"
    let shape = (try? tensor.shape()).map { "\($0)" } ?? "of unknown shape"
    return "\(name(index)) \(type) \(shape)"
  }

  func name(_ index: Int) -> String {
    let name = (try? tensors[index].name()) ?? ""
    return name.isEmpty ? "tensor \(index)" : "\"\(name)\""
  }

  /// A tensor as the file has it; its shape may yet depend on its producer.
  func tensor(_ index: Int) throws -> Tensor {
    let source = tensors[index]
    func fail(_ kind: PackError.Kind, _ what: String) -> PackError {
      PackError(kind, "tensor \(index), \(describe(index)): \(what)")
    }
    guard try !source.isSparse() else { throw fail(.unsupported, "sparse tensors are not supported") }
    guard try source.externalBuffer() == 0 else {
      throw fail(.unsupported, "its data is in another file, which is not supported")
    }
    let shape = try source.shape()
    guard let count = Shapes.elementCount(shape) else {
      throw fail(
        .malformed,
        "its shape must have at most \(Shapes.maximumRank) dimensions, none negative, "
          + "and fewer than 2^30 elements")
    }
    let stored = try constant(index)
    let types = stored == nil ? Self.runTimeTypes : Self.constantTypes
    guard let type = try source.type().dataType, types.contains(type) else {
      let names = types.map(\.rawValue).joined(separator: ", ")
      throw fail(
        .unsupported,
        "this type is not supported for \(stored == nil ? "values" : "constants"); supported: \(names)")
    }
    // The converter strings the names of fused operators together; the first is the last of them.
    let name = try source.name().prefix { $0 != ";" }
    var tensor = Tensor(name: String(name), shape: shape, type: type)
    if tensor.name.isEmpty { tensor.name = "tensor \(index)" }
    if let stored {
      let expected = type == .int4 ? (count + 1) / 2 : count * type.bytes
      guard stored.count == expected else {
        throw fail(.malformed, "has \(stored.count) bytes of data; its type and shape need \(expected)")
      }
      tensor.data = type == .int4 ? Self.unpackingNibbles(stored, count: count) : stored
    }
    if type != .float32, type != .float16 {
      do {
        tensor.quantization = try quantization(of: source, shape: shape, type: type)
      } catch let error as PackError {
        throw fail(error.kind, error.description)
      }
    }
    return tensor
  }

  /// A constant's bytes; nil for tensors that have none.
  private func constant(_ index: Int) throws -> [UInt8]? {
    let buffer = try tensors[index].buffer()
    if buffer == 0 { return nil }
    guard buffers.indices.contains(buffer) else {
      throw PackError(
        .malformed,
        "tensor \(index), \(describe(index)): refers to buffer \(buffer); the model has \(buffers.count)")
    }
    let bytes = try contents[buffer] ?? buffers[buffer].bytes()
    contents[buffer] = bytes
    return bytes.isEmpty ? nil : bytes
  }

  private func quantization(
    of source: TFLiteTensor, shape: [Int], type: DataType
  ) throws -> Quantization? {
    guard let quantization = try source.quantization() else { return nil }
    guard try quantization.details() == 0 else {
      throw PackError(
        .unsupported,
        "custom, blockwise and multi-axis quantisation are not supported; supported: one scale and "
          + "zero point per tensor or per channel")
    }
    let scales = try quantization.scales()
    if scales.isEmpty { return nil }
    guard scales.allSatisfy({ $0.isFinite && $0 > 0 }) else {
      throw PackError(.malformed, "every scale must be finite and greater than 0")
    }
    var zeroPoints = try quantization.zeroPoints()
    if zeroPoints.count <= 1 {
      zeroPoints = Array(repeating: zeroPoints.first ?? 0, count: scales.count)
    }
    guard zeroPoints.count == scales.count else {
      throw PackError(.malformed, "has \(scales.count) scales but \(zeroPoints.count) zero points")
    }
    let range = type.integerRange
    guard zeroPoints.allSatisfy(range.contains) else {
      throw PackError(.malformed, "every zero point must lie in \(range)")
    }
    var axis = 0
    if scales.count > 1 {
      axis = try channelAxis(try quantization.dimension(), shape: shape, channels: scales.count)
    }
    return Quantization(scales: scales, zeroPoints: zeroPoints, axis: axis)
  }

  /// The dimension that the channels run along. Some converters write the weights' dimension into
  /// the biases too; where only one dimension can be meant, it is.
  private func channelAxis(_ stated: Int, shape: [Int], channels: Int) throws -> Int {
    if shape.indices.contains(stated), shape[stated] == channels { return stated }
    let candidates = shape.indices.filter { shape[$0] == channels }
    guard candidates.count == 1 else {
      throw PackError(
        .malformed,
        "has \(channels) scales for dimension \(stated), which has not as many channels")
    }
    return candidates[0]
  }

  /// int4 is stored two to a byte, the first in the low half.
  private static func unpackingNibbles(_ bytes: [UInt8], count: Int) -> [UInt8] {
    (0..<count).map { index in
      let nibble = bytes[index / 2] >> (index % 2 == 0 ? 0 : 4) & 0xF
      return nibble < 8 ? nibble : nibble | 0xF0
    }
  }
}

extension DataType {
  /// What the type can store; for types that are not integers, any `Int`.
  var integerRange: ClosedRange<Int> {
    switch self {
    case .int4: -8...7
    case .int8: -128...127
    case .uint8: 0...255
    case .bool: 0...1
    case .int16: -32768...32767
    case .uint16: 0...65535
    case .int32: Int(Int32.min)...Int(Int32.max)
    case .uint32: 0...Int(UInt32.max)
    default: Int.min...Int.max
    }
  }
}
