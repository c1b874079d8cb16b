import Testing

@testable import AbacusPack

/// Whole float models against the outputs that LiteRT gave (`*.litert.npz`).
@Suite(.enabled(if: TestFolder.shared != nil, "the shared models are not here"))
struct FloatModelTests {
  static let models = [
    "fmnist-vit/vit_float", "mlperf-tiny/ad01_fp32", "mlperf-tiny/kws_ref_model_float32",
    "mlperf-tiny/pretrainedResnet", "mlperf-tiny/vww_96_float",
  ]

  /// Float sums in another order: within 1e-4 of the largest output.
  @Test(arguments: models) func agreesWithLiteRT(_ name: String) throws {
    let evaluator = try FloatEvaluator(try ModelFile.load(try TestFolder.model("\(name).tflite")))
    let archive = try NumPyArchive(try TestFolder.model("\(name).litert.npz"))
    var samples = 0
    while samples < 4, archive.names.contains("in0_\(samples)") {
      let outputs = try evaluator.evaluate([FloatTensor(try archive.array("in0_\(samples)"))])
      let wanted = FloatTensor(try archive.array("out0_\(samples)"))
      #expect(outputs.count == 1)
      #expect(outputs[0].shape == wanted.shape)
      let largest = wanted.values.map(\.magnitude).max() ?? 0
      let difference = zip(outputs[0].values, wanted.values).map { ($0 - $1).magnitude }.max() ?? .infinity
      #expect(difference <= 1e-4 * largest, "sample \(samples): \(difference) of \(largest)")
      samples += 1
    }
    #expect(samples == 4)
  }
}
