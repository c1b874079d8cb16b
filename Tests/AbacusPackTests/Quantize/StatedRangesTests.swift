import AbacusRuntime
import Testing

@testable import AbacusPack

/// Models that others have quantised with activations of 16 bits.
@Suite struct StatedRangesTests {
  private let rows = 3
  private let width = 16

  /// x + W norm(x), with every tensor on a grid of 16 bits.
  private func block(seed: Int) -> FloatGraph {
    var float = FloatGraph(seed: seed)
    let x = float.input([1, rows, width])
    let scale = float.constant([width], (0..<width).map { 0.5 + Float($0) / 16 })
    let normalized = float.add(.layerNormalization(epsilon: 1e-6), [x, scale, float.constant([width])], [1, rows, width])
    let weights = float.constant([width, width])
    let product = float.add(.fullyConnected(.none), [normalized, weights, float.constant([width])], [1, rows, width])
    float.graph.outputs = [float.binary(.add, x, product)]
    return float
  }

  /// The same graph as integers with a range for each run-time tensor.
  private func stated(_ float: Graph, magnitude: Double, except unstated: Set<Graph.TensorID> = []) -> Graph {
    var graph = float
    for id in graph.tensors.indices where !graph.tensors[id].isConstant && !unstated.contains(id) {
      graph.tensors[id].type = .int16
      graph.tensors[id].quantization = Quantization(scale: magnitude / 32_767, zeroPoint: 0)
    }
    return graph
  }

  @Test(arguments: 0..<4) func sixteenBitsStay(_ seed: Int) throws {
    var float = block(seed: seed)
    let packed = try PostTraining().packAsItIs(stated(float.graph, magnitude: 24))
    let model = try Model(packed.blob)
    #expect(model.inputs[0].type == .int16 && model.outputs[0].type == .int16)
    #expect(abs(model.inputs[0].scale - 24 / 32_767) < 1e-9)
    let values = float.values(rows * width)
    let expected = try FloatEvaluator(float.graph).evaluate([FloatTensor(shape: [1, rows, width], values: values)])[0]
    let codes = values.map { Int((Double($0) / model.inputs[0].scale).rounded()) }
    let output = try model([model.inputs[0].type.bytes(of: codes)])[0]
    for (index, right) in expected.values.enumerated() {
      let code = Int16(bitPattern: UInt16(output[2 * index]) | UInt16(output[2 * index + 1]) << 8)
      // Weights have 8 bits; activations of 8 would be off by more than ten times as much.
      #expect(abs(Float(code) * Float(model.outputs[0].scale) - right) < 0.05, "element \(index)")
    }
  }

  @Test func withoutWideActivationsNothingChanges() throws {
    var graph = stated(block(seed: 1).graph, magnitude: 24)
    #expect(graph.hasWideActivations)
    for id in graph.tensors.indices where graph.tensors[id].quantization != nil {
      graph.tensors[id].type = .int8
      graph.tensors[id].quantization = Quantization(scale: 24.0 / 127, zeroPoint: 0)
    }
    #expect(!graph.hasWideActivations)
  }

  @Test func missingRangeIsNamed() throws {
    let float = block(seed: 2).graph
    let output = float.outputs[0]
    let error = #expect(throws: PackError.self) {
      try PostTraining().packAsItIs(stated(float, magnitude: 24, except: [output]))
    }
    #expect(error?.description.contains("no range for \"\(float.tensors[output].name)\"") == true, "\(String(describing: error))")
    #expect(error?.description.contains("--calibrate") == true)
  }

  /// A convolution takes 8 bits, and is not given less than the model says in silence.
  @Test func layerOfEightBitsIsRefused() throws {
    var float = FloatGraph(seed: 3)
    let x = float.input([1, 6, 6, 4])
    let window = WindowAttributes(size: [3, 3], strides: [1, 1], dilations: [1, 1], padBefore: [0, 0], padAfter: [0, 0])
    float.graph.outputs = [
      float.add(.convolution(window, groups: 1, .none), [x, float.constant([4, 3, 3, 4]), float.constant([4])], [1, 4, 4, 4])
    ]
    let error = #expect(throws: PackError.self) { try PostTraining().packAsItIs(stated(float.graph, magnitude: 4)) }
    #expect(error?.description.contains("takes activations of 8 bits") == true, "\(String(describing: error))")
  }
}
