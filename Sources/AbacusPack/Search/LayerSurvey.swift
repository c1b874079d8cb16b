// What the search knows of each layer before it begins: which formats it takes, what they cost, and what they do to the outputs.

extension WidthSearch {
  /// Samples on which the effect of single layers is measured.
  private static let sensitivitySamples = 48

  /// The layers of a graph whose weights can have fewer than 8 bits.
  static func layers(
    _ training: PostTraining, _ graph: Graph, _ calibration: Calibration, _ emulator: Emulator?
  ) throws -> [SearchedLayer] {
    let biased = graph.givingLayersBiases()
    let roles = TensorRoles(biased, training.quantize, calibration)
    var layers: [SearchedLayer] = []
    for node in biased.nodes {
      guard let rows = ProductRows(node, biased), let id = node.inputs[1], !layers.contains(where: { $0.id == id }) else { continue }
      var options = training.quantize
      let takesFew = formats.filter { format in
        options.weightFormat = format
        return ProductFormats(biased, roles, options)(node) == format && rows.depth >= 16
      }
      guard takesFew.count > 1 else { continue }
      layers.append(
        SearchedLayer(
          name: biased.tensors[id].name, id: id,
          choices: takesFew.map { SearchedLayer.Choice(format: $0, noise: 0, bytes: 0, instructions: 0) }))
    }
    guard !layers.isEmpty else {
      throw PackError(.unsupported, "no layer of the model takes weights of fewer than 8 bits, so there is nothing to search")
    }
    try addCosts(&layers, training, graph, calibration, emulator)
    try addNoise(&layers, training, biased, calibration)
    return layers
  }

  private static func addCosts(
    _ layers: inout [SearchedLayer], _ training: PostTraining, _ graph: Graph, _ calibration: Calibration, _ emulator: Emulator?
  ) throws {
    let progress = ProgressLine("measuring costs", total: formats.count)
    for (index, format) in formats.enumerated() {
      var training = training
      training.quantize.weightFormat = format
      training.quantize.rounding = .nearest
      let costs = try FormatCosts(try training.pack(try training.integers(graph, calibration)), emulator)
      for layer in layers.indices {
        guard let choice = layers[layer].choices.firstIndex(where: { $0.format == format }) else { continue }
        guard let bytes = costs.bytes[layers[layer].name] else {
          throw PackError(.unsupported, "\"\(layers[layer].name)\" is not among the weights of the packed model")
        }
        layers[layer].choices[choice].bytes = bytes
        layers[layer].choices[choice].instructions = costs.instructions[layers[layer].name] ?? 0
      }
      progress.advance(to: index + 1)
    }
  }

  private static func addNoise(
    _ layers: inout [SearchedLayer], _ training: PostTraining, _ graph: Graph, _ calibration: Calibration
  ) throws {
    guard let source = calibration.samples else { return }
    let count = min(sensitivitySamples, source.count)
    let samples = try (0..<count).map { try source.sample($0 * source.count / count) }
    var ways: [Graph.TensorID: [Sensitivity.Rounded]] = [:]
    for format in formats {
      let rounded = try roundedAlone(format, layers, training, graph, calibration)
      for (id, way) in rounded { ways[id, default: []].append(way) }
    }
    let progress = ProgressLine("measuring layers", total: layers.count)
    let noise = try Sensitivity(graph, samples: samples).noise(ways, progress: progress)
    for layer in layers.indices {
      for choice in layers[layer].choices.indices { layers[layer].choices[choice].noise = noise[layers[layer].id]?[choice] ?? 0 }
    }
  }

  /// The weights and biases of all layers that take a format, each rounded with the inputs that it has in float.
  private static func roundedAlone(
    _ format: WeightFormat, _ layers: [SearchedLayer], _ training: PostTraining, _ graph: Graph, _ calibration: Calibration
  ) throws -> [Graph.TensorID: Sensitivity.Rounded] {
    var options = training.quantize
    options.weightFormat = format
    options.weightFormats = [:]
    options.keepsEnds = false
    options.rounding = .alternating
    let roles = TensorRoles(graph, options, calibration)
    let solved = try LayerRounding.solve(graph, calibration, roles, SharedScales(graph, roles, calibration, options), options)
    var result: [Graph.TensorID: Sensitivity.Rounded] = [:]
    for layer in layers where layer.choices.contains(where: { $0.format == format }) {
      guard let node = graph.nodes.first(where: { $0.inputs.count > 2 && $0.inputs[1] == layer.id }), let bias = node.inputs[2] else { continue }
      let (weights, biases) = (try graph.tensors[layer.id].reals(), try graph.tensors[bias].reals())
      let channels = biases.count
      let depth = weights.count / channels
      let dequantized: [Float]
      if let rounded = solved[layer.id]?.weights {
        dequantized = rounded.reals
      } else {
        let codes = QuantizedWeights(weights, channels: channels) { $0 / depth }
        dequantized = codes.codes.enumerated().map { Float(Double($1) * codes.scales[$0 / depth]) }
      }
      let correction = solved[layer.id]?.biasCorrection ?? biases.map { _ in 0 }
      result[layer.id] = (dequantized, zip(biases, correction).map { Float($0 + $1) })
    }
    return result
  }
}
