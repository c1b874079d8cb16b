import Testing

@testable import AbacusPack

@Suite struct FloatEvaluatorTests {
  /// out = relu(in) + constant, with the sum of it as a second output.
  private static func chain() -> Graph {
    var graph = Graph()
    func add(_ name: String, _ shape: [Int], _ data: [UInt8]? = nil) -> Graph.TensorID {
      graph.add(Tensor(name: name, shape: shape, type: .float32, data: data))
    }
    let input = add("in", [3])
    let one = add("one", [1], [0, 0, 0x80, 0x3F])
    let (positive, sum, total) = (add("positive", [3]), add("sum", [3]), add("total", [1]))
    graph.nodes = [
      Node(.unary(.relu), inputs: [input], outputs: [positive], origin: "first"),
      Node(.binary(.add, .none), inputs: [positive, one], outputs: [sum], origin: "second"),
      Node(.reduce(.sum, axes: [0]), inputs: [sum], outputs: [total], origin: "third"),
    ]
    (graph.inputs, graph.outputs) = ([input], [sum, total])
    return graph
  }

  private static let sample = FloatTensor(shape: [3], values: [-5, 2, 3])

  @Test func outputsComeInTheirOrder() throws {
    let outputs = try FloatEvaluator(Self.chain()).evaluate([Self.sample])
    #expect(outputs == [.init(shape: [3], values: [1, 3, 4]), .init(shape: [1], values: [8])])
  }

  @Test func everyTensorIsObservedOnce() throws {
    var seen: [(Graph.TensorID, FloatTensor)] = []
    _ = try FloatEvaluator(Self.chain()).evaluate([Self.sample]) { seen.append(($0, $1)) }
    #expect(seen.map(\.0) == [0, 2, 3, 4])
    #expect(seen.map(\.1.values) == [[-5, 2, 3], [0, 2, 3], [1, 3, 4], [8]])
  }

  /// Inputs and constants may be outputs, too, and an output may be read again.
  @Test func outputsThatNoNodeWrites() throws {
    var graph = Self.chain()
    graph.outputs = [1, 0, 3, 3]
    let outputs = try FloatEvaluator(graph).evaluate([Self.sample])
    #expect(outputs.map(\.values) == [[1], [-5, 2, 3], [1, 3, 4], [1, 3, 4]])
  }

  /// A sample's shape may differ, its number of elements may not.
  @Test func samplesAreChecked() throws {
    let evaluator = try FloatEvaluator(Self.chain())
    let flat = FloatTensor(shape: [1, 3, 1], values: [1, 2, 3])
    #expect(try evaluator.evaluate([flat])[1].values == [9])
    for samples in [[], [flat, flat], [FloatTensor(shape: [2], values: [1, 2])]] {
      let error = #expect(throws: PackError.self) { _ = try evaluator.evaluate(samples) }
      #expect(error?.kind == .file)
    }
  }

  // MARK: Constants

  @Test(arguments: [
    (DataType.float32, [0x00, 0x00, 0xC0, 0xBF, 0, 0, 0, 0x40], [-1.5, 2] as [Float]),
    (.float16, [0x00, 0xBE, 0x00, 0x40], [-1.5, 2]),
    (.float64, [0, 0, 0, 0, 0, 0, 0xF8, 0xBF, 0, 0, 0, 0, 0, 0, 0, 0x40], [-1.5, 2]),
    (.int8, [0xFE, 3], [-2, 3]), (.int4, [0xFE, 3], [-2, 3]), (.uint8, [0xFE, 3], [254, 3]),
    (.bool, [1, 0], [1, 0]), (.int16, [0xFE, 0xFF, 3, 1], [-2, 259]),
    (.int32, [0xFE, 0xFF, 0xFF, 0xFF, 3, 0, 0, 0], [-2, 3]),
    (.int64, [0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 3, 0, 0, 0, 0, 0, 0, 0], [-2, 3]),
  ]) func constantsOfEveryType(_ type: DataType, _ bytes: [UInt8], _ values: [Float]) throws {
    #expect(try Tensor(name: "c", shape: [2], type: type, data: bytes).realValues() == values)
  }

  @Test func quantisedConstantsAreReal() throws {
    let byChannel = Tensor(
      name: "c", shape: [2, 2, 2], type: .int8,
      quantization: Quantization(scales: [0.5, 2], zeroPoints: [1, 0], axis: 1),
      data: [1, 2, 3, 4, 5, 6, 7, 0xFF])
    #expect(try byChannel.realValues() == [0, 0.5, 6, 8, 2, 2.5, 14, -2])
  }

  @Test func malformedConstants() {
    var tensor = Tensor(name: "c", shape: [3], type: .int8, data: [1, 2])
    #expect(throws: PackError.self) { _ = try tensor.realValues() }
    tensor.shape = [2]
    for quantization in [
      Quantization(scales: [1, 2, 3], zeroPoints: [0, 0, 0]), Quantization(scales: [1, 2], zeroPoints: [0]),
      Quantization(scales: [1, 2], zeroPoints: [0, 0], axis: 5), Quantization(scales: [], zeroPoints: []),
    ] {
      tensor.quantization = quantization
      #expect(throws: PackError.self, "\(quantization)") { _ = try tensor.realValues() }
    }
  }

  // MARK: Malformed graphs

  /// Whatever does not fit is an error that names the node, never a trap.
  @Test func malformedNodes() {
    let window = WindowAttributes(size: [3, 3])
    let attention = AttentionAttributes(heads: 2, keyValueHeads: 2, scale: 1, isCausal: false)
    func expectRefusal(_ operation: Operation, _ inputs: [[Int]], _ output: [Int]) {
      var test = FloatCase(seed: 1)
      for shape in inputs { test.input(shape) }
      let error = #expect(throws: PackError.self, "\(operation) of \(inputs)") {
        _ = try test.evaluate(operation, output)
      }
      #expect(error?.description.contains("the node") == true, "\(String(describing: error))")
    }
    expectRefusal(.convolution(window, groups: 1, .none), [[1, 5, 5, 2], [4, 3, 3, 3]], [1, 3, 3, 4])
    expectRefusal(.convolution(window, groups: 0, .none), [[1, 5, 5, 2], [4, 3, 3, 2]], [1, 3, 3, 4])
    expectRefusal(.convolution(window, groups: 1, .none), [[1, 5, 5, 2], [4, 3, 3, 2]], [1, 4, 3, 4])
    expectRefusal(.convolution(window, groups: 1, .none), [[1, 5, 5, 2], [4, 3, 3, 2], [3]], [1, 3, 3, 4])
    expectRefusal(.convolution(window, groups: 1, .none), [[5, 5, 2], [4, 3, 3, 2]], [3, 3, 4])
    expectRefusal(
      .depthwiseConvolution(window, multiplier: 2, .none), [[1, 5, 5, 2], [1, 3, 3, 2]], [1, 3, 3, 2])
    expectRefusal(
      .depthwiseConvolution(window, multiplier: .max, .none), [[1, 5, 5, 2], [1, 3, 3, 2]], [1, 3, 3, 2])
    expectRefusal(.fullyConnected(.none), [[2, 3], [4, 2]], [2, 4])
    expectRefusal(.fullyConnected(.none), [[2, 3], [4, 3, 1]], [2, 4])
    expectRefusal(.fullyConnected(.none), [[2, 3]], [2, 4])
    expectRefusal(.matrixMultiply(transposeA: false, transposeB: false), [[2, 3], [2, 3]], [2, 3])
    expectRefusal(.matrixMultiply(transposeA: false, transposeB: false), [[3], [3, 2]], [2])
    expectRefusal(
      .matrixMultiply(transposeA: false, transposeB: false), [[2, 1, 3], [3, 3, 2]], [2, 1, 2])
    expectRefusal(.binary(.add, .none), [[2, 3], [2]], [2, 3])
    expectRefusal(.binary(.add, .none), [[2, 3], [3]], [3])
    expectRefusal(.binary(.add, .none), [[3]], [3])
    expectRefusal(.unary(.tanh), [[3]], [4])
    expectRefusal(.pool(.max, window, .none), [[1, 5, 5, 2]], [1, 3, 3, 1])
    expectRefusal(.reduce(.mean, axes: [2]), [[2, 3]], [2])
    expectRefusal(.reduce(.mean, axes: [1, 1]), [[2, 3]], [2])
    expectRefusal(.reduce(.mean, axes: [1]), [[2, 3]], [3])
    expectRefusal(.pad(before: [1], after: [1], value: nil, .constant), [[3]], [4])
    expectRefusal(.pad(before: [-1], after: [1], value: nil, .constant), [[3]], [3])
    expectRefusal(.pad(before: [.max], after: [1], value: nil, .constant), [[3]], [3])
    expectRefusal(.pad(before: [3], after: [0], value: nil, .reflect), [[3]], [6])
    expectRefusal(.reshape, [[3]], [4])
    expectRefusal(.concatenation(axis: 1, .none), [[3], [2]], [5])
    expectRefusal(.concatenation(axis: 0, .none), [[3], [2]], [6])
    expectRefusal(.slice(starts: [1], strides: [2]), [[3]], [2, 1])
    expectRefusal(.slice(starts: [1], strides: [2]), [[3]], [2])
    expectRefusal(.slice(starts: [.max], strides: [.max]), [[3]], [2])
    expectRefusal(.slice(starts: [0], strides: [.max]), [[3]], [3])
    expectRefusal(.transpose(permutation: [0, 0]), [[2, 2]], [2, 2])
    expectRefusal(.transpose(permutation: [1, 0]), [[2, 3]], [2, 3])
    expectRefusal(.gather(axis: 1, batchDimensions: 0), [[3], [1]], [1])
    expectRefusal(.gather(axis: 0, batchDimensions: 1), [[3], [1]], [1])
    expectRefusal(.gather(axis: 0, batchDimensions: 0), [[3], [2]], [3])
    expectRefusal(.layerNormalization(epsilon: 1e-5), [[2, 3], [2]], [2, 3])
    expectRefusal(.attention(attention), [[2, 4], [3, 4], [3, 3]], [2, 4])
    expectRefusal(.attention(attention), [[2, 4], [3, 4], [2, 4]], [2, 4])
    expectRefusal(.attention(attention), [[2, 4], [3, 4], [3, 4], [2]], [2, 4])
    expectRefusal(.attention(attention), [[2, 3], [3, 4], [3, 4]], [2, 4])
    expectRefusal(.rotary(RotaryAttributes(heads: 1, isInterleaved: false)), [[2, 3], [2, 1], [2, 1]], [2, 3])
    expectRefusal(.rotary(RotaryAttributes(heads: 1, isInterleaved: false)), [[2, 4], [1, 2], [1, 2]], [2, 4])
    expectRefusal(.rotary(RotaryAttributes(heads: 0, isInterleaved: false)), [[2, 4], [2, 2], [2, 2]], [2, 4])
  }

  @Test func malformedGraphs() {
    func expectRefusal(_ change: (inout Graph) -> Void, _ message: String) {
      var graph = Self.chain()
      change(&graph)
      let error = #expect(throws: PackError.self) { _ = try FloatEvaluator(graph) }
      #expect(error?.description.contains(message) == true, "\(String(describing: error))")
    }
    expectRefusal({ $0.nodes.swapAt(0, 1) }, "second: its input \"positive\" is neither constant nor")
    expectRefusal({ $0.nodes.removeLast() }, "nothing computes the output \"total\"")
    expectRefusal({ $0.nodes[0].outputs = [2, 3] }, "first: 2 outputs")
    expectRefusal({ $0.nodes[0].inputs = [nil] }, "first: input 0 is missing")
    expectRefusal({ $0.tensors[0].shape = [0] }, "tensor \"in\": shape [0]")
    expectRefusal({ $0.tensors[2].shape = [.max, 3] }, "tensor \"positive\": shape")
    expectRefusal({ $0.tensors[1].shape = [1 << 40, 1 << 40] }, "tensor \"one\": shape")
  }
}
