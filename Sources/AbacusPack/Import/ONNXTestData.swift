// What the runner of ONNX's node tests needs of the format.

/// A model of which inputs can be made constants.
package struct ONNXTestModel {
  private let model: ONNXModelProto

  package init(_ bytes: [UInt8]) throws {
    guard let model = try? ONNXModelProto(serializedBytes: bytes) else {
      throw PackError(.malformed, "not a sound ONNX model")
    }
    self.model = model
  }

  /// The operators of the nodes, as messages name them, in the order of the nodes.
  package var operators: [String] {
    model.graph.node.map { ONNXSite.prefix(ofDomain: $0.domain) + $0.opType }
  }

  package var inputs: [String] { model.graph.input.map(\.name) }

  /// The graph, where some inputs are the constants in files of their own.
  package func load(constants: [String: [UInt8]]) throws -> Graph {
    var model = model
    for (name, bytes) in constants {
      guard model.graph.input.contains(where: { $0.name == name && $0.type.hasTensorType }) else {
        throw PackError(.unsupported, "the input \"\(name)\" of the model is not a tensor")
      }
      var constant = try Self.proto(bytes)
      constant.name = name
      model.graph.initializer.append(constant)
    }
    return try ONNXImporter.load(model.serializedBytes())
  }

  /// The tensor in a file of its own.
  package static func tensor(_ bytes: [UInt8]) throws -> Tensor {
    try ONNXTensorSource(ONNXGraphProto()).tensor(proto(bytes))
  }

  private static func proto(_ bytes: [UInt8]) throws -> ONNXTensorProto {
    guard let proto = try? ONNXTensorProto(serializedBytes: bytes) else {
      throw PackError(.malformed, "not a sound ONNX tensor")
    }
    return proto
  }
}

extension Tensor {
  /// The elements of a constant as they are stored, whatever they stand for.
  package var storedValues: [Double] {
    guard let data, let array = try? NumericArray(shape: shape, type: type, bytes: data) else { return [] }
    return array.doubles()
  }
}
