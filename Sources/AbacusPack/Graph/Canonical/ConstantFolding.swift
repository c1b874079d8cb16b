/// Evaluates nodes whose inputs are all constant.
enum ConstantFolding {
  /// The bytes of the node's result, or nil where the node has to stay.
  static func evaluate(_ node: Node, _ tensors: [Tensor]) throws -> [UInt8]? {
    let inputs = node.inputs.compactMap { $0 }
    guard !inputs.isEmpty, node.outputs.count == 1,
      inputs.allSatisfy({ tensors[$0].isConstant && tensors[$0].elementCount > 0 })
    else { return nil }
    let output = tensors[node.outputs[0]]
    guard output.quantization == nil, output.elementCount > 0 else { return nil }
    if output.type == .float32 { return try evaluateFloat(node, tensors) }
    let values = IntegerFolding.evaluate(node.operation, inputs.map { tensors[$0] }, output: output)
    return values.map { Tensor.data(of: $0, bytes: output.type.bytes) }
  }

  private static func evaluateFloat(_ node: Node, _ tensors: [Tensor]) throws -> [UInt8] {
    var graph = Graph()
    let inputs = node.inputs.map { $0.map { graph.add(tensors[$0]) } }
    graph.outputs = [graph.add(tensors[node.outputs[0]])]
    graph.tensors[graph.outputs[0]].data = nil
    graph.nodes = [Node(node.operation, inputs: inputs, outputs: graph.outputs, origin: node.origin)]
    return Tensor.data(of: try FloatEvaluator(graph).evaluate([])[0].values)
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
