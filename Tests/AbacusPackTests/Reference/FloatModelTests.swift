import Testing

@testable import AbacusPack

/// Whole float models against the outputs that LiteRT gave (`*.litert.npz`).
@Suite(.enabled(if: TestFolder.shared != nil, "the shared models are not here"))
struct FloatModelTests {
  static let models = [
    "fmnist-vit/vit_float", "mlperf-tiny/ad01_fp32", "mlperf-tiny/pretrainedResnet",
    "mlperf-tiny/vww_96_float",
  ]

  /// Float sums in another order: within 1e-4 of the largest output.
  @Test(arguments: models) func agreesWithLiteRT(_ name: String) throws {
    for (values, wanted) in try Self.outputs(name) {
      let largest = wanted.map(\.magnitude).max() ?? 0
      #expect(Self.difference(values, wanted) <= 1e-4 * largest)
    }
  }

  /// The float keyword model keeps the weights of its convolutions as int8, and there LiteRT rounds
  /// activations to int8 as it goes. We do not: probabilities within 1 %, and the same labels.
  @Test func agreesWithLiteRTOnInt8Weights() throws {
    let name = "mlperf-tiny/kws_ref_model_float32"
    let graph = try ModelFile.load(try TestFolder.model("\(name).tflite"))
    #expect(graph.tensors.contains { $0.isConstant && $0.type == .int8 && $0.quantization != nil })
    for (values, wanted) in try Self.outputs(name) {
      #expect(Self.difference(values, wanted) <= 0.01)
      #expect(values.firstIndex(of: values.max()!) == wanted.firstIndex(of: wanted.max()!))
    }
  }

  /// What the evaluator and LiteRT make of four samples.
  private static func outputs(_ name: String) throws -> [(values: [Float], wanted: [Float])] {
    let evaluator = try FloatEvaluator(try ModelFile.load(try TestFolder.model("\(name).tflite")))
    let archive = try NumPyArchive(try TestFolder.model("\(name).litert.npz"))
    return try (0..<4).map { sample in
      let outputs = try evaluator.evaluate([FloatTensor(try archive.array("in0_\(sample)"))])
      let wanted = FloatTensor(try archive.array("out0_\(sample)"))
      #expect(outputs.map(\.shape) == [wanted.shape])
      return (outputs[0].values, wanted.values)
    }
  }

  private static func difference(_ a: [Float], _ b: [Float]) -> Float {
    a.count == b.count ? zip(a, b).map { ($0 - $1).magnitude }.max() ?? 0 : .infinity
  }
}
