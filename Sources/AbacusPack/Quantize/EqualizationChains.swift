/// Chains of convolutions and fully connected layers: `W2 f(W1 x)` is `(W2 S) f(S^-1 W1 x)` for an f that
/// takes positive factors through, as ReLU, pools and means do (arXiv 1906.04721, section 4.1).
///
/// The paper balances the weights of both layers, which share one scale a layer there. Here each output
/// channel has its own: dividing the rows of the first layer costs it nothing, what is gained are even
/// activations, and what is paid are uneven columns of the second layer. Where that is depthwise its
/// scales take all, and the activations become as even as they can be.
extension Equalization {
  /// Equalises what a layer gives to one other layer.
  mutating func equalizeChain(_ index: Int) throws {
    let id = graph.nodes[index].outputs[0]
    guard hasPrivateWeights(index), takesFactorsThrough(index), let reader = onlyProduct(reading: id),
      let source = ProductLayer(graph.nodes[index].operation), let target = ProductLayer(graph.nodes[reader].operation)
    else { return }
    let statistics = calibration[id]
    guard statistics.channels == graph.tensors[id].shape.last else { return }
    let reaches = zip(statistics.channelMinimum, statistics.channelMaximum).map { Double(max(-$0, $1)) }
    guard let scales = try scales(reaches, [reader], balance: target.isDepthwise ? 1 : nil) else { return }
    if source.activation == .relu6 { graph.nodes[index].operation = source.operation(.relu) }
    try scaleRows(index, by: scales)
    try scaleColumns(reader, by: scales)
  }

  /// Whether the layer's clamp lets positive factors through. A clamp at 6 does where calibration has seen
  /// that nothing reaches it: then it is of no use, and the grid of the result ends there as well.
  private func takesFactorsThrough(_ index: Int) -> Bool {
    let node = graph.nodes[index]
    return switch ProductLayer(node.operation)?.activation {
    case .some(.none), .relu: true
    case .relu6: calibration[node.outputs[0]].maximum < 6
    default: false
    }
  }

  /// The one layer that reads a tensor, be it through pools, means, padding or another shape; nil where
  /// anything else does.
  private func onlyProduct(reading id: Graph.TensorID) -> Int? {
    let channels = graph.tensors[id].shape.last ?? 1
    var id = id
    while !graph.outputs.contains(id), let readers = consumers[id], readers.count == 1 {
      let (index, node) = (readers[0], graph.nodes[readers[0]])
      guard node.inputs[0] == id, (graph.tensors[id].shape.last ?? 1) % channels == 0 else { return nil }
      if ProductLayer(node.operation) != nil {
        let isOperandOnce = node.inputs.count { $0 == id } == 1
        return isOperandOnce && hasPrivateWeights(index) ? index : nil
      }
      guard node.operation.takesFactorsThrough(rank: graph.tensors[id].shape.count) else { return nil }
      id = node.outputs[0]
    }
    return nil
  }
}

extension Operation {
  /// Multiplying a channel of the input by a positive number multiplies that channel of the output by it.
  fileprivate func takesFactorsThrough(rank: Int) -> Bool {
    switch self {
    case .reshape, .pool(_, _, .none), .pool(_, _, .relu), .unary(.relu): true
    case .reduce(_, let axes): !axes.contains(rank - 1)
    case .pad(let before, let after, let value, _): (value ?? 0) == 0 && before.last == 0 && after.last == 0
    default: false
    }
  }
}
