extension GraphEditor {
  /// A matrix product with a constant on the right is a fully connected layer.
  func recognizeFullyConnected(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), case .matrixMultiply(false, let transposeB) = node.operation,
      let x = node.inputs[0], let matrix = node.inputs[1], isConstant(matrix), !isConstant(x),
      tensors[matrix].type == .float32
    else { return false }
    let y = node.outputs[0]
    let (rows, columns) = (shape(matrix).suffix(2).first!, shape(matrix).last!)
    guard shape(matrix).dropLast(2).allSatisfy({ $0 == 1 }), shape(x).count == shape(y).count
    else { return false }
    let name = tensors[matrix].name
    var weights = try emit(.reshape, [matrix], shape: [rows, columns], name: name, origin: node.origin)
    if !transposeB {
      weights = try emit(
        .transpose(permutation: [1, 0]), [weights], shape: [columns, rows], name: name, origin: node.origin)
    }
    try define(y, .fullyConnected(.none), [x, weights], origin: node.origin)
    return true
  }

  /// A constant added to each channel of a product is its bias.
  func absorbBias(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), case .binary(.add, let activation) = node.operation,
      let x = node.inputs[0], let addend = node.inputs[1], isPrivate(x),
      let product = source(x), shape(x) == shape(node.outputs[0]), let channels = shape(x).last,
      let values = channelVector(addend, channels), let layer = ProductLayer(product.operation),
      layer.activation == .none
    else { return false }
    let name = tensors[addend].name
    var bias = constant(values, shape: [channels], name: name)
    if product.inputs.count > 2, let present = product.inputs[2] {
      guard isConstant(present) else { return false }
      bias = try emit(
        .binary(.add, .none), [present, bias], shape: [channels], name: tensors[present].name,
        origin: product.origin)
    }
    try define(
      node.outputs[0], layer.operation(activation), [product.inputs[0], product.inputs[1], bias],
      origin: product.origin)
    return true
  }
}
