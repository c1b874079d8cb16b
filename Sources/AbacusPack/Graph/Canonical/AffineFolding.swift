// Constants by channel before and after products go into weights and biases.

extension GraphEditor {
  /// A factor for each channel after a convolution or fully connected layer scales its weights and
  /// bias (batch normalisation; the addend is a bias already).
  func absorbScale(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), case .binary(.multiply, let activation) = node.operation,
      let x = node.inputs[0], let factor = node.inputs[1], isPrivate(x), let product = source(x),
      shape(x) == shape(node.outputs[0]), let channels = shape(x).last,
      let scale = channelVector(factor, channels), let layer = constantLayer(product),
      layer.layout.activation == .none
    else { return false }
    let vector = constant(scale, shape: [channels], name: tensors[factor].name)
    let extents = layer.layout.outputShape(layer.weights.shape)
    let weights = try combine(.multiply, product.inputs[1]!, vector, as: extents, product.origin)
    var inputs: [TensorID?] = [product.inputs[0], weights]
    if let bias = layer.bias {
      inputs.append(try combine(.multiply, bias, vector, as: [channels], product.origin))
    }
    try define(node.outputs[0], layer.layout.operation(activation), inputs, origin: product.origin)
    return true
  }

  /// A factor for each channel before one scales its weights; an addend before one that pads
  /// nothing goes into its bias.
  func absorbInputScale(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), let layer = constantLayer(node), let x = node.inputs[0], isPrivate(x),
      let before = source(x), case .binary(let function, .none) = before.operation,
      let operand = before.inputs[0], let addend = before.inputs[1], shape(operand) == shape(x),
      let channels = shape(x).last, let values = channelVector(addend, channels),
      let perWeight = layer.layout.inputValues(values)
    else { return false }
    var inputs = node.inputs
    inputs[0] = operand
    switch function {
    case .multiply:
      let vector = constant(perWeight, shape: [perWeight.count], name: tensors[addend].name)
      inputs[1] = try combine(.multiply, node.inputs[1]!, vector, as: [perWeight.count], node.origin)
    case .add:
      guard !layer.layout.hasPadding else { return false }
      inputs = [operand, node.inputs[1], increasedBias(layer, by: perWeight)]
    default:
      return false
    }
    try define(node.outputs[0], node.operation, inputs, origin: node.origin)
    return true
  }

  /// Scale and bias of a layer normalisation go into the fully connected layers that read it, if
  /// nothing else does.
  func foldNormalizationScale(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), node.inputs.count > 1, hasConstantParameters(node) else { return false }
    switch node.operation {
    case .layerNormalization, .rmsNormalization: break
    default: return false
    }
    let y = node.outputs[0]
    guard let channels = shape(y).last, let layers = linearReaders(y), !layers.isEmpty else { return false }
    let scale = node.inputs[1].flatMap { channelVector($0, channels) }
    let offset = node.inputs.count > 2 ? node.inputs[2].flatMap { channelVector($0, channels) } : nil
    for id in layers {
      guard let reader = self.node(id), let layer = constantLayer(reader) else { continue }
      var inputs = reader.inputs
      if let offset { inputs = [inputs[0], inputs[1], increasedBias(layer, by: offset)] }
      if let scale {
        let vector = constant(scale, shape: [channels], name: tensors[node.inputs[1]!].name)
        inputs[1] = try combine(.multiply, reader.inputs[1]!, vector, as: [channels], reader.origin)
      }
      try define(reader.outputs[0], reader.operation, inputs, origin: reader.origin)
    }
    try define(y, node.operation, [node.inputs[0]], origin: node.origin)
    return true
  }

  /// The fully connected layers with constant weights that are all that reads a tensor, directly or
  /// by rows of it; nil where something else reads it.
  private func linearReaders(_ id: TensorID) -> [NodeID]? {
    guard !isOutput(id) else { return nil }
    var result: [NodeID] = []
    for reader in readers(id) {
      guard let node = floatNode(reader) else { return nil }
      let y = node.outputs[0]
      switch node.operation {
      case .fullyConnected:
        // Weights that something else reads as well (a tied embedding) stay as they are.
        guard node.inputs[0] == id, constantLayer(node) != nil, let weights = node.inputs[1],
          readers(weights).count == 1
        else { return nil }
        result.append(reader)
      case .slice, .reshape:
        guard shape(y).last == shape(id).last, let further = linearReaders(y) else { return nil }
        result += further
      default:
        return nil
      }
    }
    return result
  }

  // MARK: Weights

  private struct ConstantLayer {
    var layout: ProductLayer
    var weights: Tensor
    var bias: TensorID?
  }

  /// A layer whose weights and bias, if it has one, are constant.
  private func constantLayer(_ node: Node) -> ConstantLayer? {
    guard let layout = ProductLayer(node.operation), let weights = node.inputs[1],
      tensors[weights].type == .float32, hasConstantParameters(node)
    else { return nil }
    return ConstantLayer(
      layout: layout, weights: tensors[weights], bias: node.inputs.count > 2 ? node.inputs[2] : nil)
  }

  /// A constant combined with a smaller one, seen as of `shape`.
  private func combine(
    _ function: BinaryFunction, _ id: TensorID, _ vector: TensorID, as shape: [Int], _ origin: String
  ) throws -> TensorID {
    let name = tensors[id].name
    let seen = try emit(.reshape, [vector], shape: shape, name: name, origin: origin)
    return try emit(.binary(function, .none), [id, seen], shape: self.shape(id), name: name, origin: origin)
  }

  /// The bias of a layer and the sums of its weights times values of the input channels.
  private func increasedBias(_ layer: ConstantLayer, by values: [Float]) -> TensorID {
    let shape = layer.weights.shape
    var sums = [Double](repeating: 0, count: layer.layout.outputChannels(shape))
    if let bias = layer.bias, let old = tensors[bias].floats { sums = old.map(Double.init) }
    for (position, weight) in (layer.weights.floats ?? []).enumerated() {
      sums[layer.layout.outputChannel(of: position, shape)] +=
        Double(weight) * Double(values[position % values.count])
    }
    return constant(
      sums.map(Float.init), shape: [sums.count],
      name: layer.bias.map { tensors[$0].name } ?? "\(layer.weights.name) (bias)")
  }
}
