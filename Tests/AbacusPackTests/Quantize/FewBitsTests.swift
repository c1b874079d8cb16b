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

  /// Moments are only gathered of inputs that need them.
  @Test func onlyWhatIsRoundedIsLookedAt() {
    let network = Network()
    var options = QuantizeOptions()
    #expect(options.inputsOfRoundedLayers(network.float.graph).isEmpty)
    options.weightFormat = Self.formats[0]
    #expect(options.inputsOfRoundedLayers(network.float.graph) == Set(network.float.graph.nodes.map { $0.inputs[0]! }))
    options.rounding = .nearest
    #expect(options.inputsOfRoundedLayers(network.float.graph).isEmpty)
  }
}
