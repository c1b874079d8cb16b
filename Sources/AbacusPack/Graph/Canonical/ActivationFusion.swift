// Clamps: one form for each, fused into the node before where that can do it.

extension GraphEditor {
  /// Maximum and minimum with constants, clips and the functions of the ReLU family become the
  /// function with the name for their bounds.
  func recognizeClamp(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), var (x, low, high) = clamp(node) else { return false }
    while isPrivate(x), let inner = source(x), let (source, innerLow, innerHigh) = clamp(inner) {
      x = source
      (low, high) = (min(max(innerLow, low), high), min(max(innerHigh, low), high))
    }
    guard shape(x) == shape(node.outputs[0]), let function = clampFunction(low, high),
      node.operation != .unary(function)
    else { return false }
    try define(node.outputs[0], .unary(function), [x], origin: node.origin)
    return true
  }

  private func clamp(_ node: Node) -> (x: TensorID, low: Double, high: Double)? {
    guard let x = node.inputs[0] else { return nil }
    switch node.operation {
    case .unary(.relu): return (x, 0, .infinity)
    case .unary(.relu6): return (x, 0, 6)
    case .unary(.reluN1To1): return (x, -1, 1)
    case .unary(.relu0To1): return (x, 0, 1)
    case .unary(.clip(let low, let high)): return low <= high ? (x, low, high) : nil
    case .binary(.maximum, .none): return node.inputs[1].flatMap(uniform).map { (x, $0, .infinity) }
    case .binary(.minimum, .none): return node.inputs[1].flatMap(uniform).map { (x, -.infinity, $0) }
    default: return nil
    }
  }

  private func clampFunction(_ low: Double, _ high: Double) -> UnaryFunction? {
    switch (low, high) {
    case (0, 3e38...): .relu
    case (0, 6): .relu6
    case (-1, 1): .reluN1To1
    case (0, 1): .relu0To1
    case (-3e38...3e38, -3e38...3e38): .clip(low: low, high: high)
    default: nil
    }
  }

  /// ReLU and its kin after convolutions, matrix products and additions are part of them.
  func fuseActivation(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), case .unary(let function) = node.operation,
      let activation = function.activation, let x = node.inputs[0], isPrivate(x),
      let producer = source(x), let operation = producer.operation.fused(with: activation)
    else { return false }
    try define(node.outputs[0], operation, producer.inputs, origin: producer.origin)
    return true
  }
}

extension UnaryFunction {
  fileprivate var activation: Activation? {
    switch self {
    case .relu: .relu
    case .relu6: .relu6
    case .reluN1To1: .reluN1To1
    default: nil
    }
  }
}

extension Operation {
  /// The operation with a clamp of its result, where it has none yet and can have one.
  fileprivate func fused(with activation: Activation) -> Operation? {
    if self == .binary(.add, .none) { return .binary(.add, activation) }
    guard let layer = ProductLayer(self), layer.activation == .none else { return nil }
    return layer.operation(activation)
  }
}
