/// How the tensors of a float graph are to be stored.
enum TensorRole: Equatable {
  /// Integers already.
  case unchanged
  /// An accumulator to which a residual is added at once; it is never stored.
  case accumulator
  /// One scale, zero point 0.
  case symmetric(bits: Int)
  /// int8 with a zero point.
  case asymmetric
  /// int16 on the grid 2^-10 that activation curves read (integer-semantics 5.3).
  case curveGrid
  /// A scale for each head, zero point 0.
  case heads(Int, bits: Int)
  /// int8 of scale 1/256 and zero point -128.
  case probability

  var isWide: Bool {
    switch self {
    case .symmetric(16), .curveGrid, .heads(_, 16): true
    default: false
    }
  }
}

/// Decides the role of every run-time tensor from what its producer gives and its consumers want.
struct TensorRoles {
  private let graph: Graph
  private let options: QuantizeOptions
  private let producers: [Int?]
  private let consumers: [[Int]]
  /// The stream that the blocks of a transformer read through a normalisation and add to.
  private(set) var residual: Set<Graph.TensorID> = []
  /// Those of it that products read and that lose too much in 8 bits: the normalised ones of networks
  /// that normalise after each block.
  private var wideResiduals: Set<Graph.TensorID> = []
  /// Tensors that attention and rotation read, and those that these are moved from.
  private var reachesHeads: Set<Graph.TensorID> = []
  private(set) var roles: [TensorRole]

  /// - Parameter calibration: what the tensors look like; without it none is widened.
  init(_ graph: Graph, _ options: QuantizeOptions, _ calibration: Calibration? = nil) {
    self.graph = graph
    self.options = options
    var producers = [Int?](repeating: nil, count: graph.tensors.count)
    var consumers = [[Int]](repeating: [], count: graph.tensors.count)
    for (index, node) in graph.nodes.enumerated() {
      for output in node.outputs { producers[output] = index }
      for input in node.inputs.compactMap({ $0 }) where !consumers[input].contains(index) {
        consumers[input].append(index)
      }
    }
    self.producers = producers
    self.consumers = consumers
    roles = graph.tensors.map { _ in .unchanged }
    findResidualStream()
    findOperandsOfHeads()
    for id in graph.inputs where graph.tensors[id].type == .float32 {
      roles[id] = residual.contains(id) ? .symmetric(bits: options.residualBits) : centred(id, .asymmetric)
    }
    for node in graph.nodes {
      for id in node.outputs where graph.tensors[id].type == .float32 {
        roles[id] = centred(id, role(of: id, from: node))
      }
    }
    if let calibration, !residual.isEmpty { widen(calibration) }
  }

  // MARK: Widths

  /// Gives 16 bits to what loses too much with 8 or is named, where producer and readers have a form for it.
  private mutating func widen(_ calibration: Calibration) {
    let noisy = { [options] (id: Graph.TensorID, isSymmetric: Bool) in
      calibration[id].signalToNoise(isSymmetric: isSymmetric, options.range) < options.wideBelow
    }
    wideResiduals = residual.filter { id in
      let products = consumers[id].map { graph.nodes[$0] }.filter { node in
        if case .fullyConnected = node.operation { node.inputs[0] == id } else { false }
      }
      return roles[id].isWide && products.allSatisfy(holdsWide) && (isNamedWide(id) || noisy(id, true))
    }
    for id in graph.inputs where isNamedWide(id) && roles[id] == .asymmetric && readersTakeWide(id) { makeWide(id) }
    for id in graph.tensors.indices {
      guard let producer = producers[id], canGiveWide(graph.nodes[producer]) else { continue }
      switch roles[id] {
      case .symmetric(bits: 8), .asymmetric:
        if isNamedWide(id) || noisy(id, roles[id] != .asymmetric), readersTakeWide(id) { makeWide(id) }
      case .heads(let heads, bits: 8):
        // Queries may have 16 bits; keys and values have 8.
        if consumers[id].count == 1, graph.nodes[consumers[id][0]].inputs[0] == id, isNamedWide(id) || noisy(id, true) {
          roles[id] = .heads(heads, bits: 16)
        }
      default: continue
      }
    }
  }

  private func isNamedWide(_ id: Graph.TensorID) -> Bool { options.wideTensors.contains(graph.tensors[id].name) }

  private func readersTakeWide(_ id: Graph.TensorID) -> Bool {
    consumers[id].allSatisfy { takesWide(graph.nodes[$0], id) }
  }

  /// Gives 16 bits to a tensor and to its views.
  private mutating func makeWide(_ id: Graph.TensorID) {
    roles[id] = .symmetric(bits: 16)
    for consumer in consumers[id] where graph.nodes[consumer].operation.isView {
      for output in graph.nodes[consumer].outputs { makeWide(output) }
    }
  }

  private func canGiveWide(_ node: Node) -> Bool {
    switch node.operation {
    case .fullyConnected, .layerNormalization, .rmsNormalization, .attention, .rotary, .binary(.add, _),
      .binary(.multiply, _):
      true
    case .unary(let function): function.isGated && node.inputs[0].map { roles[$0].isWide } == true
    default: false
    }
  }

  private func takesWide(_ node: Node, _ id: Graph.TensorID) -> Bool {
    switch node.operation {
    case .fullyConnected: node.inputs[0] == id && holdsWide(node)
    case .layerNormalization, .rmsNormalization, .binary(.add, _), .binary(.multiply, _): true
    case .reshape, .transpose, .slice: node.outputs.allSatisfy { !residual.contains($0) && readersTakeWide($0) }
    default: false
    }
  }

  /// What magnitudes of a channel's weights may come to where its inputs have 16 bits: the product fits
  /// 32 bits, and half of the range is left for the bias.
  static let largestWeightSum = 0x1p30 / 32_768

  /// Weights need so many steps to either side.
  private static let fewestWeightSteps = 40.0

  /// A product of 16-bit inputs with these weights fits 32 bits, if need be with coarser weights.
  private func holdsWide(_ node: Node) -> Bool {
    guard let id = node.inputs[1], graph.tensors[id].isConstant, let weights = try? graph.tensors[id].reals(),
      let depth = graph.tensors[id].shape.last
    else { return false }
    return stride(from: 0, to: weights.count, by: depth).allSatisfy { start in
      let row = weights[start..<start + depth].lazy.map(\.magnitude)
      let (sum, largest) = (row.reduce(0, +), row.max() ?? 0)
      let steps = Self.largestWeightSum - Double(depth) / 2
      return largest == 0 || sum / largest * Self.fewestWeightSteps <= steps
    }
  }

  /// A product with constant weights takes its input as the 16 bits that it has.
  func readsWide(_ node: Node) -> Bool {
    guard case .fullyConnected = node.operation, let id = node.inputs[0], id < roles.count else { return false }
    return roles[id].isWide && (!residual.contains(id) || wideResiduals.contains(id))
  }

  /// Weights of products that take 16 bits.
  var wideWeights: Set<Graph.TensorID> { Set(graph.nodes.filter(readsWide).compactMap { $0.inputs[1] }) }

  // MARK: Residual stream

  private mutating func findResidualStream() {
    var open: [Graph.TensorID] = []
    for node in graph.nodes where node.operation.isNormalization {
      if let input = node.inputs[0], !graph.tensors[input].isConstant { open.append(input) }
    }
    while let id = open.popLast() {
      guard !graph.tensors[id].isConstant, graph.tensors[id].type == .float32, residual.insert(id).inserted
      else { continue }
      if let producer = producers[id] { open += sources(of: graph.nodes[producer]) }
      for consumer in consumers[id] { open += results(of: graph.nodes[consumer]) }
    }
  }

  /// What a node that gives a residual reads of the stream.
  private func sources(of node: Node) -> [Graph.TensorID] {
    switch node.operation {
    case .binary(.add, _), .binary(.subtract, _):
      let fused = fusedProduct(node)
      return node.inputs.compactMap { $0 }.filter { $0 != fused }
    case .reshape, .slice, .concatenation, .transpose: return node.inputs.compactMap { $0 }
    default: return []
    }
  }

  /// What a node that reads a residual gives to the stream.
  private func results(of node: Node) -> [Graph.TensorID] {
    switch node.operation {
    case .binary(.add, _), .reshape, .slice, .concatenation, .transpose: node.outputs
    default: []
    }
  }

  /// The operand of an addition that is a matrix product of its own, and can be added to as an
  /// accumulator.
  func fusedProduct(_ node: Node) -> Graph.TensorID? {
    guard case .binary(.add, .none) = node.operation, node.inputs.count == 2 else { return nil }
    let shape = graph.tensors[node.outputs[0]].shape
    let operands = node.inputs.compactMap { $0 }
    guard operands.allSatisfy({ graph.tensors[$0].shape.reduce(1, *) == shape.reduce(1, *) }) else { return nil }
    return operands.first { id in
      guard let producer = producers[id], case .fullyConnected(.none) = graph.nodes[producer].operation,
        graph.nodes[producer].inputs[1].map({ graph.tensors[$0].isConstant }) == true
      else { return false }
      return consumers[id].count == 1 && !graph.outputs.contains(id) && operands.count { $0 == id } == 1
    }
  }

  // MARK: Roles

  private func role(of id: Graph.TensorID, from node: Node) -> TensorRole {
    if isFused(id) { return .accumulator }
    if residual.contains(id) { return .symmetric(bits: options.residualBits) }
    switch node.operation {
    case .fullyConnected, .convolution, .depthwiseConvolution:
      return roleOfProduct(id)
    case .rotary: return headsWanted(id).map { .heads($0, bits: 8) } ?? .symmetric(bits: 8)
    case .layerNormalization, .rmsNormalization, .attention: return .symmetric(bits: 8)
    case .unary(let function) where function.isGated: return feedsGate(id) ? .symmetric(bits: 16) : .asymmetric
    case .softmax: return .probability
    case .reshape, .slice, .transpose, .concatenation: return roleOfView(node)
    default: return .asymmetric
    }
  }

  /// The same elements elsewhere: stored as they are, where all parts are stored alike.
  private func roleOfView(_ node: Node) -> TensorRole {
    let sources = node.inputs.compactMap { $0 }.filter { !graph.tensors[$0].isConstant }.map { roles[$0] }
    guard let first = sources.first, sources.allSatisfy({ $0 == first }) else { return .asymmetric }
    switch first {
    case .symmetric, .asymmetric, .probability: return first
    default: return .asymmetric
    }
  }

  private func roleOfProduct(_ id: Graph.TensorID) -> TensorRole {
    if let heads = headsWanted(id) { return .heads(heads, bits: 8) }
    for consumer in consumers[id] {
      if case .rotary(let attributes) = graph.nodes[consumer].operation { return .heads(attributes.heads, bits: 16) }
    }
    if let function = gatedReader(id) {
      // I-ViT has no zero points, and ShiftGELU takes none.
      return function.isGelu && options.arithmetic.gelu != .refined ? .symmetric(bits: 8) : .curveGrid
    }
    if feedsGate(id) { return .symmetric(bits: 16) }
    if graph.outputs.contains(id) {
      let bits = options.outputBits ?? (residual.isEmpty ? 8 : 16)
      return bits == 16 ? .symmetric(bits: 16) : .asymmetric
    }
    return .asymmetric
  }

  private func isFused(_ id: Graph.TensorID) -> Bool {
    guard options.residualBits == 16 || options.arithmetic.addition == .refined, consumers[id].count == 1 else { return false }
    let node = graph.nodes[consumers[id][0]]
    guard residual.contains(node.outputs[0]), fusedProduct(node) == id else { return false }
    // I-ViT rounds each branch by itself; what is added to the patches is a constant.
    let other = node.inputs.compactMap { $0 }.first { $0 != id }
    return options.arithmetic.addition == .refined || other.map { graph.tensors[$0].isConstant } == true
  }

  /// Heads that an attention wants of a tensor that only it reads.
  private func headsWanted(_ id: Graph.TensorID) -> Int? {
    guard consumers[id].count == 1, case .attention(let attributes) = graph.nodes[consumers[id][0]].operation
    else { return nil }
    let node = graph.nodes[consumers[id][0]]
    let uses = (0..<3).filter { node.inputs[$0] == id }
    guard uses.count == 1 else { return nil }
    return uses[0] == 0 ? attributes.heads : attributes.keyValueHeads
  }

  /// Attention and rotation take no zero points, whatever moves their operands on the way.
  private func centred(_ id: Graph.TensorID, _ role: TensorRole) -> TensorRole {
    role == .asymmetric && reachesHeads.contains(id) ? .symmetric(bits: 8) : role
  }

  private mutating func findOperandsOfHeads() {
    for node in graph.nodes.reversed() {
      switch node.operation {
      case .attention, .rotary: break
      case .reshape, .slice, .transpose, .concatenation, .gather:
        guard node.outputs.contains(where: reachesHeads.contains) else { continue }
      default: continue
      }
      reachesHeads.formUnion(node.inputs.compactMap { $0 })
    }
  }

  /// GELU or one of its kin, where nothing else reads the tensor: the refined forms take a fine grid.
  private func gatedReader(_ id: Graph.TensorID) -> UnaryFunction? {
    guard consumers[id].count == 1, !graph.outputs.contains(id),
      case .unary(let function) = graph.nodes[consumers[id][0]].operation, function.isGated
    else { return nil }
    return function
  }

  /// Read only by a product with another run-time tensor: the gate of a SwiGLU.
  private func feedsGate(_ id: Graph.TensorID) -> Bool {
    guard consumers[id].count == 1, case .binary(.multiply, _) = graph.nodes[consumers[id][0]].operation
    else { return false }
    let node = graph.nodes[consumers[id][0]]
    return node.inputs.compactMap { $0 }.contains { input in
      guard let producer = producers[input], case .unary(let function) = graph.nodes[producer].operation
      else { return false }
      return function.isGated
    }
  }
}

extension Operation {
  var isNormalization: Bool {
    switch self {
    case .layerNormalization, .rmsNormalization: true
    default: false
    }
  }

  /// The same elements, or some of them, in another place.
  var isView: Bool {
    switch self {
    case .reshape, .transpose, .slice: true
    default: false
    }
  }
}
