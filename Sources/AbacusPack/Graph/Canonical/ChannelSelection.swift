extension GraphEditor {
  /// Some channels of a fully connected layer are a layer with the weights of those channels: this
  /// is how a projection to queries, keys and values at once becomes three.
  func selectChannels(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), let x = node.inputs[0], !isOutput(x),
      let layer = source(x), case .fullyConnected(let activation) = layer.operation,
      hasConstantParameters(layer), let weights = layer.inputs[1],
      readers(x).allSatisfy({ self.node($0).flatMap(selectedChannels) != nil }),
      let channels = selectedChannels(node)
    else { return false }
    let origin = layer.origin
    let places = indices(channels)
    func selected(_ id: TensorID) throws -> TensorID {
      try emit(
        .gather(axis: 0, batchDimensions: 0), [id, places], shape: [channels.count] + shape(id).dropFirst(),
        name: tensors[id].name, origin: origin)
    }
    var inputs: [TensorID?] = [layer.inputs[0], try selected(weights)]
    if layer.inputs.count > 2, let bias = layer.inputs[2] { inputs.append(try selected(bias)) }
    try define(node.outputs[0], .fullyConnected(activation), inputs, origin: node.origin)
    return true
  }

  /// The channels that a node takes from its input, if that is all it does.
  private func selectedChannels(_ node: Node) -> [Int]? {
    guard let x = node.inputs[0] else { return nil }
    let last = shape(x).count - 1
    switch node.operation {
    case .slice(let starts, let strides):
      let result = shape(node.outputs[0])
      guard shape(x).dropLast() == result.dropLast(), starts.dropLast().allSatisfy({ $0 == 0 })
      else { return nil }
      return (0..<result[last]).map { starts[last] + $0 * strides[last] }
    case .gather(let axis, batchDimensions: 0) where axis == last:
      guard let places = node.inputs[1], shape(places).count == 1 else { return nil }
      return tensors[places].indexValues
    default:
      return nil
    }
  }

  /// Constant int32 indices.
  func indices(_ values: [Int]) -> TensorID {
    constant(
      Tensor(
        name: "indices", shape: [values.count], type: .int32,
        data: Tensor.data(of: values, bytes: DataType.int32.bytes)))
  }

  /// A fully connected layer reads rows whose channels were put in another order as they lie: the
  /// columns of its weights change places instead.
  func absorbChannelOrder(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), case .fullyConnected = node.operation, let x = node.inputs[0],
      let weights = node.inputs[1], isConstant(weights), let width = shape(weights).last, width > 0
    else { return false }
    let count = tensors[x].elementCount
    var (root, places) = (x, Array(0..<count))
    var found: (root: TensorID, order: [Int])?
    while let step = writer(root).flatMap(plainNode), step.operation.isRelayout, let source = step.inputs[0],
      let moved = Rearrangement.apply(
        step.operation, [.init(shape: shape(source), elements: Array(0..<count))], shape: shape(root))
    {
      places = places.map { moved[$0] }
      root = source
      let order = Array(places[..<width])
      guard order != Array(0..<width), order.allSatisfy({ $0 < width }),
        (0..<count).allSatisfy({ places[$0] == $0 / width * width + order[$0 % width] })
      else { continue }
      found = (root, order)
    }
    guard let found else { return false }
    let input = try emit(
      .reshape, [found.root], shape: shape(x), name: tensors[x].name, origin: node.origin)
    // Column k of the old weights meets element order[k] of the row as it lies.
    var inverse = found.order
    for (column, place) in found.order.enumerated() { inverse[place] = column }
    let permuted = try emit(
      .gather(axis: 1, batchDimensions: 0), [weights, indices(inverse)], shape: shape(weights),
      name: tensors[weights].name, origin: node.origin)
    var inputs = node.inputs
    (inputs[0], inputs[1]) = (input, permuted)
    try define(node.outputs[0], node.operation, inputs, origin: node.origin)
    return true
  }
}
