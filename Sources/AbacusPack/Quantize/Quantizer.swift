/// Post-training quantisation: from a canonical float graph and what its tensors looked like on
/// samples to a graph of integers that lowering takes.
public struct Quantizer {
  private let graph: Graph
  private let calibration: Calibration
  private let options: QuantizeOptions
  private let roles: TensorRoles
  private let wideWeights: Set<Graph.TensorID>
  private let scales: SharedScales
  private let formats: ProductFormats
  /// Layers whose weights were chosen by what they see, by their weights.
  private var layers: [Graph.TensorID: LayerRounding.Layer] = [:]
  private var result: Graph
  /// int8 copies of tensors of 16 bits, for the operators that take 8.
  private var narrowed: [Graph.TensorID: Graph.TensorID] = [:]

  /// - Throws: `PackError` naming the node that cannot be expressed in integers.
  public static func quantize(
    _ graph: Graph, _ calibration: Calibration, options: QuantizeOptions = QuantizeOptions()
  ) throws -> Graph {
    var quantizer = Quantizer(graph, calibration, options)
    try quantizer.run()
    return quantizer.result
  }

  private init(_ graph: Graph, _ calibration: Calibration, _ options: QuantizeOptions) {
    self.graph = graph
    self.calibration = calibration
    self.options = options
    roles = TensorRoles(graph, options, calibration)
    wideWeights = roles.wideWeights
    scales = SharedScales(graph, roles, calibration, options)
    formats = ProductFormats(graph, roles, options)
    result = graph
    result.nodes = []
  }

  private mutating func run() throws {
    try requireFiniteConstants()
    layers = try LayerRounding.solve(graph, calibration, roles, scales, options)
    for id in graph.inputs { try assign(id) }
    for node in graph.nodes {
      for id in node.outputs { try assign(id) }
    }
    for node in graph.nodes { try quantize(node) }
  }

  /// Infinities, and what is no number, have no place on any grid.
  private func requireFiniteConstants() throws {
    for node in graph.nodes {
      for case let id? in node.inputs {
        guard let odd = graph.tensors[id].floats?.first(where: { !$0.isFinite }) else { continue }
        throw PackError(
          .unsupported,
          "\(node.origin): \(odd) is among the values of \"\(graph.tensors[id].name)\", and no integer stands for it")
      }
    }
  }

  /// Gives a run-time tensor the type and scale of its role.
  private mutating func assign(_ id: Graph.TensorID) throws {
    let role = roles.roles[id]
    guard role != .unchanged, role != .accumulator else { return }
    result.tensors[id].type = role.isWide ? .int16 : .int8
    result.tensors[id].quantization = scales.quantization(of: id)
  }

  // MARK: Nodes

  private mutating func quantize(_ node: Node) throws {
    var node = node
    switch node.operation {
    case .fullyConnected, .convolution, .depthwiseConvolution:
      guard roles.roles[node.outputs[0]] != .accumulator else { return }
      try emitProduct(node)
    case .binary(.add, let activation):
      try emitAddition(node, activation)
    case .layerNormalization, .rmsNormalization, .rotary:
      // Their tables stay real; lowering makes integers of them.
      result.nodes.append(node)
    case .softmax:
      try refuseMask(node)
      narrow(&node, 0)
      result.nodes.append(node)
    case .attention:
      if case .paper = options.arithmetic.softmax { result.scoreScales[node.outputs[0]] = try scoreScale(node) }
      result.nodes.append(node)
    case .reshape, .slice, .transpose, .requantize, .gather:
      try quantizeConstants(&node)
      result.nodes.append(node)
    case .concatenation:
      let target = result.tensors[node.outputs[0]].quantization
      for position in node.inputs.indices { try quantizeConstant(&node, position, as: target) }
      result.nodes.append(node)
    case .unary(let function) where function.isGated && roles.roles[node.inputs[0] ?? 0].isWide:
      result.nodes.append(node)
    case .binary(.multiply, _), .binary(.subtract, _):
      try quantizeConstants(&node)
      result.nodes.append(node)
    default:
      try quantizeConstants(&node)
      for position in node.inputs.indices { narrow(&node, position) }
      result.nodes.append(node)
    }
  }

  /// Scores and what hides some of them have no scale in common.
  private func refuseMask(_ node: Node) throws {
    guard let scores = node.inputs[0], calibration[scores].minimum <= -GraphEditor.hidingSummand else { return }
    throw PackError(
      .unsupported,
      "\(node.origin): some of its scores are masked, down to \(calibration[scores].minimum), and nothing is left of the "
        + "others in 8 bits; a mask must be part of an attention: softmax(query * key^T + mask) * value with a mask "
        + "that hides later keys, or keys by a constant or integer input of the model")
  }

  /// A sum; where one operand is an accumulator, the product that it belongs to.
  private mutating func emitAddition(_ node: Node, _ activation: Activation) throws {
    guard let product = roles.fusedProduct(node), roles.roles[product] == .accumulator,
      let producer = graph.nodes.first(where: { $0.outputs.contains(product) })
    else {
      var node = node
      try quantizeConstants(&node)
      if !roles.roles[node.outputs[0]].isWide {
        for position in node.inputs.indices { narrow(&node, position) }
      }
      result.nodes.append(node)
      return
    }
    var sum = node
    try quantizeConstants(&sum)
    let residual = sum.inputs[0] == product ? sum.inputs[1] : sum.inputs[0]
    var fused = producer
    fused.inputs += Array(repeating: nil, count: 3 - fused.inputs.count)
    fused.inputs.append(residual)
    fused.outputs = node.outputs
    try emitProduct(fused)
  }

  /// An operand of 16 bits in 8, for operators that take no more.
  private mutating func narrow(_ node: inout Node, _ position: Int) {
    guard let id = node.inputs[position], result.tensors[id].type == .int16, !result.tensors[id].isConstant else { return }
    if narrowed[id] == nil {
      let copy = result.add(
        Tensor(
          name: result.tensors[id].name + " (int8)", shape: result.tensors[id].shape, type: .int8,
          quantization: scales.narrow(id)))
      result.nodes.append(Node(.requantize, inputs: [id], outputs: [copy], origin: node.origin))
      narrowed[id] = copy
    }
    node.inputs[position] = narrowed[id]
  }

  /// The scale of an attention's scores as int8, from the largest that its queries and keys allow.
  private func scoreScale(_ node: Node) throws -> Double {
    guard let largest = scales.largestScores[node.outputs[0]] else {
      throw PackError(.malformed, "\(node.origin): calibration has not seen its scores")
    }
    return max(largest, 1e-6) / 127
  }

  // MARK: Constants

  private mutating func quantizeConstants(_ node: inout Node) throws {
    for position in node.inputs.indices {
      try quantizeConstant(&node, position, as: nil)
    }
  }

  /// A real constant that a node computes with, on a grid of its own or on a given one.
  private mutating func quantizeConstant(
    _ node: inout Node, _ position: Int, as grid: Quantization?
  ) throws {
    guard let id = node.inputs[position], graph.tensors[id].isConstant, graph.tensors[id].type == .float32 else { return }
    let tensor = graph.tensors[id]
    if case .gather = node.operation, position == 0, tensor.shape.count == 2 {
      node.inputs[position] = try weightConstant(id, channelAxis: 0)
      return
    }
    let reals = try tensor.reals()
    let isWide = roles.roles[node.outputs[0]].isWide
    let largest = reals.reduce(0) { max($0, $1.magnitude) }
    let steps = isWide ? 32_767.0 : 127
    let quantization = grid ?? Quantization(scale: largest > 0 ? largest / steps : 1 / steps, zeroPoint: 0)
    let type: DataType = isWide ? .int16 : .int8
    var constant = tensor
    constant.type = type
    constant.quantization = quantization
    constant.data = Tensor.data(
      of: reals.map { real in
        let code = (real / quantization.scales[0] + 0.5).rounded(.down) + Double(quantization.zeroPoints[0])
        return Int(min(max(code, isWide ? -32_768 : -128), isWide ? 32_767 : 127))
      }, bytes: type.bytes)
    node.inputs[position] = result.add(constant)
  }

  private var weightConstants: [Graph.TensorID: Graph.TensorID] = [:]

  /// Weights as int8 with a scale for each channel; one constant however many nodes share it.
  private mutating func weightConstant(_ id: Graph.TensorID, channelAxis axis: Int) throws -> Graph.TensorID {
    if let known = weightConstants[id] { return known }
    let tensor = graph.tensors[id]
    let stride = tensor.shape[(axis + 1)...].reduce(1, *)
    let channels = tensor.shape[axis]
    let largestSum = wideWeights.contains(id) ? TensorRoles.largestWeightSum : .infinity
    let weights = QuantizedWeights(try tensor.reals(), channels: channels, largestSum: largestSum) {
      $0 / stride % channels
    }
    var constant = tensor
    constant.type = .int8
    constant.quantization = Quantization(
      scales: weights.scales, zeroPoints: weights.scales.map { _ in 0 }, axis: axis)
    constant.data = weights.codes.map { UInt8(bitPattern: $0) }
    let index = result.add(constant)
    weightConstants[id] = index
    return index
  }

  private var roundedConstants: [Graph.TensorID: Graph.TensorID] = [:]

  /// Weights [channels, ...] of a product in the format that the options give them; int8 where operators take no other.
  private mutating func productWeights(_ id: Graph.TensorID, _ node: Node, channelAxis axis: Int) throws -> Graph.TensorID {
    let (tensor, format) = (graph.tensors[id], formats(node))
    if format.bits == 8 || axis != 0 { return try weightConstant(id, channelAxis: axis) }
    if let known = roundedConstants[id] { return known }
    let channels = tensor.shape[0]
    let depth = tensor.elementCount / channels
    var rounded = try layers[id]?.weights ?? RoundedWeights.nearest(try tensor.reals(), channels: channels, format)
    if wideWeights.contains(id) { rounded.lift = 1 }
    var constant = tensor
    constant.type = .int16
    constant.quantization = Quantization(
      scales: (0..<channels).map(rounded.unit), zeroPoints: [Int](repeating: 0, count: channels))
    constant.data = Tensor.data(of: (0..<channels * depth).map { rounded.integer($0 / depth, $0 % depth) }, bytes: 2)
    constant.rounded = rounded
    let index = result.add(constant)
    roundedConstants[id] = index
    return index
  }

  // MARK: Matrix products

  /// Inputs: input, weights, bias?, residual?
  private mutating func emitProduct(_ node: Node) throws {
    var node = node
    guard let weights = node.inputs[1], graph.tensors[weights].isConstant else {
      for position in [0, 1] { narrow(&node, position) }
      result.nodes.append(node)
      return
    }
    if !roles.readsWide(node) { narrow(&node, 0) }
    let axis = if case .depthwiseConvolution = node.operation { 3 } else { 0 }
    let index = try productWeights(weights, node, channelAxis: axis)
    node.inputs[1] = index
    guard let input = node.inputs[0], let inputScale = result.tensors[input].quantization?.scales[0],
      let weightScales = result.tensors[index].quantization?.scales
    else { throw PackError(.malformed, "\(node.origin): its input has no scale") }
    let bias = try correctedBias(node, weights, index, axis)
    let codes = try zip(bias, weightScales).map { real, scale -> Int in
      let code = (real / (inputScale * scale) + 0.5).rounded(.down)
      guard code.magnitude < 0x1p31 else {
        throw PackError(.unsupported, "\(node.origin): a bias of \(real) does not fit 32 bits of its layer's steps")
      }
      return Int(code)
    }
    let name = node.inputs.count > 2 ? node.inputs[2].map { graph.tensors[$0].name } : nil
    let constant = result.add(
      Tensor(
        name: name ?? "\(graph.tensors[weights].name), bias", shape: [codes.count], type: .int32,
        quantization: Quantization(
          scales: weightScales.map { $0 * inputScale }, zeroPoints: codes.map { _ in 0 }),
        data: Tensor.data(of: codes, bytes: 4)))
    if node.inputs.count > 2 { node.inputs[2] = constant } else { node.inputs.append(constant) }
    result.nodes.append(node)
  }

  /// The bias, and what rounding the weights takes from the outputs on average.
  private func correctedBias(
    _ node: Node, _ weights: Graph.TensorID, _ quantized: Graph.TensorID, _ axis: Int
  ) throws -> [Double] {
    let shape = graph.tensors[weights].shape
    let channels = shape[axis]
    var bias = [Double](repeating: 0, count: channels)
    if node.inputs.count > 2, let id = node.inputs[2] { bias = try graph.tensors[id].reals() }
    guard bias.count == channels else {
      throw PackError(.malformed, "\(node.origin): \(bias.count) biases for \(channels) channels")
    }
    if let layer = layers[weights], layer.input == sourceOfInput(node), let correction = layer.biasCorrection {
      bias = zip(bias, correction).map { $0 + $1 }
      // It holds what rounding to few bits takes away, but not what rounding to 8 does.
      if result.tensors[quantized].rounded != nil { return bias }
    }
    return try meanCorrected(bias, node, weights, quantized, axis)
  }

  /// Adds to the bias what rounding takes from the weights times the mean of each input.
  private func meanCorrected(
    _ bias: [Double], _ node: Node, _ weights: Graph.TensorID, _ quantized: Graph.TensorID, _ axis: Int
  ) throws -> [Double] {
    var bias = bias
    let shape = graph.tensors[weights].shape
    let channels = shape[axis]
    guard options.correctsBias, let source = sourceOfInput(node) else { return bias }
    let means = calibration[source].channelMean
    let inner = shape[3 - (4 - shape.count)]
    guard !means.isEmpty, axis == 3 || means.count == inner else { return bias }
    let reals = try graph.tensors[weights].reals()
    let codes = try result.tensors[quantized].integers()
    let scales = result.tensors[quantized].quantization!.scales
    let stride = shape[(axis + 1)...].reduce(1, *)
    let multiplier = axis == 3 ? max(channels / means.count, 1) : 1
    for index in reals.indices {
      let channel = index / stride % channels
      let mean = axis == 3 ? means[channel / multiplier] : means[index % inner]
      bias[channel] += (reals[index] - Double(codes[index]) * scales[channel]) * mean
    }
    return bias
  }

  /// The float graph's tensor behind a product's input.
  private func sourceOfInput(_ node: Node) -> Graph.TensorID? {
    guard let id = node.inputs[0] else { return nil }
    if id < graph.tensors.count { return id }
    return narrowed.first { $0.value == id }?.key
  }
}
