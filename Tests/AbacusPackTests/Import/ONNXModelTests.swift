import Foundation
import Testing

@testable import AbacusPack

/// Whole ONNX models: our own of Fashion-MNIST, evaluated in float.
@Suite(
  .enabled(if: TestFolder.shared != nil, "the shared models are not here"),
  .enabled(if: AccuracyTests.hasFashion, "Debian's package dataset-fashion-mnist is not installed"))
struct ONNXModelTests {
  /// The first test images, as pixels.
  static let images = Result {
    try IDXFile.images("\(AccuracyTests.fashion)/t10k-images-idx3-ubyte.gz").rows(0..<8)
  }

  private func pixels(_ sample: Int) throws -> [Float] { try Self.images.get().row(sample).floats() }

  /// As the transformer was trained: (pixel / 255 - 0.2860) / 0.3530.
  private func normalized(_ sample: Int, _ graph: Graph) throws -> FloatTensor {
    FloatTensor(
      shape: graph.tensors[graph.inputs[0]].shape,
      values: try pixels(sample).map { ($0 / 255 - 0.2860) / 0.3530 })
  }

  private func logits(_ sample: Int) throws -> [Float] {
    try NumPyFile.read(try TestFolder.model("fmnist-vit/ref_logits_t10k.npy")).row(sample).floats()
  }

  /// The three forms of the same network give PyTorch's logits.
  @Test(arguments: ["vit_op20", "vit_op20_static", "vit_op13_decomposed"])
  func visionTransformer(_ name: String) throws {
    let graph = try ModelFile.load(try TestFolder.model("fmnist-vit/\(name).onnx"))
    #expect(graph.inputs.map { graph.tensors[$0].shape } == [[1, 1, 28, 28]])
    #expect(graph.outputs.map { graph.tensors[$0].shape } == [[1, 10]])
    #expect(graph.outputs.map { graph.tensors[$0].name } == ["logits"])
    let evaluator = try FloatEvaluator(graph)
    for sample in 0..<4 {
      let output = try evaluator.evaluate([normalized(sample, graph)])[0]
      for (value, expected) in zip(output.values, try logits(sample)) {
        #expect(abs(value - expected) < 1e-3, "image \(sample)")
      }
    }
  }

  /// The convolutional networks agree with their TFLite twins.
  @Test(arguments: ["dscnn", "resnet"])
  func convolutionalNetwork(_ name: String) throws {
    let graph = try ModelFile.load(try TestFolder.model("fmnist-cnn/\(name)-float.onnx"))
    let twin = try ModelFile.load(try TestFolder.model("fmnist-cnn/\(name)-float.tflite"))
    let (evaluator, reference) = (try FloatEvaluator(graph), try FloatEvaluator(twin))
    for sample in 0..<2 {
      let input = FloatTensor(shape: [1, 28, 28, 1], values: try pixels(sample))
      let (output, expected) = (try evaluator.evaluate([input])[0], try reference.evaluate([input])[0])
      #expect(output.shape == expected.shape)
      for (value, right) in zip(output.values, expected.values) {
        let tolerance = 1e-3 * max(1, abs(right))
        #expect(abs(value - right) < tolerance, "image \(sample)")
      }
    }
  }

  /// Quantised forms: all tensors between nodes are integers, and the label is that of the float model.
  @Test(arguments: [("vit_qdq_s8", DataType.int8), ("vit_qdq_a16w8", DataType.int16)])
  func quantizedTransformer(_ name: String, _ type: DataType) throws {
    let graph = try ModelFile.load(try TestFolder.model("fmnist-vit/\(name).onnx"))
    let evaluator = try FloatEvaluator(graph)
    for sample in 0..<8 {
      let output = try evaluator.evaluate([normalized(sample, graph)])[0].values
      let expected = try logits(sample)
      #expect(output.firstIndex(of: output.max()!) == expected.firstIndex(of: expected.max()!))
      for (value, right) in zip(output, expected) { #expect(abs(value - right) < 1, "image \(sample)") }
    }
    let between = graph.nodes.flatMap(\.outputs).filter { !graph.outputs.contains($0) }
    for id in between { #expect(graph.tensors[id].type == type, "\(graph.tensors[id].name)") }
  }
}
