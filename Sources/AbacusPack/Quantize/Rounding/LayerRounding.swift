/// Chooses the weights of few bits of a whole network by what its layers get to see.
///
/// All samples go through the network together, node by node, in order. A layer whose weights are to have few bits is solved
/// for when its inputs are known (GPTQ, decoupleQ). With the method `sequential` the samples also go through the network as it
/// is being rounded: a layer is then solved for with the inputs that it will get, activations on their grids included, and is to
/// give with them what it gave with those that it was trained with.
struct LayerRounding {
  /// What became of one layer.
  struct Layer: Sendable {
    /// What the layer reads: others that share its weights, but not this, have means of their own.
    var input: Graph.TensorID?
    /// Nil where the layer keeps 8 bits.
    var weights: RoundedWeights?
    /// What to add to the bias of each channel; nil where that is not known better than from the means of its inputs.
    var biasCorrection: [Double]?
  }

  /// By the layer's weights.
  private(set) var layers: [Graph.TensorID: Layer] = [:]

  private let graph: Graph
  private let evaluator: FloatEvaluator
  private let options: QuantizeOptions
  private let formats: ProductFormats
  private let grids: ActivationGrids
  private var samples: [Streams] = []
  /// Constants of the network as it is being rounded.
  private var replaced: [Graph.TensorID: [Float]] = [:]

  /// The values of one sample that nodes still need.
  private struct Streams: Sendable {
    var float: FloatEvaluator.Values
    /// Of the network as it is being rounded; the same as `float` where that is not looked at.
    var rounded: FloatEvaluator.Values
  }

  /// Rows of a layer, over all samples, that take part in its moments; more tell little more and take long.
  private static let mostRows = 1 << 15

  /// - Returns: nothing for graphs all of whose weights have 8 bits or are rounded to the nearest.
  static func solve(
    _ graph: Graph, _ calibration: Calibration, _ roles: TensorRoles, _ scales: SharedScales, _ options: QuantizeOptions
  ) throws -> [Graph.TensorID: Layer] {
    let formats = ProductFormats(graph, roles, options)
    guard options.rounding != .nearest, let samples = calibration.samples,
      graph.nodes.contains(where: { formats($0).bits < 8 })
    else { return [:] }
    var rounding = try LayerRounding(graph.givingLayersBiases(), formats, ActivationGrids(graph, roles, scales), options)
    try rounding.start(samples)
    try rounding.run()
    return rounding.layers
  }

  private init(_ graph: Graph, _ formats: ProductFormats, _ grids: ActivationGrids, _ options: QuantizeOptions) throws {
    self.graph = graph
    self.formats = formats
    self.grids = grids
    self.options = options
    evaluator = try FloatEvaluator(graph)
  }

  private var isSequential: Bool { options.rounding == .sequential }

  private mutating func start(_ source: Calibration.Samples) throws {
    for index in 0..<source.count {
      let float = try evaluator.start(try source.sample(index))
      samples.append(Streams(float: float, rounded: isSequential ? float.mapEach(grids.rounded) : float))
    }
  }

  private mutating func run() throws {
    let progress = ProgressLine("rounding", total: graph.nodes.count)
    for (step, node) in graph.nodes.enumerated() {
      if let rows = ProductRows(node, graph) { try solve(node, rows) }
      try advance(step, node)
      progress.advance(to: step + 1)
    }
    progress.finish()
  }

  /// Computes a node for all samples.
  private mutating func advance(_ step: Int, _ node: Node) throws {
    var results: [(float: FloatTensor, rounded: FloatTensor)] = []
    try OrderedWork.run(count: samples.count) { [samples, evaluator, replaced, grids, isSequential] index in
      let float = try evaluator.compute(step, samples[index].float)
      guard isSequential else { return (float, float) }
      var operands = samples[index].rounded
      if let input = node.inputs.first ?? nil, let value = operands[input] { operands[input] = grids.taken(input, value, by: node) }
      return (float, grids.rounded(node.outputs[0], try evaluator.compute(step, operands, replacing: replaced)))
    } consume: { results.append($1) }
    for (index, result) in results.enumerated() {
      evaluator.store(result.float, step, in: &samples[index].float)
      evaluator.store(result.rounded, step, in: &samples[index].rounded)
    }
  }

  // MARK: One layer

  private mutating func solve(_ node: Node, _ rows: ProductRows) throws {
    guard let id = node.inputs[1], let bias = node.inputs[2], layers[id] == nil else { return }
    let format = formats(node)
    guard format.bits < 8 || isSequential else { return }
    let weights = try graph.tensors[id].reals()
    var layer = format.bits < 8 ? try rounded(node, rows, weights, format) : try corrected(node, rows, weights)
    layer.input = node.inputs[0]
    layers[id] = layer
    guard isSequential else { return }
    if let rounded = layer.weights { replaced[id] = rounded.reals }
    if let correction = layer.biasCorrection {
      replaced[bias] = zip(try graph.tensors[bias].reals(), correction).map { Float($0 + $1) }
    }
  }

  private func rounded(_ node: Node, _ rows: ProductRows, _ weights: [Double], _ format: WeightFormat) throws -> Layer {
    var moments = SecondMoments(depth: rows.depth)
    var cross = SecondMoments(depth: rows.depth, isCross: true)
    try forEachBlock(node, rows) { float, rounded in
      try moments.add(rounded)
      if isSequential { try cross.add(rounded, float) }
    }
    let isCentred = options.correctsBias
    let damped = try DampedMoments(moments, isCentred: isCentred, name: node.origin)
    let target =
      isSequential
      ? try SequentialTarget.weights(weights, channels: rows.channels, cross: cross, damped, isCentred: isCentred) : weights
    let result = try RoundedWeights.rounding(
      target, channels: rows.channels, format, options.rounding, damped, name: node.origin)
    let correction = SequentialTarget.biasCorrection(
      weights, result, mean: isSequential ? cross.otherMean : moments.mean, roundedMean: moments.mean)
    return Layer(weights: result, biasCorrection: isCentred ? correction : nil)
  }

  /// A layer that keeps its 8 bits makes up for the means that the layers before it have shifted.
  private func corrected(_ node: Node, _ rows: ProductRows, _ weights: [Double]) throws -> Layer {
    guard options.correctsBias else { return Layer() }
    var sums = [Double](repeating: 0, count: rows.depth)
    var count = 0
    try forEachBlock(node, rows) { float, rounded in
      for index in float.indices { sums[index % rows.depth] += Double(float[index]) - Double(rounded[index]) }
      count += float.count / rows.depth
    }
    let shift = (0..<rows.channels).map { channel in
      (0..<rows.depth).reduce(0) { $0 + weights[channel * rows.depth + $1] * sums[$1] } / Double(max(count, 1))
    }
    return Layer(biasCorrection: shift)
  }

  /// Calls `body` with rows of both kinds, some samples at a time.
  private func forEachBlock(_ node: Node, _ rows: ProductRows, _ body: ([Float], [Float]) throws -> Void) throws {
    guard let input = node.inputs[0] else { return }
    let limit = max(Self.mostRows / samples.count, 1)
    for start in stride(from: 0, to: samples.count, by: 32) {
      var (float, rounded): ([Float], [Float]) = ([], [])
      for index in start..<min(start + 32, samples.count) {
        guard let clean = samples[index].float[input], let value = samples[index].rounded[input] else { continue }
        float += rows(clean.values, sample: index, limit: limit)
        if isSequential { rounded += rows(grids.taken(input, value, by: node).values, sample: index, limit: limit) }
      }
      try body(float, isSequential ? rounded : float)
    }
  }
}

/// What activations become on the grids that they are stored on.
private struct ActivationGrids: Sendable {
  /// One for each run-time tensor that has a grid.
  private var stored: [Graph.TensorID: Tensor] = [:]
  /// The grid of 8 bits on which a node takes what has 16.
  private var narrow: [Graph.TensorID: Tensor] = [:]
  /// Layers that take 16 bits as they are, by their output.
  private var wideReaders: Set<Graph.TensorID> = []

  init(_ graph: Graph, _ roles: TensorRoles, _ scales: SharedScales) {
    for (id, tensor) in graph.tensors.enumerated() where !tensor.isConstant && tensor.type == .float32 {
      guard let quantization = scales.quantization(of: id) else { continue }
      var grid = tensor
      grid.type = roles.roles[id].isWide ? .int16 : .int8
      grid.quantization = quantization
      stored[id] = grid
      guard roles.roles[id].isWide else { continue }
      grid.type = .int8
      grid.quantization = scales.narrow(id)
      narrow[id] = grid
    }
    wideReaders = Set(graph.nodes.filter(roles.readsWide).map { $0.outputs[0] })
  }

  func rounded(_ id: Graph.TensorID, _ value: FloatTensor) -> FloatTensor { Self.rounded(value, stored[id]) }

  /// A layer's input as the layer takes it.
  func taken(_ id: Graph.TensorID, _ value: FloatTensor, by node: Node) -> FloatTensor {
    switch node.operation {
    case .fullyConnected, .convolution, .depthwiseConvolution:
      wideReaders.contains(node.outputs[0]) ? value : Self.rounded(value, narrow[id])
    default: value
    }
  }

  private static func rounded(_ value: FloatTensor, _ grid: Tensor?) -> FloatTensor {
    grid.map { FloatTensor(shape: value.shape, values: $0.onGrid(value.values)) } ?? value
  }
}

extension FloatEvaluator.Values {
  fileprivate func mapEach(_ transform: (Graph.TensorID, FloatTensor) -> FloatTensor) -> Self {
    Dictionary(uniqueKeysWithValues: map { ($0, transform($0, $1)) })
  }
}

extension Graph {
  /// The same network, every layer of which has a bias.
  func givingLayersBiases() -> Graph {
    var result = self
    for (index, node) in nodes.enumerated() {
      guard let rows = ProductRows(node, self), node.inputs.count < 3 || node.inputs[2] == nil else { continue }
      let zeros = Tensor(
        name: "bias", shape: [rows.channels], type: .float32, data: [UInt8](repeating: 0, count: 4 * rows.channels))
      let operands = node.inputs + Array(repeating: nil, count: max(3 - node.inputs.count, 0))
      result.nodes[index].inputs = operands
      result.nodes[index].inputs[2] = result.add(zeros)
    }
    return result
  }
}
