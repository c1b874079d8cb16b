/// A graph while passes rewrite it: who computes and who reads each tensor is known at any time, and
/// what nothing needs any more is gone at once.
///
/// Every pass is a rule in an extension: it looks at one node, rewrites the neighbourhood of it if
/// that has the form it is about, and says whether it did. Rules only ever touch nodes on float
/// tensors (and the movement of other data); nodes on quantised tensors stay as they are.
final class GraphEditor {
  typealias TensorID = Graph.TensorID
  typealias NodeID = Int
  /// True where it has changed the graph.
  typealias Rule = @Sendable (GraphEditor) -> (NodeID) throws -> Bool

  private let name: String
  private let position: TensorID?
  private let scoreScales: [TensorID: Double]
  private let batchStatistics: [TensorID: ChannelDistribution]
  private(set) var tensors: [Tensor]
  private(set) var inputs: [TensorID]
  private(set) var outputs: [TensorID]
  private var nodes: [Node?]
  private var writers: [NodeID?]
  private var readerLists: [[NodeID]]

  init(_ graph: Graph) {
    name = graph.name
    position = graph.position
    scoreScales = graph.scoreScales
    batchStatistics = graph.batchStatistics
    tensors = graph.tensors
    inputs = graph.inputs
    outputs = graph.outputs
    nodes = graph.nodes
    writers = Array(repeating: nil, count: graph.tensors.count)
    readerLists = Array(repeating: [], count: graph.tensors.count)
    for (id, node) in graph.nodes.enumerated() { connect(id, node) }
    for node in graph.nodes { node.outputs.forEach(release) }
  }

  // MARK: Looking

  func node(_ id: NodeID) -> Node? { nodes[id] }

  func shape(_ id: TensorID) -> [Int] { tensors[id].shape }

  func isConstant(_ id: TensorID) -> Bool { tensors[id].isConstant }

  /// The node that computes a tensor.
  func writer(_ id: TensorID) -> NodeID? { writers[id] }

  /// The nodes that read a tensor, once for each use.
  func readers(_ id: TensorID) -> [NodeID] { readerLists[id] }

  /// True where exactly one use depends on the tensor.
  func isPrivate(_ id: TensorID) -> Bool { readerLists[id].count == 1 && !outputs.contains(id) }

  func isOutput(_ id: TensorID) -> Bool { outputs.contains(id) }

  /// The node if it computes one float tensor from tensors without quantisation.
  func floatNode(_ id: NodeID) -> Node? {
    guard let node = nodes[id], node.outputs.count == 1, tensors[node.outputs[0]].type == .float32,
      isPlain(node)
    else { return nil }
    return node
  }

  /// The node if it computes one tensor, of any type, and nothing about it is quantised.
  func plainNode(_ id: NodeID) -> Node? {
    guard let node = nodes[id], node.outputs.count == 1, isPlain(node) else { return nil }
    return node
  }

  private func isPlain(_ node: Node) -> Bool {
    (node.outputs + node.inputs.compactMap { $0 }).allSatisfy { tensors[$0].quantization == nil }
  }

  /// The float node that computes a tensor.
  func source(_ id: TensorID) -> Node? { writers[id].flatMap(floatNode) }

  /// What the outputs need, each node after those that it reads; the same for equal graphs whatever
  /// the order in which their nodes were listed.
  func order() -> [NodeID] {
    var result: [NodeID] = []
    var isDone = [Bool](repeating: false, count: nodes.count)
    var stack: [(node: NodeID, next: Int)] = []
    func enter(_ id: TensorID?) {
      guard let writer = id.flatMap({ writers[$0] }), !isDone[writer] else { return }
      isDone[writer] = true
      stack.append((writer, 0))
    }
    for output in outputs {
      enter(output)
      while let (id, next) = stack.last {
        let operands = nodes[id]!.inputs
        if next < operands.count {
          stack[stack.count - 1].next += 1
          enter(operands[next])
        } else {
          result.append(id)
          stack.removeLast()
        }
      }
    }
    return result
  }

  // MARK: Changing

  /// Adds a constant.
  func constant(_ tensor: Tensor) -> TensorID { add(tensor) }

  /// Adds a tensor that nothing computes or reads yet.
  private func add(_ tensor: Tensor) -> TensorID {
    tensors.append(tensor)
    writers.append(nil)
    readerLists.append([])
    return tensors.count - 1
  }

  func constant(_ values: [Float], shape: [Int], name: String) -> TensorID {
    add(Tensor(name: name, shape: shape, type: .float32, data: Tensor.data(of: values)))
  }

  /// Adds a node and its result. Where all inputs are constant, the result is, too, and there is no
  /// node.
  func emit(
    _ operation: Operation, _ inputs: [TensorID?], shape: [Int], name: String, origin: String,
    type: DataType = .float32
  ) throws -> TensorID {
    let id = add(Tensor(name: name, shape: shape, type: type))
    let node = Node(operation, inputs: inputs, outputs: [id], origin: origin)
    if let data = try ConstantFolding.evaluate(node, tensors) {
      tensors[id].data = data
    } else {
      append(node)
    }
    return id
  }

  /// Lets a tensor be computed by another node than so far.
  func define(_ id: TensorID, _ operation: Operation, _ inputs: [TensorID?], origin: String) throws {
    let old = writers[id]
    let node = Node(operation, inputs: inputs, outputs: [id], origin: origin)
    if let data = try ConstantFolding.evaluate(node, tensors) {
      settle(id, data)
      return
    }
    append(node)
    if let old { disconnect(old, keeping: id) }
  }

  /// Lets a tensor be constant.
  func settle(_ id: TensorID, _ data: [UInt8]) {
    tensors[id].data = data
    if let old = writers[id] {
      writers[id] = nil
      disconnect(old, keeping: id)
    }
  }

  /// Lets all that needs `old` use `new`, which has the same shape and values.
  ///
  /// The model's outputs keep their tensors and names: the node that computes `new` then computes
  /// `old` instead, or where that is impossible, a reshape passes the values on.
  ///
  /// - Returns: whether anything has changed.
  func replace(_ old: TensorID, with new: TensorID) -> Bool {
    guard isOutput(old) else {
      redirect(old, to: new)
      release(old)
      return true
    }
    guard let writer = writers[new], !isOutput(new), let node = nodes[writer], node.outputs == [new],
      let copier = writers[old], copier != writer
    else { return false }
    nodes[writer]!.outputs = [old]
    writers[old] = writer
    writers[new] = nil
    redirect(new, to: old)
    disconnect(copier, keeping: old)
    return true
  }

  /// Exchanges the operands of a node that has two.
  func exchangeOperands(_ id: NodeID) { nodes[id]!.inputs.reverse() }

  /// Gives an input of the model another shape; the old tensor is what a new node computes from it.
  func reshapeInput(_ id: TensorID, to shape: [Int], by operation: Operation, origin: String) throws {
    let new = add(Tensor(name: tensors[id].name, shape: shape, type: tensors[id].type))
    inputs[inputs.firstIndex(of: id)!] = new
    append(Node(operation, inputs: [new], outputs: [id], origin: origin))
  }

  func retype(_ id: TensorID, _ type: DataType) { tensors[id].type = type }

  /// Offers what an output of the model is computed from in its place.
  func replaceOutput(_ id: TensorID, with new: TensorID) {
    tensors[new].name = tensors[id].name
    outputs = outputs.map { $0 == id ? new : $0 }
    release(id)
  }

  private func append(_ node: Node) {
    nodes.append(node)
    connect(nodes.count - 1, node)
  }

  private func connect(_ id: NodeID, _ node: Node) {
    for output in node.outputs { writers[output] = id }
    for input in node.inputs.compactMap({ $0 }) { readerLists[input].append(id) }
  }

  private func redirect(_ old: TensorID, to new: TensorID) {
    for reader in readerLists[old] {
      nodes[reader]!.inputs = nodes[reader]!.inputs.map { $0 == old ? new : $0 }
    }
    readerLists[new] += readerLists[old]
    readerLists[old] = []
  }

  /// Removes a node whose output `id` another node computes now.
  private func disconnect(_ node: NodeID, keeping id: TensorID) {
    guard let old = nodes[node] else { return }
    nodes[node] = nil
    for output in old.outputs where output != id { writers[output] = nil }
    let operands = old.inputs.compactMap { $0 }
    for input in operands { readerLists[input].removeAll { $0 == node } }
    operands.forEach(release)
  }

  /// Removes the nodes that compute a tensor if nothing needs it.
  func release(_ id: TensorID) {
    var pending = [id]
    while let id = pending.popLast() {
      guard let writer = writers[id], let node = nodes[writer],
        node.outputs.allSatisfy({ readerLists[$0].isEmpty && !isOutput($0) })
      else { continue }
      nodes[writer] = nil
      for output in node.outputs { writers[output] = nil }
      let operands = node.inputs.compactMap { $0 }
      for input in operands { readerLists[input].removeAll { $0 == writer } }
      pending += operands
    }
  }

  // MARK: Running

  /// Applies rules to every node until none applies any more.
  func apply(_ rules: [Rule]) throws {
    // Each round carries a change through the whole graph; what is left for the next are changes
    // that made others possible. The bound only guards against rules that undo each other.
    for _ in 0..<200 {
      var hasChanged = false
      for id in order() {
        for rule in rules where nodes[id] != nil {
          if try rule(self)(id) { hasChanged = true }
        }
      }
      if !hasChanged { return }
    }
  }

  /// The graph with its nodes in order, without the tensors that nothing uses, and with a name for
  /// each run-time tensor that no other has.
  func finished() -> Graph {
    var result = Graph(name: name)
    var ids = [TensorID?](repeating: nil, count: tensors.count)
    var names = Set((inputs + outputs).map { tensors[$0].name })
    func map(_ id: TensorID) -> TensorID {
      if let known = ids[id] { return known }
      var tensor = tensors[id]
      if !tensor.isConstant, !inputs.contains(id), !outputs.contains(id) {
        var copy = 2
        while !names.insert(tensor.name).inserted {
          tensor.name = "\(tensors[id].name) \(copy)"
          copy += 1
        }
      }
      let new = result.add(tensor)
      ids[id] = new
      return new
    }
    result.inputs = inputs.map(map)
    result.position = position.map(map)
    result.nodes = order().map { id in
      let node = nodes[id]!
      return Node(
        node.operation, inputs: node.inputs.map { $0.map(map) }, outputs: node.outputs.map(map),
        origin: node.origin)
    }
    result.outputs = outputs.map(map)
    for (id, distribution) in batchStatistics {
      if let new = ids[id] { result.batchStatistics[new] = distribution }
    }
    for (id, scale) in scoreScales {
      if let new = ids[id] { result.scoreScales[new] = scale }
    }
    return result
  }
}
