import Foundation

/// Moves scale, and what a channel is off centre, between layers, so that all channels of a tensor
/// suit one int8 grid. The network computes what it computed before.
///
/// Where a normalisation (or another layer that is linear in each of its channels) feeds matrix
/// products, channel c is divided by s_c and the columns c of the products' weights are multiplied by
/// it: `s_c = a_c^alpha / w_c^(1 - alpha)` with the largest activation a_c and weight w_c. A
/// normalisation's channels are also centred, the products' biases taking what that removes. Chains of
/// convolutions are in `EqualizationChains.swift`.
/// Cross-layer equalisation (arXiv 1906.04721) with the balance of SmoothQuant (2211.10438); folding
/// into normalisations as in OutlierTune (2406.18832) and MobileQuant (2408.13933).
struct Equalization {
  var graph: Graph
  let calibration: Calibration
  private let balance: Double
  private let producers: [Graph.TensorID: Int]
  let consumers: [Graph.TensorID: [Int]]

  /// - Parameter balance: alpha: 0 leaves all unevenness in the activations, 1 puts it into the weights.
  static func apply(_ graph: Graph, _ calibration: Calibration, balance: Double) throws -> Graph {
    var equalization = Equalization(graph, calibration, balance)
    for index in graph.nodes.indices { try equalization.equalize(index) }
    return equalization.graph
  }

  private init(_ graph: Graph, _ calibration: Calibration, _ balance: Double) {
    self.graph = graph
    self.calibration = calibration
    self.balance = balance
    var producers: [Graph.TensorID: Int] = [:]
    var consumers: [Graph.TensorID: [Int]] = [:]
    for (index, node) in graph.nodes.enumerated() {
      for output in node.outputs { producers[output] = index }
      for input in Set(node.inputs.compactMap { $0 }) { consumers[input, default: []].append(index) }
    }
    self.producers = producers
    self.consumers = consumers
  }

  /// Equalises the tensor that a node gives.
  private mutating func equalize(_ index: Int) throws {
    let node = graph.nodes[index]
    switch node.operation {
    case .layerNormalization, .rmsNormalization:
      guard let readers = products(reading: node.outputs[0]) else { return }
      try equalizeNormalization(index, readers)
    case .attention(let attributes):
      guard let readers = products(reading: node.outputs[0]), let value = node.inputs[2],
        let source = privateProduct(value)
      else { return }
      try equalizeProduct(source, readers, through: node.outputs[0], groups: attributes.heads / attributes.keyValueHeads, attributes)
    case .binary(.multiply, .none):
      guard let readers = products(reading: node.outputs[0]),
        let source = node.inputs.compactMap({ $0 }).compactMap(privateProduct).first
      else { return }
      try equalizeProduct(source, readers, through: node.outputs[0], groups: 1, nil)
    case .convolution, .depthwiseConvolution, .fullyConnected:
      try equalizeChain(index)
    default: return
    }
  }

  // MARK: Who takes part

  /// The fully connected layers that are all that reads a tensor; nil where something else does.
  private func products(reading id: Graph.TensorID) -> [Int]? {
    guard !graph.outputs.contains(id), let readers = consumers[id], !readers.isEmpty,
      readers.allSatisfy({ isConstantProduct($0) && graph.nodes[$0].inputs[0] == id })
    else { return nil }
    return readers
  }

  /// The fully connected layer without a clamp that gives a tensor of which nothing else has need.
  private func privateProduct(_ id: Graph.TensorID) -> Int? {
    guard let index = producers[id], isConstantProduct(index), consumers[id]?.count == 1,
      case .fullyConnected(.none) = graph.nodes[index].operation, !graph.outputs.contains(id)
    else { return nil }
    return index
  }

  /// A fully connected layer with constant weights that no other node shares.
  private func isConstantProduct(_ index: Int) -> Bool {
    if case .fullyConnected = graph.nodes[index].operation { hasPrivateWeights(index) } else { false }
  }

  /// A layer with constant weights that no other node shares.
  func hasPrivateWeights(_ index: Int) -> Bool {
    guard graph.nodes[index].inputs.count > 1, let weights = graph.nodes[index].inputs[1] else { return false }
    return graph.tensors[weights].isConstant && consumers[weights]?.count == 1
  }

  // MARK: Scales

  /// What each channel is divided by; nil where all that counts is zero.
  ///
  /// - Parameter balance: another one than asked for, where weights bear unevenness for nothing.
  func scales(_ activations: [Double], _ readers: [Int], balance: Double? = nil) throws -> [Double]? {
    let balance = balance ?? self.balance
    let weights = try columnWeights(readers, channels: activations.count)
    guard let mostActive = activations.max(), let heaviest = weights.max(), mostActive > 0, heaviest > 0
    else { return nil }
    let raw = zip(activations, weights).map { activation, weight in
      // Channels that are all but zero must not ask for absurd factors.
      pow(max(activation, mostActive * 1e-3), balance) / pow(max(weight, heaviest * 1e-3), 1 - balance)
    }
    let mean = exp(raw.reduce(0) { $0 + log($1) } / Double(raw.count))
    return raw.map { min(max($0 / mean, 1.0 / 64), 64) }
  }

  /// The largest weight that each channel is multiplied by, of the largest in the same row: rows have
  /// scales of their own.
  private func columnWeights(_ readers: [Int], channels: Int) throws -> [Double] {
    var weights = [Double](repeating: 0, count: channels)
    for reader in readers {
      let (values, layer, shape) = try product(reader)
      var largest = [Double](repeating: 0, count: layer.outputChannels(shape))
      for (position, weight) in values.enumerated() {
        let row = layer.outputChannel(of: position, shape)
        largest[row] = max(largest[row], weight.magnitude)
      }
      for (position, weight) in values.enumerated() where weight != 0 {
        let column = layer.inputChannel(of: position, shape) % channels
        weights[column] = max(weights[column], weight.magnitude / largest[layer.outputChannel(of: position, shape)])
      }
    }
    return weights
  }

  private mutating func equalizeNormalization(_ index: Int, _ readers: [Int]) throws {
    let node = graph.nodes[index]
    let statistics = calibration[node.outputs[0]]
    let channels = graph.tensors[node.outputs[0]].shape.last ?? 1
    guard statistics.channels == channels else { return }
    let isCentred = if case .layerNormalization = node.operation { true } else { false }
    let ranges = zip(statistics.channelMinimum, statistics.channelMaximum).map { (Double($0), Double($1)) }
    let centres = ranges.map { isCentred ? ($0 + $1) / 2 : 0 }
    let reaches = zip(ranges, centres).map { max($0.1 - $1, $1 - $0.0) }
    guard let scales = try scales(reaches, readers) else { return }
    var inputs = node.inputs + Array(repeating: nil, count: 3 - node.inputs.count)
    let gain = try inputs[1].map { try graph.tensors[$0].reals() } ?? Array(repeating: 1, count: channels)
    inputs[1] = constant("\(node.origin), scale", zip(gain, scales).map { $0 / $1 })
    if isCentred {
      let bias = try inputs[2].map { try graph.tensors[$0].reals() } ?? Array(repeating: 0, count: channels)
      inputs[2] = constant("\(node.origin), bias", (0..<channels).map { (bias[$0] - centres[$0]) / scales[$0] })
    }
    if inputs[2] == nil { inputs.removeLast() }
    for reader in readers {
      if isCentred { try shiftBias(reader, by: centres) }
      try scaleColumns(reader, by: scales)
    }
    graph.nodes[index].inputs = inputs
  }

  /// - Parameters:
  ///   - through: the tensor whose channels are to be even.
  ///   - groups: how many of its channels one row of the source gives.
  private mutating func equalizeProduct(
    _ source: Int, _ readers: [Int], through id: Graph.TensorID, groups: Int, _ attributes: AttentionAttributes?
  ) throws {
    let statistics = calibration[id]
    let channels = graph.tensors[id].shape.last ?? 1
    guard statistics.channels == channels else { return }
    let reaches = zip(statistics.channelMinimum, statistics.channelMaximum).map { Double(max(-$0, $1)) }
    guard let all = try scales(reaches, readers) else { return }
    // Query heads of one group read the same values, and share their scale.
    let rows = channels / groups
    let width = attributes.map { channels / $0.heads } ?? rows
    func row(_ channel: Int) -> Int { channel / width / groups * width + channel % width }
    var own = [Double](repeating: 0, count: rows)
    for channel in 0..<channels { own[row(channel)] = max(own[row(channel)], all[channel]) }
    try scaleRows(source, by: own)
    for reader in readers { try scaleColumns(reader, by: (0..<channels).map { own[row($0)] }) }
  }

  // MARK: Weights

  private mutating func constant(_ name: String, _ values: [Double]) -> Graph.TensorID {
    graph.add(
      Tensor(name: name, shape: [values.count], type: .float32, data: Tensor.data(of: values.map(Float.init))))
  }

  /// The weights of a layer, and how they lie.
  private func product(_ index: Int) throws -> (weights: [Double], layer: ProductLayer, shape: [Int]) {
    let node = graph.nodes[index]
    guard let layer = ProductLayer(node.operation), let id = node.inputs[1] else {
      throw PackError(.malformed, "\(node.origin): is no layer with weights")
    }
    return (try graph.tensors[id].reals(), layer, graph.tensors[id].shape)
  }

  private mutating func setWeights(_ index: Int, _ values: [Double]) {
    let id = graph.nodes[index].inputs[1]!
    graph.tensors[id].data = Tensor.data(of: values.map(Float.init))
    graph.tensors[id].type = .float32
  }

  /// Multiplies what a layer makes of each channel of its input. Inputs that are a flattened image have
  /// the channels again and again.
  mutating func scaleColumns(_ index: Int, by scales: [Double]) throws {
    let (weights, layer, shape) = try product(index)
    setWeights(index, weights.enumerated().map { $1 * scales[layer.inputChannel(of: $0, shape) % scales.count] })
  }

  /// Divides the outputs of a layer.
  mutating func scaleRows(_ index: Int, by scales: [Double]) throws {
    let (weights, layer, shape) = try product(index)
    setWeights(index, weights.enumerated().map { $1 / scales[layer.outputChannel(of: $0, shape)] })
    let node = graph.nodes[index]
    guard node.inputs.count > 2, let bias = node.inputs[2] else { return }
    let values = try graph.tensors[bias].reals()
    graph.nodes[index].inputs[2] = constant(graph.tensors[bias].name, zip(values, scales).map { $0 / $1 })
  }

  /// The layer's input has lost `shift`: its bias gets the weights' product with it.
  private mutating func shiftBias(_ index: Int, by shift: [Double]) throws {
    let node = graph.nodes[index]
    let weights = try graph.tensors[node.inputs[1]!].reals()
    let rows = weights.count / shift.count
    var bias = [Double](repeating: 0, count: rows)
    var name = "\(graph.tensors[node.inputs[1]!].name), bias"
    if node.inputs.count > 2, let id = node.inputs[2] {
      bias = try graph.tensors[id].reals()
      name = graph.tensors[id].name
    }
    for (position, weight) in weights.enumerated() {
      bias[position / shift.count] += weight * shift[position % shift.count]
    }
    let id = constant(name, bias)
    if node.inputs.count > 2 { graph.nodes[index].inputs[2] = id } else { graph.nodes[index].inputs.append(id) }
  }
}
