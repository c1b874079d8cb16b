// What rules ask about the neighbourhood of a node. Every question is about float nodes without a
// fused activation: where there is one, the pattern does not match.

extension GraphEditor {
  /// The operands, if the tensor is this function of two.
  func operands(_ id: TensorID, _ function: BinaryFunction) -> (a: TensorID, b: TensorID)? {
    guard let node = source(id), node.operation == .binary(function, .none),
      let a = node.inputs[0], let b = node.inputs[1]
    else { return nil }
    return (a, b)
  }

  /// The operand, if the tensor is this function of one.
  func operand(_ id: TensorID, _ function: UnaryFunction) -> TensorID? {
    guard let node = source(id), node.operation == .unary(function) else { return nil }
    return node.inputs[0]
  }

  /// The operand that is not constant and the constant, if the tensor combines two such.
  func constantOperand(_ id: TensorID, _ function: BinaryFunction) -> (x: TensorID, constant: TensorID)? {
    guard let (a, b) = operands(id, function) else { return nil }
    if isConstant(b), !isConstant(a) { return (a, b) }
    if isConstant(a), !isConstant(b), function.isCommutative { return (b, a) }
    return nil
  }

  /// The first input of a node that is not constant.
  func runTimeInput(_ node: Node) -> TensorID? {
    node.inputs.lazy.compactMap { $0 }.first { !self.isConstant($0) }
  }

  /// True where all inputs but the first are constant or left out.
  func hasConstantParameters(_ node: Node) -> Bool {
    node.inputs.dropFirst().allSatisfy { $0.map(isConstant) ?? true }
  }

  /// The value of a float constant all of whose elements are equal.
  func uniform(_ id: TensorID) -> Double? {
    let tensor = tensors[id]
    guard tensor.isConstant, tensor.elementCount > 0, let values = tensor.floats, let first = values.first
    else { return nil }
    return values.allSatisfy { $0 == first } ? Double(first) : nil
  }

  /// A float constant that differs along the last dimension only, as one value for each of `count`
  /// channels.
  func channelVector(_ id: TensorID, _ count: Int) -> [Float]? {
    let tensor = tensors[id]
    guard tensor.isConstant, let values = tensor.floats else { return nil }
    if values.count == 1 { return Array(repeating: values[0], count: count) }
    guard values.count == count, tensor.shape.last == count else { return nil }
    return values
  }

  /// The operand, if the tensor is its mean over the last dimension, which is kept with extent 1.
  func rowReduction(_ id: TensorID, _ kind: ReduceKind) -> TensorID? {
    guard let node = source(id), let x = node.inputs[0], let last = shape(x).indices.last,
      node.operation == .reduce(kind, axes: [last]), shape(id).count == shape(x).count
    else { return nil }
    return x
  }
}

extension BinaryFunction {
  var isCommutative: Bool {
    switch self {
    case .add, .multiply, .squaredDifference, .maximum, .minimum: true
    case .subtract, .divide, .power: false
    }
  }
}

/// Equal but for the rounding of constants to float32 by whoever wrote the model.
func isClose(_ a: Double, _ b: Double, tolerance: Double = 1e-5) -> Bool {
  abs(a - b) <= tolerance * max(abs(a), abs(b))
}
