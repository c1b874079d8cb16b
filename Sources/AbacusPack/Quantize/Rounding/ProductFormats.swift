/// How the weights of each layer of a graph are stored.
struct ProductFormats {
  private let graph: Graph
  private let options: QuantizeOptions
  private let wideWeights: Set<Graph.TensorID>
  /// Weights of the layers at either end, where these keep 8 bits.
  private let ends: Set<Graph.TensorID>

  init(_ graph: Graph, _ roles: TensorRoles, _ options: QuantizeOptions) {
    self.graph = graph
    self.options = options
    wideWeights = roles.wideWeights
    ends = options.keepsEnds ? graph.weightsAtEnds : []
  }

  /// The format that the options give the weights of a node, or as much of it as its operator takes: int8 where that is
  /// nothing, and no groups where rows have 16 bits, whose sums have no room for finer grids, or are too short.
  func callAsFunction(_ node: Node) -> WeightFormat {
    guard let rows = ProductRows(node, graph), let id = node.inputs[1] else { return .int8 }
    let tensor = graph.tensors[id]
    let format = options.weightFormats[tensor.name] ?? (ends.contains(id) ? .int8 : options.weightFormat)
    if format.bits == 8 { return .int8 }
    return wideWeights.contains(id) || rows.depth <= format.groupSize ?? 0 ? format.withoutGroups : format
  }
}

extension Graph {
  /// The same network, the weights of whose layers have names of their own: parts that a matrix was divided into, such as those
  /// for queries, keys and values, have one name until then. The second becomes "NAME, 2".
  func namingWeightsApart() -> Graph {
    var result = self
    var named: [String: [TensorID]] = [:]
    for node in nodes {
      guard ProductRows(node, self) != nil, let id = node.inputs[1] else { continue }
      let name = tensors[id].name
      if !named[name, default: []].contains(id) { named[name, default: []].append(id) }
      let number = named[name]!.firstIndex(of: id)! + 1
      if number > 1 { result.tensors[id].name = "\(name), \(number)" }
    }
    return result
  }

  /// Weights of layers that no other layer stands before, or none behind: what they lose, nothing makes up for.
  var weightsAtEnds: Set<TensorID> {
    func isLayer(_ node: Node) -> Bool {
      switch node.operation {
      case .convolution, .depthwiseConvolution, .fullyConnected: node.inputs[1].map { tensors[$0].isConstant } ?? false
      default: false
      }
    }
    var ends: Set<TensorID> = []
    // Real inputs only: behind a table of embeddings, no layer is the first.
    var open = Set(inputs.filter { tensors[$0].type == .float32 })
    for node in nodes where node.inputs.contains(where: { $0.map(open.contains) ?? false }) {
      if isLayer(node) { ends.insert(node.inputs[1]!) } else { open.formUnion(node.outputs) }
    }
    open = Set(outputs)
    for node in nodes.reversed() where node.outputs.contains(where: open.contains) {
      if isLayer(node) { ends.insert(node.inputs[1]!) } else { open.formUnion(node.inputs.compactMap { $0 }) }
    }
    return ends
  }
}
