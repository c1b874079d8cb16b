/// From a float graph and samples to a blob: post-training quantisation as a whole.
public struct PostTraining: Sendable {
  public var quantize = QuantizeOptions()
  public var pack = PackOptions()
  /// Of pixels between 0 and 1, where the samples are images: one value, or one for each channel.
  public var pixels: PixelNormalization?
  /// Decode one token a run, with a cache of so many.
  public var context: Int?
  /// Of the samples, where these are a text.
  public var tokenizer: (any Tokenizer)?
  /// Samples to look at, spread over all that there are; nil for all.
  public var sampleLimit: Int?

  public init() {}

  /// Evaluates samples in float, chooses scales, and packs.
  ///
  /// - Parameter samples: a file or folder as ``SampleReader`` takes it.
  public func pack(_ graph: Graph, samples: String) throws -> PackedModel {
    let (graph, calibration) = try calibrate(graph, samples: samples)
    return try pack(try integers(graph, calibration))
  }

  /// The same for a graph that is prepared already, and samples in memory.
  ///
  /// - Parameter samples: the inputs of sample i; called for each i below `count`, several at a time.
  public func pack(
    _ prepared: Graph, count: Int, samples: @escaping @Sendable (Int) throws -> [FloatTensor]
  ) throws -> PackedModel {
    let (graph, calibration) = try calibrate(prepared, count: count, samples: samples)
    return try pack(try integers(graph, calibration))
  }

  /// Packs a model that is quantised already.
  ///
  /// Where it has activations of 16 bits, these stay in the operators that take them; keys and values of
  /// attentions get 8.
  ///
  /// - Throws: `PackError` naming a layer whose 16 bits would be lost.
  public func packAsItIs(_ graph: Graph) throws -> PackedModel {
    guard graph.hasWideActivations else { return try Packer.pack(graph, options: pack) }
    let stated = StatedRanges(graph)
    var form = CanonicalOptions()
    form.foldsNormalizationScale = false
    let float = try graph.dequantized().canonical(form).patchesAsProducts()
    var training = self
    training.quantize.wideTensors.formUnion(stated.wideTensors(of: float))
    training.quantize.headroom = 1
    let calibration = try stated.calibration(of: float, training.quantize)
    let integers = try training.integers(float, calibration)
    try stated.requireWidths(of: integers)
    return try training.pack(integers)
  }

  /// Packs what ``integers(_:_:)`` made.
  public func pack(_ integers: Graph) throws -> PackedModel { try Packer.pack(integers, options: packOptions) }

  /// Compares integers and floats on some of the samples.
  ///
  /// - Parameters:
  ///   - graph: the float graph as ``calibrate(_:samples:)`` returns it.
  ///   - integers: the same graph as integers, not as a decoder.
  public func report(_ graph: Graph, _ integers: Graph, samples path: String, count: Int) throws -> QuantizationReport {
    let reader = try SampleReader(path, inputs: graph.inputs.map { graph.tensors[$0] }, tokenizer: tokenizer)
    let count = min(count, reader.count)
    let samples = try (0..<count).map { index in
      zip(graph.inputs, try reader.sample(index * reader.count / count)).map {
        FloatTensor(shape: graph.tensors[$0].shape, values: $1)
      }
    }
    return try QuantizationReport(
      graph, integers, samples: samples, options: packOptions, progress: ProgressLine("comparing", total: count))
  }

  /// The graph in the form that is quantised, and what its tensors look like on samples.
  public func calibrate(
    _ graph: Graph, samples path: String
  ) throws -> (graph: Graph, calibration: Calibration) {
    let prepared = try prepare(graph)
    let samples = try self.samples(of: prepared, path)
    return try calibrate(prepared, count: samples.count, samples: samples.sample)
  }

  /// Samples of a prepared graph's inputs, as many as are to be looked at.
  ///
  /// - Parameter path: a file or folder as ``SampleReader`` takes it.
  public func samples(
    of prepared: Graph, _ path: String
  ) throws -> (count: Int, sample: @Sendable (Int) throws -> [FloatTensor]) {
    let reader = try SampleReader(path, inputs: prepared.inputs.map { prepared.tensors[$0] }, tokenizer: tokenizer)
    if pixels == nil, reader.isPixels.contains(true) {
      throw PackError(
        .file,
        "\(path): the samples are images; say with --mean and --deviation how the model wants pixels of 0...1 "
          + "normalised (0 and 1 where it takes them as they are)")
    }
    let count = min(sampleLimit ?? reader.count, reader.count)
    let shapes = prepared.inputs.map { prepared.tensors[$0].shape }
    return (count, { index in
      zip(shapes, try reader.sample(index * reader.count / count)).map { FloatTensor(shape: $0, values: $1) }
    })
  }

  /// What the tensors of a prepared graph look like on samples, and the graph equalised by it where
  /// that is asked for.
  ///
  /// - Parameter samples: the inputs of sample i; called for each i below `count`, several at a time.
  public func calibrate(
    _ prepared: Graph, count: Int, samples: @escaping @Sendable (Int) throws -> [FloatTensor]
  ) throws -> (graph: Graph, calibration: Calibration) {
    func observe(_ graph: Graph) throws -> Calibration {
      try Calibration(
        graph, samples: samples, count: count, progress: ProgressLine("calibrating", total: count),
        channelGroups: quantize.range == .minMax ? [:] : headGroups(graph),
        observesScores: quantize.arithmetic.softmax != .refined)
    }
    let calibration = try observe(prepared)
    guard let balance = quantize.equalization else { return (prepared, calibration) }
    let even = try Equalization.apply(prepared, calibration, balance: balance)
    return (even, try observe(even))
  }

  /// The canonical form, with what normalises pixels at its front.
  public func prepare(_ graph: Graph) throws -> Graph {
    let graph = graph.isQuantized ? try graph.dequantized() : graph
    return try (pixels.map { try graph.takingPixels($0) } ?? graph).canonical().patchesAsProducts().namingWeightsApart()
  }

  /// The graph of integers.
  public func integers(_ graph: Graph, _ calibration: Calibration) throws -> Graph {
    let quantized = try Quantizer.quantize(graph, calibration, options: quantize)
    return try context.map { try quantized.decoder(context: $0) } ?? quantized
  }

  /// Lowering must know the arithmetic that the quantiser has chosen scales for.
  private var packOptions: PackOptions {
    var options = pack
    options.arithmetic = quantize.arithmetic
    return options
  }

  /// Tensors that get a scale for each head.
  private func headGroups(_ graph: Graph) -> [Graph.TensorID: Int] {
    let roles = TensorRoles(graph, quantize).roles
    return Dictionary(
      uniqueKeysWithValues: roles.enumerated().compactMap { id, role in
        if case .heads(let heads, bits: 8) = role { (id, heads) } else { nil }
      })
  }
}

/// How a model wants its pixels: (pixel / 255 - mean) / deviation.
public struct PixelNormalization: Sendable, Equatable {
  public var mean: [Double]
  public var deviation: [Double]

  public init(mean: [Double], deviation: [Double]) {
    self.mean = mean
    self.deviation = deviation
  }
}

extension Graph {
  /// The same network with pixels, 0...255, as its input.
  func takingPixels(_ normalization: PixelNormalization) throws -> Graph {
    guard inputs.count == 1, tensors[inputs[0]].type == .float32 else {
      throw PackError(.file, "pixels can be normalised for models with one float input; this one has \(inputs.count) inputs")
    }
    let channels = tensors[inputs[0]].shape.last ?? 1
    func perChannel(_ values: [Double], _ what: String) throws -> [Double] {
      guard values.count == 1 || values.count == channels else {
        throw PackError(.file, "\(values.count) values for --\(what); the input has \(channels) channels")
      }
      return values.count == 1 ? Array(repeating: values[0], count: channels) : values
    }
    let deviations = try perChannel(normalization.deviation, "deviation")
    let means = try perChannel(normalization.mean, "mean")
    var result = self
    let normalized = inputs[0]
    var pixels = tensors[normalized]
    pixels.name = tensors[normalized].name
    func constant(_ name: String, _ values: [Double]) -> TensorID {
      result.add(
        Tensor(
          name: "\(pixels.name), \(name)", shape: [channels], type: .float32,
          data: values.flatMap { littleEndianBytes(Float($0)) }))
    }
    let scales = constant("scale of pixels", deviations.map { 1 / (255 * $0) })
    let shifts = constant("shift of pixels", zip(means, deviations).map { -$0 / $1 })
    let input = result.add(pixels)
    var scaled = pixels
    scaled.name += " (scaled)"
    let product = result.add(scaled)
    result.tensors[normalized].name += " (normalised)"
    result.inputs = [input]
    result.nodes.insert(
      contentsOf: [
        Node(.binary(.multiply, .none), inputs: [input, scales], outputs: [product], origin: "normalisation of pixels"),
        Node(.binary(.add, .none), inputs: [product, shifts], outputs: [normalized], origin: "normalisation of pixels"),
      ], at: 0)
    return result
  }
}
