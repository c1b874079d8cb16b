// The form in which quantised models are lowered, made of one whose nodes take integers with scales
// but give real numbers that are quantised afterwards.

extension Graph {
  /// Nodes give the integers that their results are quantised to, clamps become a part of the node
  /// before them, and biases are integers on the grid of their products. Nodes whose results are not
  /// quantised stay as they are.
  mutating func settleQuantization() throws {
    guard tensors.contains(where: { $0.quantization != nil }) else { return }
    var pass = QuantizationSettling(self)
    pass.run()
    self = pass.graph
    quantizeBiases()
    realVectors()
    prune()
  }

  /// Float biases of products of quantised tensors, on the grid of the products.
  private mutating func quantizeBiases() {
    for index in nodes.indices {
      guard nodes[index].operation.isProduct, nodes[index].inputs.count > 2, let bias = nodes[index].inputs[2],
        tensors[bias].type == .float32, let values = tensors[bias].knownReals,
        let input = nodes[index].inputs[0].flatMap({ tensors[$0].quantization }), input.isPerTensor,
        let weights = nodes[index].inputs[1].flatMap({ tensors[$0].quantization })
      else { continue }
      var tensor = tensors[bias]
      let scales = weights.scales.map { $0 * input.scales[0] }
      tensor.type = .int32
      tensor.quantization = Quantization(scales: scales, zeroPoints: scales.map { _ in 0 })
      guard scales.count == 1 || tensor.shape == [scales.count] else { continue }
      tensor.data = tensor.stored(values)
      nodes[index].inputs[2] = add(tensor)
    }
  }

  /// Scales and biases of normalisations are applied as real numbers.
  private mutating func realVectors() {
    for index in nodes.indices {
      switch nodes[index].operation {
      case .layerNormalization, .rmsNormalization: break
      default: continue
      }
      for position in nodes[index].inputs.indices.dropFirst() {
        guard let id = nodes[index].inputs[position], tensors[id].quantization != nil,
          let values = tensors[id].knownReals
        else { continue }
        var tensor = Tensor(name: tensors[id].name, shape: tensors[id].shape, type: .float32)
        tensor.data = tensor.stored(values)
        nodes[index].inputs[position] = add(tensor)
      }
    }
  }
}

extension Operation {
  /// True for what multiplies by weights and adds a bias.
  fileprivate var isProduct: Bool {
    switch self {
    case .convolution, .depthwiseConvolution, .fullyConnected: true
    default: false
    }
  }

  /// With an activation; nil where the operation has one already or takes none.
  fileprivate func adding(_ activation: Activation) -> Operation? {
    switch self {
    case .convolution(let window, let groups, .none): .convolution(window, groups: groups, activation)
    case .depthwiseConvolution(let window, let multiplier, .none):
      .depthwiseConvolution(window, multiplier: multiplier, activation)
    case .fullyConnected(.none): .fullyConnected(activation)
    case .binary(let function, .none): .binary(function, activation)
    case .pool(let kind, let window, .none): .pool(kind, window, activation)
    default: nil
    }
  }

  /// The clamp that a function of one value is.
  fileprivate var clamp: Activation? {
    switch self {
    case .unary(.relu): .relu
    case .unary(.relu6): .relu6
    case .unary(.reluN1To1): .reluN1To1
    default: nil
    }
  }
}

/// One walk over the nodes that quantise, from each up to what computes its input.
private struct QuantizationSettling {
  var graph: Graph
  private var producers: [Graph.TensorID: Int] = [:]
  private var readers: [Int]
  private var removed: Set<Int> = []
  /// Nodes that come before all others.
  private var first: [Node] = []
  /// Tensors in whose place others are read.
  private var replacements: [Graph.TensorID: Graph.TensorID] = [:]

  init(_ graph: Graph) {
    self.graph = graph
    readers = Array(repeating: 0, count: graph.tensors.count)
    for (index, node) in graph.nodes.enumerated() {
      for id in node.outputs { producers[id] = index }
      for id in node.inputs.compactMap({ $0 }) { readers[id] += 1 }
    }
    for id in graph.outputs { readers[id] += 1 }
  }

  mutating func run() {
    for index in graph.nodes.indices where graph.nodes[index].operation == .requantize { settle(index) }
    func current(_ id: Graph.TensorID) -> Graph.TensorID {
      var id = id
      while let next = replacements[id] { id = next }
      return id
    }
    graph.outputs = graph.outputs.map(current)
    graph.nodes = first + graph.nodes.indices.filter { !removed.contains($0) }.map { index in
      var node = graph.nodes[index]
      node.inputs = node.inputs.map { $0.map(current) }
      return node
    }
  }

  /// Lets what computes the input of a quantising node give integers.
  private mutating func settle(_ index: Int) {
    let target = graph.nodes[index].outputs[0]
    guard let source = graph.nodes[index].inputs[0], graph.tensors[source].type == .float32,
      let quantization = graph.tensors[target].quantization, quantization.isPerTensor
    else { return }
    guard var (producer, path) = origin(of: source) else { return settleInput(index, source, target) }
    if let activation = graph.nodes[producer].operation.clamp, let input = graph.nodes[producer].inputs[0],
      let (before, more) = origin(of: input), let fused = graph.nodes[before].operation.adding(activation)
    {
      graph.nodes[before].operation = fused
      removed.insert(producer)
      replacements[graph.nodes[producer].outputs[0]] = input
      path += more
      producer = before
    }
    fuseBias(producer, &path)
    retype(path, as: target)
    replace(index, target, by: replacements[source] ?? source)
  }

  private mutating func retype(_ path: [Graph.TensorID], as target: Graph.TensorID) {
    for id in path {
      graph.tensors[id].type = graph.tensors[target].type
      graph.tensors[id].quantization = graph.tensors[target].quantization
    }
  }

  /// Lets a tensor stand for the result of a quantising node, which goes.
  private mutating func replace(_ index: Int, _ target: Graph.TensorID, by id: Graph.TensorID) {
    graph.tensors[id].name = graph.tensors[target].name
    replacements[target] = id
    readers[id] += readers[target] - 1
    removed.insert(index)
  }

  /// An input of the model that is moved and then quantised is quantised first.
  private mutating func settleInput(_ index: Int, _ source: Graph.TensorID, _ target: Graph.TensorID) {
    var path: [Graph.TensorID] = []
    var id = source
    while readers[id] == 1, let producer = producers[id], let input = graph.nodes[producer].inputs[0] {
      switch graph.nodes[producer].operation {
      case .reshape, .transpose: break
      default: return
      }
      path.append(id)
      id = input
    }
    guard let last = path.last, let mover = producers[last], readers[id] == 1, graph.inputs.contains(id) else { return }
    var tensor = graph.tensors[target]
    tensor.shape = graph.tensors[id].shape
    tensor.name = graph.tensors[id].name + " (quantised)"
    let quantized = graph.add(tensor)
    readers.append(1)
    first.append(Node(.requantize, inputs: [id], outputs: [quantized], origin: graph.nodes[index].origin))
    graph.nodes[mover].inputs[0] = quantized
    retype(path, as: target)
    replace(index, target, by: source)
  }

  /// The node that computes a real value that nothing else reads, through nodes that only move it,
  /// and the tensors on the way.
  private func origin(of id: Graph.TensorID) -> (node: Int, path: [Graph.TensorID])? {
    var path: [Graph.TensorID] = []
    var id = id
    while readers[id] == 1, graph.tensors[id].type == .float32, let producer = producers[id] {
      path.append(id)
      let node = graph.nodes[producer]
      switch node.operation {
      case .reshape, .transpose:
        guard let input = node.inputs[0] else { return nil }
        id = input
      case .concatenation where node.inputs.allSatisfy({ $0.map { graph.tensors[$0].quantization != nil } ?? false }):
        // Parts with different scales.
        return (producer, path)
      case .slice, .gather, .concatenation, .pad, .requantize: return nil
      default: return (producer, path)
      }
    }
    return nil
  }

  /// A constant that is added to the rows of a product is the product's bias.
  private mutating func fuseBias(_ index: Int, _ path: inout [Graph.TensorID]) {
    guard case .binary(.add, let activation) = graph.nodes[index].operation else { return }
    let operands = graph.nodes[index].inputs.compactMap { $0 }
    guard operands.count == 2,
      let constant = operands.first(where: { graph.tensors[$0].isConstant && graph.tensors[$0].type == .float32 }),
      let product = operands.first(where: { $0 != constant }), readers[product] == 1,
      graph.tensors[product].type == .float32, let producer = producers[product],
      graph.nodes[producer].operation == .fullyConnected(.none),
      graph.nodes[producer].inputs.count < 3 || graph.nodes[producer].inputs[2] == nil,
      graph.tensors[constant].elementCount == graph.tensors[product].shape.last,
      graph.tensors[constant].shape.last == graph.tensors[product].shape.last
    else { return }
    var bias = graph.tensors[constant]
    bias.shape = [bias.elementCount]
    let id = graph.add(bias)
    readers.append(1)
    graph.nodes[producer].inputs = Array(graph.nodes[producer].inputs.prefix(2)) + [id]
    graph.nodes[producer].operation = .fullyConnected(activation)
    removed.insert(index)
    replacements[graph.nodes[index].outputs[0]] = product
    path.append(product)
  }
}
