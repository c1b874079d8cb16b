/// Evaluates operations whose inputs are all constant.
enum ConstantFolding {
  /// The bytes of the result, or nil where the operation has to be executed.
  static func evaluate(
    _ operation: Operation, _ inputs: [Tensor?], output: Tensor
  ) throws -> [UInt8]? {
    let operands = inputs.compactMap { $0 }
    guard !operands.isEmpty, operands.allSatisfy({ $0.isConstant && $0.elementCount > 0 }),
      output.elementCount > 0
    else { return nil }
    if let data = moved(operation, operands, output) { return data }
    if let values = IntegerFolding.evaluate(operation, operands, output: output) {
      return Tensor.data(of: values, bytes: output.type.bytes)
    }
    if operation == .requantize { return operands[0].knownReals.flatMap(output.stored) }
    return output.isPlainInteger ? nil : output.stored(try reals(operation, inputs, output))
  }

  /// The same for a node of real numbers that are not quantised.
  static func evaluate(_ node: Node, _ tensors: [Tensor]) throws -> [UInt8]? {
    guard node.outputs.count == 1, tensors[node.outputs[0]].quantization == nil else { return nil }
    return try evaluate(
      node.operation, node.inputs.map { $0.map { tensors[$0] } }, output: tensors[node.outputs[0]])
  }

  /// Real values, as the float evaluator computes them.
  private static func reals(_ operation: Operation, _ inputs: [Tensor?], _ output: Tensor) throws -> [Double] {
    var graph = Graph()
    let ids = inputs.map { $0.map { graph.add($0) } }
    graph.outputs = [graph.add(output)]
    graph.tensors[graph.outputs[0]].data = nil
    graph.nodes = [Node(operation, inputs: ids, outputs: graph.outputs, origin: output.name)]
    return try FloatEvaluator(graph).evaluate([])[0].values.map(Double.init)
  }

  // MARK: Movement

  /// The bytes of elements that only change their places, whatever their type.
  private static func moved(_ operation: Operation, _ inputs: [Tensor], _ output: Tensor) -> [UInt8]? {
    let parts = if case .gather = operation { [inputs[0]] } else { inputs }
    guard operation.isMovement, parts.allSatisfy({ $0.type == output.type }) else { return nil }
    switch operation {
    case .reshape: return inputs[0].data
    case .concatenation, .gather:
      // Whole blocks, of bytes: these are one more dimension.
      let size = output.type.bytes
      let operands = parts.map { Rearrangement.Operand(shape: $0.shape + [size], elements: $0.data ?? []) }
      let indices = inputs.count > 1 ? inputs[1].indexValues ?? [] : []
      return Rearrangement.apply(operation, operands, indices: indices, shape: output.shape + [size])
    default:
      return switch output.type.bytes {
      case 1: moved(operation, inputs[0], output, as: UInt8.self)
      case 2: moved(operation, inputs[0], output, as: UInt16.self)
      case 4: moved(operation, inputs[0], output, as: UInt32.self)
      default: moved(operation, inputs[0], output, as: UInt64.self)
      }
    }
  }

  /// The same for single elements.
  private static func moved<Element: BitwiseCopyable>(
    _ operation: Operation, _ input: Tensor, _ output: Tensor, as _: Element.Type
  ) -> [UInt8]? {
    let elements = (input.data ?? []).withUnsafeBytes { raw in
      (0..<input.elementCount).map {
        raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Element>.size, as: Element.self)
      }
    }
    let operand = Rearrangement.Operand(shape: input.shape, elements: elements)
    return Rearrangement.apply(operation, [operand], shape: output.shape)?.withUnsafeBytes { Array($0) }
  }
}

extension Operation {
  /// True where elements only change their places, so that type and scale stay as they are.
  var isMovement: Bool {
    switch self {
    case .reshape, .slice, .transpose, .gather, .concatenation(_, .none): true
    default: false
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

  /// Constants of float nodes are float32: wider, narrower and quantised ones take on that type.
  func widenConstants(_ id: NodeID) throws -> Bool {
    guard let node = node(id), node.outputs.allSatisfy({ isFloat(tensors[$0]) }) else { return false }
    var inputs = node.inputs
    for (position, input) in node.inputs.enumerated() {
      guard let input, isConstant(input), tensors[input].elementCount > 0, !isFloat(tensors[input]),
        tensors[input].quantization != nil || [.float16, .float64].contains(tensors[input].type)
      else { continue }
      let tensor = tensors[input]
      inputs[position] = constant(try tensor.realValues(), shape: tensor.shape, name: tensor.name)
    }
    guard inputs != node.inputs else { return false }
    try define(node.outputs[0], node.operation, inputs, origin: node.origin)
    return true
  }

  private func isFloat(_ tensor: Tensor) -> Bool { tensor.type == .float32 && tensor.quantization == nil }
}

extension Tensor {
  /// The elements of a constant float32 tensor without quantisation.
  var floats: [Float]? {
    type == .float32 && quantization == nil ? try? realValues() : nil
  }

  /// Little-endian float32.
  static func data(of values: [Float]) -> [UInt8] {
    values.map(\.bitPattern.littleEndian).withUnsafeBytes { Array($0) }
  }
}
