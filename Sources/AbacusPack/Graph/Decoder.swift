extension Graph {
  /// The graph that decodes one token a run, out of one that computes a whole sequence.
  ///
  /// Inputs and activations [1, n, ...] become [1, 1, ...]; keys and values of attention go through
  /// caches of `context` rows; rotary embedding and attention learn the ``position``. Everything else
  /// must treat each row by itself.
  ///
  /// - Throws: `PackError` naming the node that does not, attention that looks ahead or at a mask, or
  ///   tables with fewer positions than `context`.
  public func decoder(context: Int) throws -> Graph {
    guard position == nil else {
      throw PackError(.unsupported, "the graph decodes token by token already")
    }
    guard context > 0, context <= InputLimits.tokens else {
      throw PackError(
        .unsupported, "a context of \(context) tokens; 1 to \(InputLimits.tokens) are possible")
    }
    var transformation = DecoderTransformation(self, context: context)
    return try transformation.run()
  }
}

extension Graph {
  /// Without inputs that say which tokens are none, where nothing but attention asks: what decodes token
  /// by token is given no others.
  fileprivate func withoutPadding() -> Graph {
    var result = self
    result.inputs.removeAll { id in
      !outputs.contains(id) && tensors[id].type == .int32
        && nodes.allSatisfy { node in
          guard node.inputs.contains(id) else { return true }
          guard case .attention(let attributes) = node.operation else { return false }
          return attributes.isCausal && node.inputs.firstIndex(of: id) == 3
        }
    }
    let gone = Set(inputs).subtracting(result.inputs)
    for index in result.nodes.indices where result.nodes[index].inputs.contains(where: { $0.map(gone.contains) ?? false }) {
      result.nodes[index].inputs = result.nodes[index].inputs.map { $0.map(gone.contains) == true ? nil : $0 }
      while result.nodes[index].inputs.last == .some(nil) { result.nodes[index].inputs.removeLast() }
    }
    return result
  }
}

/// The work of ``Graph/decoder(context:)``: follows the axis of the sequence from the inputs on.
private struct DecoderTransformation {
  let source: Graph
  let context: Int
  /// The result; tensors of `source` keep their numbers.
  var graph: Graph
  var position: Graph.TensorID = 0
  /// Which dimension of a run-time tensor is the sequence.
  var axes: [Graph.TensorID: Int] = [:]
  /// The cache for keys or values of which several nodes may have need.
  var caches: [Graph.TensorID: Graph.TensorID] = [:]
  /// Tables of positions, cut to the context.
  var tables: [Graph.TensorID: Graph.TensorID] = [:]

  init(_ source: Graph, context: Int) {
    self.source = source.withoutPadding()
    self.context = context
    graph = self.source
    graph.nodes = []
  }

  mutating func run() throws -> Graph {
    position = graph.add(Tensor(name: "position", shape: [1], type: .int32))
    graph.position = position
    guard let length = try sequenceLength() else {
      throw PackError(.unsupported, "the graph has no causal attention, so it does not decode")
    }
    for id in source.inputs {
      let tensor = source.tensors[id]
      guard tensor.shape.count >= 2, tensor.shape[0] == 1, tensor.shape[1] == length else {
        throw PackError(
          .unsupported, "input \"\(tensor.name)\" of shape \(tensor.shape) must be [1, \(length), ...]")
      }
      settle(id, axis: 1)
    }
    for node in source.nodes {
      do {
        try transform(node)
      } catch let error as PackError {
        throw PackError(error.kind, "\(node.origin): \(error.description)")
      }
    }
    return graph
  }

  /// Queries of the first attention.
  private func sequenceLength() throws -> Int? {
    for node in source.nodes {
      guard case .attention(let attributes) = node.operation else { continue }
      guard attributes.isCausal else {
        throw PackError(
          .unsupported, "\(node.origin): this attention sees later tokens; decoding cannot")
      }
      return source.tensors[node.inputs[0]!].shape.dropLast().last
    }
    return nil
  }

  private mutating func settle(_ id: Graph.TensorID, axis: Int) {
    axes[id] = axis
    graph.tensors[id].shape[axis] = 1
  }

  private mutating func transform(_ node: Node) throws {
    guard node.inputs.contains(where: { $0.map { axes[$0] != nil } ?? false }) else {
      // Of constants only: the same for every token.
      graph.nodes.append(node)
      return
    }
    var node = node
    guard let axis = outputAxis(node) else {
      throw PackError(
        .unsupported, "this does not treat each token by itself, so it cannot decode token by token")
    }
    switch node.operation {
    case .attention: try makeCached(&node)
    case .rotary: try makePositional(&node)
    default: break
    }
    graph.nodes.append(node)
    for id in node.outputs { settle(id, axis: axis) }
  }

  /// Where the sequence is in the outputs of a node that treats each row by itself; nil for others.
  private func outputAxis(_ node: Node) -> Int? {
    let shape = source.tensors[node.inputs[0]!].shape
    let output = source.tensors[node.outputs[0]].shape
    let axis = axis(of: node, 0)
    switch node.operation {
    case .unary, .requantize:
      return axis
    case .fullyConnected, .layerNormalization, .rmsNormalization, .softmax, .rotary:
      // Along the last dimension, with constants; a residual has the rows of the result.
      let constants = node.inputs.indices.dropFirst().allSatisfy { position in
        let own = self.axis(of: node, position)
        return own == nil || (position == 3 && own == axis)
      }
      return constants && axis != shape.count - 1 ? axis : nil
    case .attention:
      let isRow =
        axis == shape.count - 2 && self.axis(of: node, 1) == axis && self.axis(of: node, 2) == axis
      return isRow ? axis : nil
    case .gather(let along, batchDimensions: 0):
      return axis == nil ? self.axis(of: node, 1).map { along + $0 } : nil
    case .binary, .prelu:
      return broadcastAxis(node, rank: output.count)
    case .transpose(let permutation):
      return axis.flatMap { permutation.firstIndex(of: $0) }
    case .reshape:
      return axis.flatMap { reshapedAxis($0, from: shape, to: output) }
    default:
      return nil
    }
  }

  private func axis(of node: Node, _ input: Int) -> Int? { node.inputs[input].flatMap { axes[$0] } }

  /// All operands that have a sequence have it in the same place, and the others are the same for
  /// every token.
  private func broadcastAxis(_ node: Node, rank: Int) -> Int? {
    var result: Int?
    for id in node.inputs.compactMap({ $0 }) {
      let shape = source.tensors[id].shape
      guard let axis = axes[id].map({ $0 + rank - shape.count }) else { continue }
      guard result == nil || result == axis else { return nil }
      result = axis
    }
    guard let result else { return nil }
    for id in node.inputs.compactMap({ $0 }) where axes[id] == nil {
      let shape = source.tensors[id].shape
      let own = result - (rank - shape.count)
      guard own < 0 || shape[own] == 1 else { return nil }
    }
    return result
  }

  /// The dimension of the new shape that has the same extent and as many elements before it.
  private func reshapedAxis(_ axis: Int, from old: [Int], to new: [Int]) -> Int? {
    let before = old[..<axis].reduce(1, *)
    return new.indices.first { new[$0] == old[axis] && new[..<$0].reduce(1, *) == before }
  }

  // MARK: Nodes that know the position

  private mutating func makeCached(_ node: inout Node) throws {
    guard case .attention(let attributes) = node.operation, attributes.isCausal else {
      throw PackError(.unsupported, "this attention sees later tokens; decoding cannot")
    }
    guard node.inputs.count < 4 || node.inputs[3] == nil else {
      throw PackError(.unsupported, "this attention has a mask, which decoding does not")
    }
    let shapes = node.inputs.prefix(2).map { source.tensors[$0!].shape }
    guard shapes[0].dropLast() == shapes[1].dropLast() else {
      throw PackError(
        .unsupported, "queries and keys must be as many, not \(shapes[0]) and \(shapes[1])")
    }
    node.inputs = [
      node.inputs[0], cache(of: node.inputs[1]!, node.origin), cache(of: node.inputs[2]!, node.origin),
      nil, position,
    ]
  }

  private mutating func cache(of rows: Graph.TensorID, _ origin: String) -> Graph.TensorID {
    if let id = caches[rows] { return id }
    var tensor = graph.tensors[rows]
    tensor.name += ".cache"
    tensor.shape[tensor.shape.count - 2] = context
    let id = graph.add(tensor)
    graph.nodes.append(
      Node(.cacheAppend, inputs: [rows, position], outputs: [id], origin: "\(origin), cache"))
    caches[rows] = id
    return id
  }

  private mutating func makePositional(_ node: inout Node) throws {
    guard node.inputs.count == 3 || node.inputs[3] == nil else {
      throw PackError(.unsupported, "this rotary embedding has a position already")
    }
    node.inputs = [node.inputs[0], try table(node.inputs[1]!), try table(node.inputs[2]!), position]
  }

  /// The first `context` rows of a table of positions.
  private mutating func table(_ id: Graph.TensorID) throws -> Graph.TensorID {
    if let id = tables[id] { return id }
    var tensor = source.tensors[id]
    guard let data = tensor.data, tensor.shape.count == 2, tensor.shape[0] >= context else {
      throw PackError(
        .unsupported,
        "\"\(tensor.name)\" of shape \(tensor.shape) must be constant, with a row for each of "
          + "\(context) positions; import the model with tokens=\(context) or more")
    }
    tensor.data = Array(data.prefix(data.count / tensor.shape[0] * context))
    tensor.shape[0] = context
    tables[id] = graph.add(tensor)
    return tables[id]!
  }
}
