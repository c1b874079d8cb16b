/// Models of one operator each, of many shapes, on which a board is measured. They are always the same.
struct CalibrationModels {
  private var random = SplitMix(state: 2309_01945)
  private(set) var graphs: [Graph] = []

  /// A run should not take longer than this in the emulator.
  private static let mostMultiplyAccumulates = 600_000

  init(perKind count: Int) {
    let formats: [WeightFormat] =
      [.int8]
      + [4, 2].flatMap { bits in
        [nil, 32].map { WeightFormat(bits: bits, grid: bits == 2 ? .odd : .symmetric, groupSize: $0) }
      }
    for format in formats {
      // Loops for 8 bits have the most forms.
      for _ in 0..<(format.bits == 8 ? 3 * count : count) {
        addFullyConnected(format)
        addConvolution(format, sizes: [[1, 1]], depths: [8, 16, 24, 32, 40, 64, 96, 128, 256], strides: [1])
        addConvolution(format, sizes: [[1, 1], [3, 3]], depths: [8, 16, 32, 64], strides: [1, 2])
        addConvolution(format, sizes: [[3, 3], [4, 4], [10, 4], [10, 8]], depths: [1, 3], strides: [1, 2])
      }
    }
    for _ in 0..<count {
      for _ in 0..<2 { addDepthwise() }
      addPool(.max)
      addPool(.average)
      addElementwise()
      addSoftmax()
      addReduction()
    }
  }

  // MARK: Operators

  private mutating func addFullyConnected(_ format: WeightFormat) {
    let rows = pick([1, 1, 1, 1, 2, 3, 4, 8, 50])
    // Few channels, or an odd number, have loops of their own.
    let isSmall = format.bits == 8 && random.next(below: 3) == 0
    let depth = isSmall ? pick([1, 8, 16, 20, 32, 64, 152, 320]) : pick([8, 16, 32, 64, 96, 100, 128, 256, 640])
    let channels = isSmall ? pick([1, 1, 1, 3, 5, 11, 25]) : channelCount(most: 640, work: rows * depth)
    var graph = Graph()
    let input = addInput([rows, depth], to: &graph)
    let weights = addWeights([channels, depth], format, axis: 0, to: &graph)
    add(.fullyConnected(.none), [input, weights], [rows, channels], scale: outputScale(depth), graph)
  }

  private mutating func addConvolution(_ format: WeightFormat, sizes: [[Int]], depths: [Int], strides: [Int]) {
    let size = pick(sizes), depth = pick(depths), stride = pick(strides)
    let (window, input, output) = window(size, stride: stride)
    let taps = size[0] * size[1] * depth
    let channels = channelCount(most: 256, work: output[0] * output[1] * taps)
    var graph = Graph()
    let source = addInput([1] + input + [depth], to: &graph)
    let weights = addWeights([channels] + size + [depth], format, axis: 0, to: &graph)
    add(
      .convolution(window, groups: 1, .relu), [source, weights], [1] + output + [channels], scale: outputScale(taps),
      zeroPoint: reluZeroPoint(), graph)
  }

  private mutating func addDepthwise() {
    let size = pick([[3, 3], [3, 3], [3, 3], [3, 1], [5, 1], [10, 1], [15, 1]])
    let isColumn = size[1] == 1
    let channels = pick([8, 16, 32, 40, 64, 96, 128, 256])
    let (window, input, output) = isColumn ? column(size[0]) : window(size, stride: pick([1, 1, 2]))
    guard output[0] * output[1] * channels * size[0] * size[1] <= Self.mostMultiplyAccumulates else { return }
    var graph = Graph()
    let source = addInput([1] + input + [channels], to: &graph)
    let weights = addWeights([1] + size + [channels], .int8, axis: 3, to: &graph)
    add(
      .depthwiseConvolution(window, multiplier: 1, .relu), [source, weights], [1] + output + [channels],
      scale: outputScale(size[0] * size[1]), zeroPoint: reluZeroPoint(), graph)
  }

  private mutating func addPool(_ kind: PoolKind) {
    let channels = pick([4, 8, 16, 32, 64, 96, 256]), extent = pick([2, 3, 4, 7, 8])
    let output = kind == .max ? [random.next(below: 8) + 1, random.next(below: 14) + 1] : [1, 1]
    let size = kind == .max ? [2, 2] : [extent, pick([extent, 5])]
    var graph = Graph()
    let source = addInput([1, output[0] * size[0], output[1] * size[1], channels], to: &graph)
    let window = WindowAttributes(size: size, strides: size)
    add(.pool(kind, window, .none), [source], [1] + output + [channels], scale: Self.inputScale, graph)
  }

  private mutating func addElementwise() {
    let shape = [1, random.next(below: 12) + 1, random.next(below: 12) + 1, pick([8, 16, 32, 64])]
    for function in [BinaryFunction.add, .multiply, .squaredDifference] {
      var graph = Graph()
      let inputs = [addInput(shape, to: &graph), addInput(shape, to: &graph)]
      add(.binary(function, .none), inputs, shape, scale: 0.07, graph)
    }
    var graph = Graph()
    let source = addInput(shape, to: &graph)
    add(.unary(.tanh), [source], shape, scale: 1 / 128, graph)
  }

  private mutating func addSoftmax() {
    let shape = [pick([1, 1, 1, 3, 10]), random.next(below: 60) + 2]
    var graph = Graph()
    let source = addInput(shape, to: &graph)
    add(.softmax(beta: 1), [source], shape, scale: 1 / 256, zeroPoint: -128, graph)
  }

  private mutating func addReduction() {
    let (extent, channels) = (random.next(below: 8) + 1, pick([8, 16, 32, 64]))
    var graph = Graph()
    let source = addInput([1, extent, extent, channels], to: &graph)
    add(.reduce(.mean, axes: [1, 2]), [source], [1, channels], scale: Self.inputScale, graph)
  }

  // MARK: Shapes

  /// A square image with a window that keeps its extents, or halves them.
  private mutating func window(_ size: [Int], stride: Int) -> (WindowAttributes, input: [Int], output: [Int]) {
    let output = [random.next(below: 14) + 2, random.next(below: 14) + 2]
    let isPadded = size != [1, 1] && random.next(below: 4) > 0
    let padding = isPadded ? size.map { ($0 - 1) / 2 } : [0, 0]
    let after = isPadded ? zip(size, padding).map { $0 - 1 - $1 } : [0, 0]
    let input = (0..<2).map { (output[$0] - 1) * stride + size[$0] - padding[$0] - after[$0] }
    let attributes = WindowAttributes(size: size, strides: [stride, stride], padBefore: padding, padAfter: after)
    return (attributes, input, output)
  }

  /// A window over time, of a signal that has one column.
  private mutating func column(_ length: Int) -> (WindowAttributes, input: [Int], output: [Int]) {
    let count = pick([1, 4, 15, 24, 28])
    return (WindowAttributes(size: [length, 1]), [count + length - 1, 1], [count, 1])
  }

  /// As many channels as keep the work in bounds, an even number but for one in eight.
  private mutating func channelCount(most: Int, work: Int) -> Int {
    let choices = [2, 4, 8, 10, 12, 16, 32, 64, 96, 128, 256, 640].filter {
      $0 <= most && ($0 * work <= Self.mostMultiplyAccumulates || $0 == 2)
    }
    return pick(choices) - (random.next(below: 8) == 0 ? 1 : 0)
  }

  /// Of a result that is not negative: as a rule the least code, which makes a clamp needless.
  private mutating func reluZeroPoint() -> Int { random.next(below: 4) == 0 ? 0 : -128 }

  private mutating func pick<Element>(_ choices: [Element]) -> Element { choices[random.next(below: choices.count)] }

  // MARK: Tensors

  private static let inputScale = 0.05, weightScale = 0.02

  /// Spreads the results of sums of so many products.
  private func outputScale(_ depth: Int) -> Double {
    Self.inputScale * Self.weightScale * Double(depth).squareRoot() * 80
  }

  private func addInput(_ shape: [Int], to graph: inout Graph) -> Graph.TensorID {
    let id = graph.add(
      Tensor(
        name: "input \(graph.inputs.count)", shape: shape, type: .int8,
        quantization: Quantization(scale: Self.inputScale, zeroPoint: -3)))
    graph.inputs.append(id)
    return id
  }

  private mutating func addWeights(
    _ shape: [Int], _ format: WeightFormat, axis: Int, to graph: inout Graph
  ) -> Graph.TensorID {
    let channels = shape[axis], count = shape.reduce(1, *)
    if format.bits < 8 {
      let reals = (0..<count).map { _ in (random.nextFraction() - 0.5) * 250 * Self.weightScale }
      let rounded = RoundedWeights.nearest(reals, channels: channels, format)
      var tensor = Tensor(
        name: "weights", shape: shape, type: .int16,
        quantization: Quantization(
          scales: (0..<channels).map(rounded.unit), zeroPoints: [Int](repeating: 0, count: channels)),
        data: Tensor.data(of: (0..<count).map { rounded.integer($0 / rounded.depth, $0 % rounded.depth) }, bytes: 2))
      tensor.rounded = rounded
      return graph.add(tensor)
    }
    let scales = (0..<channels).map { _ in Self.weightScale * (0.5 + random.nextFraction()) }
    let data = (0..<count).map { _ in UInt8(bitPattern: Int8(random.next(below: 255) - 127)) }
    return graph.add(
      Tensor(
        name: "weights", shape: shape, type: .int8,
        quantization: Quantization(scales: scales, zeroPoints: scales.map { _ in 0 }, axis: axis), data: data))
  }

  /// Ends a model with its only node.
  private mutating func add(
    _ operation: Operation, _ inputs: [Graph.TensorID], _ shape: [Int], scale: Double, zeroPoint: Int = 0, _ graph: Graph
  ) {
    var graph = graph
    let output = graph.add(
      Tensor(name: "output", shape: shape, type: .int8, quantization: Quantization(scale: scale, zeroPoint: zeroPoint)))
    graph.nodes = [Node(operation, inputs: inputs, outputs: [output], origin: "calibration model \(graphs.count)")]
    graph.outputs = [output]
    graphs.append(graph)
  }
}
