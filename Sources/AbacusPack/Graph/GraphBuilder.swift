/// Grows a graph node by node: infers shapes and types, checks operands, and folds what is constant.
///
/// Values are real numbers or plain integers (indices, extents). Movement keeps type and scale of
/// its operand; other operations on real numbers, quantised or not, give float32.
struct GraphBuilder {
  /// Arithmetic on more constants than this is not about shapes, factors and masks.
  static let maximumFoldedElements = 1 << 20

  /// Small constants may grow large ones; a small file must not make memory run out.
  static let maximumFoldedBytes = 1 << 28

  private(set) var graph = Graph()
  /// Where the nodes that are added next stand in the source, for messages.
  var origin = ""
  /// The node that computes each tensor.
  private(set) var producers: [Graph.TensorID: Int] = [:]
  /// Bytes of the constants that were computed so far.
  private var foldedBytes = 0

  subscript(id: Graph.TensorID) -> Tensor { graph.tensors[id] }

  func shape(_ id: Graph.TensorID) -> [Int] { graph.tensors[id].shape }

  // MARK: Tensors

  /// Adds a tensor that no node computes: an input, or a constant.
  mutating func add(_ tensor: Tensor) -> Graph.TensorID { graph.add(tensor) }

  mutating func declareInput(_ tensor: Tensor) -> Graph.TensorID {
    let id = graph.add(tensor)
    graph.inputs.append(id)
    return id
  }

  mutating func declareOutput(_ id: Graph.TensorID, named name: String) {
    graph.tensors[id].name = name
    graph.outputs.append(id)
  }

  /// Names a tensor that has no name yet.
  mutating func name(_ id: Graph.TensorID, _ name: String) {
    if graph.tensors[id].name.isEmpty { graph.tensors[id].name = name }
  }

  /// Says what training has found of a tensor's values, and so of those that it is a transpose of.
  mutating func describe(_ id: Graph.TensorID, _ distribution: ChannelDistribution) {
    graph.batchStatistics[id] = distribution
    guard let producer = producers[id], case .transpose = graph.nodes[producer].operation else { return }
    graph.batchStatistics[graph.nodes[producer].inputs[0]!] = distribution
  }

  /// Says how a tensor of integers, and what it was moved from, stands for real numbers.
  mutating func quantize(_ id: Graph.TensorID, _ quantization: Quantization) {
    graph.tensors[id].quantization = quantization
    guard quantization.isPerTensor, let producer = producers[id], graph.nodes[producer].operation.isMovement
    else { return }
    for input in graph.nodes[producer].inputs.compactMap({ $0 })
    where graph.tensors[input].type == graph.tensors[id].type && graph.tensors[input].isPlainInteger {
      quantize(input, quantization)
    }
  }

  /// A float32 constant.
  mutating func constant(_ values: [Float], shape: [Int]) -> Graph.TensorID {
    var tensor = Tensor(name: "", shape: shape, type: .float32)
    tensor.data = tensor.stored(values.map(Double.init))
    return graph.add(tensor)
  }

  mutating func scalar(_ value: Double) -> Graph.TensorID { constant([Float(value)], shape: []) }

  /// A constant of plain integers.
  mutating func integers(
    _ values: [Int], shape: [Int], type: DataType = .int64
  ) -> Graph.TensorID {
    graph.add(
      Tensor(name: "", shape: shape, type: type, data: Tensor.data(of: values, bytes: type.bytes)))
  }

  // MARK: Nodes

  /// Adds a node, or where all its inputs are constant, its result where that can be folded.
  mutating func add(
    _ operation: Operation, _ inputs: [Graph.TensorID?], shape: [Int], type: DataType = .float32,
    quantization: Quantization? = nil
  ) throws -> Graph.TensorID {
    guard let count = Shapes.elementCount(shape) else {
      throw PackError(
        .malformed,
        "implies the shape \(shape), which is not below 2^30 elements and \(Shapes.maximumRank) dimensions")
    }
    var output = Tensor(name: "", shape: shape, type: type, quantization: quantization)
    let operands = inputs.compactMap { $0.map { graph.tensors[$0] } }
    if count == 0 {
      output.data = []
      return graph.add(output)
    }
    guard operands.allSatisfy({ $0.elementCount > 0 }) else {
      throw PackError(.unsupported, "computes with an empty tensor")
    }
    if operands.allSatisfy(\.isConstant) {
      let (bytes, _) = count.multipliedReportingOverflow(by: type.bytes)
      guard foldedBytes + bytes <= Self.maximumFoldedBytes else {
        throw PackError(
          .unsupported, "the constants computed from the model exceed \(Self.maximumFoldedBytes) bytes")
      }
      let isSmall = (operands.map(\.elementCount) + [count]).allSatisfy { $0 <= Self.maximumFoldedElements }
      // Whole tensors of weights may be moved, or quantised.
      if operation.isMovement || operation == .requantize || isSmall,
        let data = try ConstantFolding.evaluate(
          operation, inputs.map { $0.map { graph.tensors[$0] } }, output: output)
      {
        foldedBytes += bytes
        output.data = data
        return graph.add(output)
      }
    }
    let id = graph.add(output)
    producers[id] = graph.nodes.count
    graph.nodes.append(Node(operation, inputs: inputs, outputs: [id], origin: origin))
    return id
  }

  // MARK: Types

  func isReal(_ id: Graph.TensorID) -> Bool {
    graph.tensors[id].type == .float32 || graph.tensors[id].quantization != nil
  }

  /// The type of a result computed from `operands`: plain integers stay integers, all else is real.
  func numberType(_ operands: [Graph.TensorID]) throws -> DataType {
    if operands.allSatisfy(isReal) { return .float32 }
    let types = Set(operands.map { graph.tensors[$0].type })
    guard let type = types.first, types.count == 1, operands.allSatisfy({ graph.tensors[$0].isPlainInteger })
    else {
      let names = operands.map { graph.tensors[$0].type.rawValue }.joined(separator: " and ")
      throw PackError(.unsupported, "computes with operands of the types \(names)")
    }
    return type
  }
}
