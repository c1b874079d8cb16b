// Where dimensions of extent 1 stand: rows of channels have three dimensions, [1, n, c], and the
// reshapes by which sources add and drop others move out of the way.

extension GraphEditor {
  /// Row-wise operations on [n, c] become those on [1, n, c].
  func liftRows(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), let first = node.inputs[0] else { return false }
    let y = node.outputs[0]
    guard shape(y).count == 2, shape(y)[0] > 1 else { return false }
    let operation: Operation
    var data = node.inputs.indices[..<1]
    switch node.operation {
    case .fullyConnected, .layerNormalization, .rmsNormalization, .softmax, .unary:
      guard shape(first).count == 2, hasConstantParameters(node) else { return false }
      operation = node.operation
    case .binary:
      operation = node.operation
      data = node.inputs.indices
    case .concatenation(let axis, let activation):
      operation = .concatenation(axis: axis + 1, activation)
      data = node.inputs.indices
    case .slice(let starts, let strides):
      operation = .slice(starts: [0] + starts, strides: [1] + strides)
    case .reduce(let kind, let axes) where shape(first).count == 2:
      operation = .reduce(kind, axes: axes.map { $0 + 1 })
    default:
      return false
    }
    var inputs = node.inputs
    for position in data {
      guard let input = inputs[position] else { return false }
      // Smaller operands broadcast as they are.
      guard shape(input).count == 2 else { continue }
      if isConstant(input), case .binary = operation { continue }
      inputs[position] = try emit(
        .reshape, [input], shape: [1] + shape(input), name: tensors[input].name, origin: node.origin)
    }
    let lifted = try emit(
      operation, inputs, shape: [1] + shape(y), name: tensors[y].name, origin: node.origin)
    try define(y, .reshape, [lifted], origin: node.origin)
    return true
  }

  /// A reshape that only adds or drops dimensions of extent 1 before a row-wise operation becomes
  /// one after it, up to the next matrix product.
  func sinkReshape(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), let reshaped = runTimeInput(node), let x = unitReshape(reshaped)
    else { return false }
    let y = node.outputs[0]
    var inputs = node.inputs
    var operation = node.operation
    var result = shape(x)
    switch node.operation {
    case .unary: break
    case .layerNormalization, .rmsNormalization, .softmax:
      guard shape(x).last == shape(reshaped).last, hasConstantParameters(node) else { return false }
    case .binary:
      for position in inputs.indices {
        guard let input = inputs[position], let operand = try combined(input, shape(y), shape(x), node.origin)
        else { return false }
        inputs[position] = operand
      }
    case .slice(let starts, let strides):
      let places = shape(reshaped).indices.filter { shape(reshaped)[$0] > 1 }
      var (newStarts, newStrides) = (shape(x).map { _ in 0 }, shape(x).map { _ in 1 })
      for (place, dimension) in zip(places, shape(x).indices.filter { shape(x)[$0] > 1 }) {
        newStarts[dimension] = starts[place]
        newStrides[dimension] = strides[place]
        result[dimension] = shape(y)[place]
      }
      operation = .slice(starts: newStarts, strides: newStrides)
    default:
      return false
    }
    // Rows keep the dimension that `liftRows` has given them.
    guard result.count != 2 || result[0] == 1 else { return false }
    if inputs[0] == reshaped { inputs[0] = x }
    let moved = try emit(operation, inputs, shape: result, name: tensors[y].name, origin: node.origin)
    try define(y, .reshape, [moved], origin: node.origin)
    return true
  }

  /// The operand, if a tensor is another with dimensions of extent 1 added or dropped.
  private func unitReshape(_ id: TensorID) -> TensorID? {
    guard let node = source(id), node.operation == .reshape, let x = node.inputs[0], !isConstant(x),
      shape(x).filter({ $0 != 1 }) == shape(id).filter({ $0 != 1 }), shape(x) != shape(id)
    else { return nil }
    return x
  }

  /// An operand of a combination of `shape`, for the same of shape `other`, which differs from it in
  /// dimensions of extent 1; nil where that takes more than a constant's reshape.
  private func combined(_ id: TensorID, _ shape: [Int], _ other: [Int], _ origin: String) throws -> TensorID? {
    if let x = unitReshape(id), self.shape(x) == other, self.shape(id) == shape { return x }
    guard isConstant(id), other.filter({ $0 != 1 }) == shape.filter({ $0 != 1 }) else { return nil }
    let wide = Shapes.widened(self.shape(id), to: shape.count)
    var extents = other.map { _ in 1 }
    let places = shape.indices.filter { shape[$0] != 1 }
    for (place, dimension) in zip(places, other.indices.filter { other[$0] != 1 }) {
      extents[dimension] = wide[place]
    }
    let small = Array(extents.drop { $0 == 1 })
    if small == self.shape(id) { return id }
    return try emit(.reshape, [id], shape: small, name: tensors[id].name, origin: origin)
  }
}
