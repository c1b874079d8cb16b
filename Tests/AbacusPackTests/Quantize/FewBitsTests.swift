import AbacusRuntime
import Testing

@testable import AbacusPack

/// Float models whose weights become codes of 4 and 2 bits.
@Suite struct FewBitsTests {
  /// Two layers; the rows of the first have inputs that depend on each other, so that errors can make up for each other.
  private struct Network {
    var float = FloatGraph(seed: 3)
    let samples: [[Float]]
    var training = PostTraining()

    init() {
      let x = float.input([1, 4, 48])
      let hidden = float.add(
        .fullyConnected(.relu), [x, float.constant([32, 48]), float.constant([32])], [1, 4, 32])
      let output = float.add(.fullyConnected(.none), [hidden, float.constant([8, 32]), nil], [1, 4, 8])
      float.graph.outputs = [output]
      var samples: [[Float]] = []
      for _ in 0..<24 {
        var sample: [Float] = []
        for _ in 0..<4 {
          let causes = float.values(8)
          sample += (0..<48).map { k in causes[k % 8] + 0.5 * causes[(k / 7) % 8] }
        }
        samples.append(sample)
      }
      self.samples = samples
    }

    func pack() throws -> PackedModel {
      try training.pack(try training.prepare(float.graph), count: samples.count) { [samples] in
        [FloatTensor(shape: [1, 4, 48], values: samples[$0])]
      }
    }

    /// Mean squared error of the outputs, in steps of the output's scale.
    func error(_ packed: PackedModel) throws -> Double {
      let evaluator = try FloatEvaluator(float.graph)
      let model = try Model(packed.blob)
      var sum = 0.0
      for sample in samples {
        let wanted = try evaluator.evaluate([FloatTensor(shape: [1, 4, 48], values: sample)])[0].values
        let input = model.inputs[0]
        let codes = sample.map { value in
          min(max(Int((Double(value) / input.scale).rounded()) + input.zeroPoint, -128), 127)
        }
        let output = try model([input.type.bytes(of: codes)])[0]
        for (real, code) in zip(wanted, model.outputs[0].type.codes(of: output)) {
          let difference = Double(real) / model.outputs[0].scale - Double(code - model.outputs[0].zeroPoint)
          sum += difference * difference
        }
      }
      return sum / Double(samples.count * 32)
    }
  }

  static let formats = [
    WeightFormat(bits: 4, grid: .symmetric), WeightFormat(bits: 4, grid: .symmetric, groupSize: 16),
    WeightFormat(bits: 2, grid: .odd, groupSize: 16), WeightFormat(bits: 2, grid: .offset, groupSize: 16),
  ]

  /// What calibration saw makes better weights than rounding to the nearest.
  @Test(arguments: formats) func calibrationHelps(format: WeightFormat) throws {
    var network = Network()
    network.training.quantize.weightFormat = format
    var errors: [RoundingMethod: Double] = [:]
    for method in RoundingMethod.allCases {
      network.training.quantize.rounding = method
      let packed = try network.pack()
      #expect(packed.planned.program.steps.map(\.opcode) == [.codedProject, .codedProject])
      errors[method] = try network.error(packed)
    }
    #expect(errors[.compensated]! < errors[.nearest]! * 0.8 && errors[.alternating]! < errors[.nearest]! * 0.8, "\(errors)")
  }

  /// Flash falls with the bits, and the accuracy of weights that keep 8 bits stays.
  @Test func namedWeightsKeepEightBits() throws {
    var network = Network()
    let whole = try network.pack().blob.count
    network.training.quantize.weightFormat = Self.formats[0]
    let coded = try network.pack()
    #expect(coded.blob.count < whole)
    let weights = network.float.graph.nodes.map { network.float.graph.tensors[$0.inputs[1]!].name }
    network.training.quantize.weightFormats = [weights[1]: .int8]
    let mixed = try network.pack()
    #expect(mixed.planned.program.steps.map(\.opcode) == [.codedProject, .fullyConnected])
    #expect(try network.error(mixed) <= network.error(coded))
  }

  /// Nothing is solved for where nothing has few bits, or where each weight goes to the nearest.
  @Test func onlyWhatHasFewBitsIsSolvedFor() throws {
    let network = Network()
    let graph = network.float.graph
    let calibration = try Calibration(
      graph, samples: { [samples = network.samples] in [FloatTensor(shape: [1, 4, 48], values: samples[$0])] }, count: 4)
    func solved(_ options: QuantizeOptions) throws -> [Graph.TensorID: LayerRounding.Layer] {
      let roles = TensorRoles(graph, options, calibration)
      return try LayerRounding.solve(graph, calibration, roles, SharedScales(graph, roles, calibration, options), options)
    }
    var options = QuantizeOptions()
    #expect(try solved(options).isEmpty)
    options.weightFormat = Self.formats[0]
    #expect(try solved(options).keys.sorted() == graph.nodes.map { $0.inputs[1]! })
    options.rounding = .nearest
    #expect(try solved(options).isEmpty)
  }

  /// The ends of a network keep 8 bits where that is asked for, unless they are named.
  @Test func endsKeepEightBits() throws {
    var network = Network()
    network.training.quantize.weightFormat = Self.formats[0]
    network.training.quantize.keepsEnds = true
    let weights = network.float.graph.nodes.map { $0.inputs[1]! }
    #expect(network.float.graph.weightsAtEnds == Set(weights))
    #expect(try network.pack().planned.program.steps.map(\.opcode) == [.fullyConnected, .fullyConnected])
    network.training.quantize.weightFormats = [network.float.graph.tensors[weights[1]].name: Self.formats[0]]
    #expect(try network.pack().planned.program.steps.map(\.opcode) == [.fullyConnected, .codedProject])
    // Behind a table of embeddings no layer is the first.
    var text = FloatGraph()
    let rows = text.add(.gather(axis: 0, batchDimensions: 0), [text.constant([9, 32]), text.input([1, 4], type: .int32)], [1, 4, 32])
    let hidden = text.add(.fullyConnected(.relu), [rows, text.constant([32, 32]), nil], [1, 4, 32])
    text.graph.outputs = [text.add(.fullyConnected(.none), [hidden, text.constant([9, 32]), nil], [1, 4, 9])]
    #expect(text.graph.weightsAtEnds == [text.graph.nodes[2].inputs[1]!])
  }

  /// Rows times weights are what the layer computes, padding, strides and dilations included.
  @Test(arguments: [
    WindowAttributes(size: [3, 3], strides: [2, 1], padBefore: [1, 0], padAfter: [0, 1]),
    WindowAttributes(size: [1, 1]), WindowAttributes(size: [2, 3], dilations: [2, 2], padBefore: [0, 2], padAfter: [1, 2]),
  ])
  func rowsOfConvolutions(window: WindowAttributes) throws {
    var float = FloatGraph(seed: 5)
    let extents = (0..<2).map { axis in
      let reach = (window.size[axis] - 1) * window.dilations[axis] + 1
      return ([7, 6][axis] + window.padBefore[axis] + window.padAfter[axis] - reach) / window.strides[axis] + 1
    }
    let shape = [2, extents[0], extents[1], 4]
    let input = float.input([2, 7, 6, 3])
    let kernel = float.constant([4] + window.size + [3])
    float.graph.outputs = [float.add(.convolution(window, groups: 1, .none), [input, kernel, nil], shape)]
    let values = float.values(2 * 7 * 6 * 3)
    let wanted = try FloatEvaluator(float.graph).evaluate([FloatTensor(shape: [2, 7, 6, 3], values: values)])[0].values
    let rows = try #require(ProductRows(float.graph.nodes[0], float.graph))
    let weights = try float.graph.tensors[kernel].reals()
    func outputs(_ gathered: [Float]) -> [Float] {
      (0..<gathered.count / rows.depth).flatMap { row in
        (0..<4).map { channel in
          Float((0..<rows.depth).reduce(0) { $0 + Double(gathered[row * rows.depth + $1]) * weights[channel * rows.depth + $1] })
        }
      }
    }
    let all = outputs(rows(values, sample: 0, limit: .max))
    #expect(all.count == wanted.count && zip(all, wanted).allSatisfy { abs($0 - $1) < 1e-4 })
    // A few of them, and not the same ones of every sample.
    let few = (0..<3).map { outputs(rows(values, sample: $0, limit: 5)) }
    #expect(few.allSatisfy { (4...20).contains($0.count) } && few[0] != few[1])
    #expect(few.allSatisfy { part in
      stride(from: 0, to: part.count, by: 4).allSatisfy { start in
        stride(from: 0, to: wanted.count, by: 4).contains { row in
          (0..<4).allSatisfy { abs(part[start + $0] - wanted[row + $0]) < 1e-4 }
        }
      }
    })
  }

  /// Sums and products with constants, scalars among them, are no layers.
  @Test func onlyLayersHaveRows() throws {
    var float = FloatGraph()
    let x = float.input([1, 4])
    let sum = float.add(.binary(.add, .none), [x, float.scalar(1)], [1, 4])
    float.graph.outputs = [float.add(.binary(.multiply, .none), [sum, float.constant([1, 4])], [1, 4])]
    #expect(float.graph.nodes.allSatisfy { ProductRows($0, float.graph) == nil })
    #expect(float.graph.namingWeightsApart().tensors.map(\.name) == float.graph.tensors.map(\.name))
  }

  /// Convolutions gain from what calibration saw, as other layers do, and a deep network from solving layer after layer.
  @Test func depthGainsFromOrder() throws {
    var float = FloatGraph(seed: 11)
    var x = float.input([1, 6, 6, 16])
    let window = WindowAttributes(size: [3, 3], padBefore: [1, 1], padAfter: [1, 1])
    for _ in 0..<4 {
      x = float.add(.convolution(window, groups: 1, .relu), [x, float.constant([16, 3, 3, 16]), float.constant([16])], [1, 6, 6, 16])
    }
    float.graph.outputs = [x]
    let samples: [[Float]] = (0..<24).map { _ in
      let causes = float.values(16)
      return (0..<576).map { (place: Int) -> Float in
        let (channel, pixel) = (place % 4, 4 + place / 16 % 12)
        return causes[channel] + 0.3 * causes[pixel]
      }
    }
    var training = PostTraining()
    training.quantize.weightFormat = WeightFormat(bits: 2, grid: .odd, groupSize: 16)
    let (graph, calibration) = try training.calibrate(try training.prepare(float.graph), count: 24) {
      [FloatTensor(shape: [1, 6, 6, 16], values: samples[$0])]
    }
    var noise: [RoundingMethod: Double] = [:]
    for method in RoundingMethod.allCases {
      training.quantize.rounding = method
      let report = try QuantizationReport(
        graph, try training.integers(graph, calibration), samples: samples.map { [FloatTensor(shape: [1, 6, 6, 16], values: $0)] },
        options: PackOptions())
      noise[method] = report.rows.last?.signalToNoise
    }
    let values = [RoundingMethod.nearest, .alternating, .sequential].compactMap { noise[$0] }
    #expect(values.count == 3 && values == values.sorted() && values[1] > values[0] + 2, "\(noise)")
  }
}
