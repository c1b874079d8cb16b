/// Evaluates nodes whose inputs are all constant.
enum ConstantFolding {
  /// The bytes of the node's result, or nil where the node has to stay.
  static func evaluate(_ node: Node, _ tensors: [Tensor]) throws -> [UInt8]? {
    let inputs = node.inputs.compactMap { $0 }
    guard !inputs.isEmpty, node.outputs.count == 1, inputs.allSatisfy({ tensors[$0].isConstant })
    else { return nil }
    let output = tensors[node.outputs[0]]
    guard output.quantization == nil else { return nil }
    if output.type == .int32 || output.type == .int64 {
      let values = IntegerFolding.evaluate(node.operation, inputs.map { tensors[$0] }, output: output)
      return values.map { Tensor.data(of: $0, bytes: output.type.bytes) }
    }
    guard output.type == .float32 else { return nil }
    return try evaluateFloat(node, tensors).map(Tensor.data)
  }

  private static func evaluateFloat(_ node: Node, _ tensors: [Tensor]) throws -> [Float]? {
    let output = tensors[node.outputs[0]]
    let inputs = node.inputs.compactMap { $0 }
    if case .gather = node.operation {
      guard let v = tensors[inputs[0]].floats, let i = tensors[inputs[1]].indexValues else { return nil }
      return Rearrangement.apply(node.operation, [.init(shape: tensors[inputs[0]].shape, elements: v)], indices: i, shape: output.shape)
    }
    let operands: [Rearrangement.Operand<Float>] = inputs.compactMap { id in
      tensors[id].floats.map { .init(shape: tensors[id].shape, elements: $0) }
    }
    guard operands.count == inputs.count else { return nil }
    switch node.operation {
    case .binary(let f, .none):
      let a = Rearrangement.broadcast(operands[0], to: output.shape)
      let b = Rearrangement.broadcast(operands[1], to: output.shape)
      switch f {
      case .add: return zip(a, b).map { $0 + $1 }
      case .subtract: return zip(a, b).map { $0 - $1 }
      case .multiply: return zip(a, b).map { $0 * $1 }
      case .divide: return zip(a, b).map { $0 / $1 }
      default: return nil
      }
    case .unary(.negate): return operands[0].elements.map { -$0 }
    case .unary(.reciprocal): return operands[0].elements.map { 1 / $0 }
    default:
      return Rearrangement.apply(node.operation, operands, shape: output.shape)
    }
  }
}

extension GraphEditor {
  /// A node on constants is a constant.
  func foldConstants(_ id: NodeID) throws -> Bool {
    guard let node = node(id), let data = try ConstantFolding.evaluate(node, tensors) else { return false }
    settle(node.outputs[0], data)
    return true
  }
}

extension Tensor {
  /// The elements of a constant float32 tensor without quantisation.
  var floats: [Float]? {
    guard type == .float32, quantization == nil, let data else { return nil }
    return data.withUnsafeBytes { raw in
      (0..<raw.count / 4).map {
        Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
      }
    }
  }

  /// Little-endian float32.
  static func data(of values: [Float]) -> [UInt8] {
    values.flatMap { value in
      withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
    }
  }
}
