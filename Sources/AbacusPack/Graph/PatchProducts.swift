extension Graph {
  /// The patch embedding of a vision transformer as what it is, a fully connected layer over patches:
  /// a convolution whose windows do not overlap, and the reshape that makes rows of its pixels.
  ///
  /// Positions, or any residual, can then be added to the layer's accumulators.
  func patchesAsProducts() -> Graph {
    var result = self
    var nodes: [Node] = []
    var replaced: Set<Int> = []
    for (index, node) in self.nodes.enumerated() where !replaced.contains(index) {
      guard let patches = PatchEmbedding(self, node) else {
        nodes.append(node)
        continue
      }
      replaced.insert(patches.reshape)
      nodes += patches.nodes(in: &result)
    }
    result.nodes = nodes
    return result
  }
}

/// A convolution over patches and the reshape behind it.
private struct PatchEmbedding {
  let node: Node
  let input: Tensor
  let weights: Tensor
  let window: WindowAttributes
  let activation: Activation
  /// Index of the reshape, and its output [1, patches, channels].
  let reshape: Int
  let output: Graph.TensorID

  init?(_ graph: Graph, _ node: Node) {
    guard case .convolution(let window, groups: 1, let activation) = node.operation,
      window.size == window.strides, window.size != [1, 1], window.dilations == [1, 1],
      window.padBefore == [0, 0], window.padAfter == [0, 0], let inputID = node.inputs[0],
      let weightsID = node.inputs[1], graph.tensors[weightsID].isConstant,
      !graph.outputs.contains(node.outputs[0])
    else { return nil }
    let image = graph.tensors[inputID]
    let result = graph.tensors[node.outputs[0]].shape
    guard image.shape.count == 4, result[0] == 1,
      (0..<2).allSatisfy({ result[$0 + 1] * window.size[$0] == image.shape[$0 + 1] })
    else { return nil }
    let readers = graph.nodes.indices.filter { graph.nodes[$0].inputs.contains(node.outputs[0]) }
    guard readers.count == 1, graph.nodes[readers[0]].operation == .reshape,
      graph.tensors[graph.nodes[readers[0]].outputs[0]].shape == [1, result[1] * result[2], result[3]]
    else { return nil }
    self.node = node
    input = image
    weights = graph.tensors[weightsID]
    self.window = window
    self.activation = activation
    reshape = readers[0]
    output = graph.nodes[readers[0]].outputs[0]
  }

  /// Rows of the image become rows of patches; the pixels of a patch come in the order of the weights.
  func nodes(in graph: inout Graph) -> [Node] {
    let shape = input.shape
    let (height, width) = (window.size[0], window.size[1])
    let (rows, columns) = (shape[1] / height, shape[2] / width)
    let row = width * shape[3]
    func intermediate(_ what: String, _ shape: [Int]) -> Graph.TensorID {
      graph.add(Tensor(name: "\(input.name) (\(what))", shape: shape, type: input.type, quantization: input.quantization))
    }
    let split = intermediate("split", [rows, height, columns, row])
    let exchanged = intermediate("exchanged", [rows, columns, height, row])
    let patches = intermediate("patches", [1, rows * columns, height * row])
    var matrix = weights
    matrix.shape = [weights.shape[0], height * row]
    let origin = node.origin
    return [
      Node(.reshape, inputs: [node.inputs[0]], outputs: [split], origin: origin),
      Node(.transpose(permutation: [0, 2, 1, 3]), inputs: [split], outputs: [exchanged], origin: origin),
      Node(.reshape, inputs: [exchanged], outputs: [patches], origin: origin),
      Node(
        .fullyConnected(activation), inputs: [patches, graph.add(matrix)] + node.inputs.dropFirst(2),
        outputs: [output], origin: origin),
    ]
  }
}
