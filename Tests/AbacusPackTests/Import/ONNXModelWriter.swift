import Foundation
import SwiftProtobuf

@testable import AbacusPack

/// Writes small ONNX models for tests, through the importer's own schema.
struct ONNXModelWriter {
  var model = ONNXModelProto()

  enum Attribute: Sendable {
    case int(Int)
    case ints([Int])
    case real(Float)
    case string(String)
    case tensor(ONNXTensorProto)
  }

  init(version: Int = 20, name: String = "test") {
    model.irVersion = 9
    model.graph.name = name
    importDomain("", version)
  }

  mutating func importDomain(_ domain: String, _ version: Int) {
    var set = ONNXOperatorSetIdProto()
    set.domain = domain
    set.version = Int64(version)
    model.opsetImport.append(set)
  }

  // MARK: Values

  /// - Parameter shape: extents, or names of dimensions that are not fixed.
  mutating func input(_ name: String, _ shape: [Any], _ type: ONNXTensorProto.DataType = .float) {
    model.graph.input.append(Self.value(name, shape, type))
  }

  mutating func output(_ name: String, _ type: ONNXTensorProto.DataType = .float) {
    var value = ONNXValueInfoProto()
    value.name = name
    value.type.tensorType.elemType = Int32(type.rawValue)
    model.graph.output.append(value)
  }

  private static func value(
    _ name: String, _ shape: [Any], _ type: ONNXTensorProto.DataType
  ) -> ONNXValueInfoProto {
    var value = ONNXValueInfoProto()
    value.name = name
    value.type.tensorType.elemType = Int32(type.rawValue)
    value.type.tensorType.shape.dim = shape.map { extent in
      var dimension = ONNXTensorShapeProto.Dimension()
      if let extent = extent as? Int { dimension.dimValue = Int64(extent) }
      if let name = extent as? String, !name.isEmpty { dimension.dimParam = name }
      return dimension
    }
    return value
  }

  static func floats(_ name: String, _ shape: [Int], _ values: [Float]) -> ONNXTensorProto {
    var tensor = tensor(name, shape, .float)
    tensor.floatData = values
    return tensor
  }

  static func integers(
    _ name: String, _ shape: [Int], _ values: [Int], _ type: ONNXTensorProto.DataType = .int64
  ) -> ONNXTensorProto {
    var tensor = tensor(name, shape, type)
    if type == .int64 {
      tensor.int64Data = values.map(Int64.init)
    } else {
      tensor.int32Data = values.map(Int32.init)
    }
    return tensor
  }

  static func tensor(
    _ name: String, _ shape: [Int], _ type: ONNXTensorProto.DataType, raw: [UInt8]? = nil
  ) -> ONNXTensorProto {
    var tensor = ONNXTensorProto()
    tensor.name = name
    tensor.dims = shape.map(Int64.init)
    tensor.dataType = Int32(type.rawValue)
    if let raw { tensor.rawData = Data(raw) }
    return tensor
  }

  mutating func constant(_ tensor: ONNXTensorProto) { model.graph.initializer.append(tensor) }

  mutating func constant(_ name: String, _ shape: [Int], _ values: [Float]) {
    constant(Self.floats(name, shape, values))
  }

  mutating func constant(_ name: String, _ values: [Int]) {
    constant(Self.integers(name, [values.count], values))
  }

  // MARK: Nodes

  mutating func node(
    _ operation: String, _ inputs: [String], _ outputs: [String], domain: String = "",
    _ attributes: [(String, Attribute)] = []
  ) {
    var node = ONNXNodeProto()
    node.opType = operation
    node.domain = domain
    node.input = inputs
    node.output = outputs
    node.attribute = attributes.map { name, value in
      var attribute = ONNXAttributeProto()
      attribute.name = name
      switch value {
      case .int(let value): (attribute.type, attribute.i) = (.int, Int64(value))
      case .ints(let values): (attribute.type, attribute.ints) = (.ints, values.map(Int64.init))
      case .real(let value): (attribute.type, attribute.f) = (.float, value)
      case .string(let text): (attribute.type, attribute.s) = (.string, Data(text.utf8))
      case .tensor(let tensor): (attribute.type, attribute.t) = (.tensor, tensor)
      }
      return attribute
    }
    model.graph.node.append(node)
  }

  /// A node with one input "x" and the output "y", in a model with nothing else.
  static func single(
    _ operation: String, _ shape: [Int], version: Int = 20, constants: [ONNXTensorProto] = [],
    _ attributes: [(String, Attribute)] = []
  ) -> ONNXModelWriter {
    var writer = ONNXModelWriter(version: version)
    writer.input("x", shape)
    for constant in constants { writer.constant(constant) }
    writer.node(operation, ["x"] + constants.map(\.name), ["y"], attributes)
    writer.output("y")
    return writer
  }

  // MARK: Results

  var bytes: [UInt8] { (try? model.serializedBytes()) ?? [] }

  func load(_ dimensions: [String: Int] = [:], externalData: String? = nil) throws -> Graph {
    try ONNXImporter.load(bytes, dimensions: dimensions, externalData: externalData)
  }

  /// The outputs for inputs in the order of the model's.
  func evaluate(_ inputs: [[Float]]) throws -> [FloatTensor] {
    let graph = try load()
    let samples = zip(graph.inputs, inputs).map { FloatTensor(shape: graph.tensors[$0].shape, values: $1) }
    return try FloatEvaluator(graph).evaluate(samples)
  }
}
