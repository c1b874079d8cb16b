// What the runner of ONNX's node tests needs of the format.

extension ONNXImporter {
  /// The operators of a model's nodes, as messages name them, in the order of the nodes.
  package static func operators(of bytes: [UInt8]) throws -> [String] {
    guard let model = try? ONNXModelProto(serializedBytes: bytes) else {
      throw PackError(.malformed, "not a sound ONNX model")
    }
    return model.graph.node.map { ONNXSite.prefix(ofDomain: $0.domain) + $0.opType }
  }

  /// A tensor in a file of its own.
  package static func tensor(_ bytes: [UInt8]) throws -> Tensor {
    guard let proto = try? ONNXTensorProto(serializedBytes: bytes) else {
      throw PackError(.malformed, "not a sound ONNX tensor")
    }
    return try ONNXTensorSource(ONNXGraphProto()).tensor(proto)
  }
}

extension Tensor {
  /// The elements of a constant as they are stored, whatever they stand for.
  package var storedValues: [Double] {
    guard let data, let array = try? NumericArray(shape: shape, type: type, bytes: data) else { return [] }
    return array.doubles()
  }
}
