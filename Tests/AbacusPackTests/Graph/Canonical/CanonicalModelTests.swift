import Testing

@testable import AbacusPack

@Suite(.enabled(if: TestFolder.shared != nil, "the shared models are not here"))
struct CanonicalModelTests {
  private func vit(_ file: String) throws -> Graph {
    let overrides = file.hasSuffix(".safetensors") ? ["heads": "4", "image_size": "28", "eps": "1e-6"] : [:]
    return try ModelFile.load(try TestFolder.model("fmnist-vit/\(file)"), overrides: overrides).canonical()
  }

  /// One network from five files: the same nodes, the same shapes, the same weights.
  @Test(arguments: ["vit_op20.onnx", "vit_op20_static.onnx", "vit_op13_decomposed.onnx", "vit_float.tflite"])
  func visionTransformerIsTheSame(_ file: String) throws {
    let wanted = try vit("vit.safetensors")
    let found = try vit(file)
    #expect(found.summary(names: false) == wanted.summary(names: false))
    for (a, b) in zip(wanted.nodes, found.nodes) {
      for (x, y) in zip(a.inputs, b.inputs) {
        guard let x, let y, let left = wanted.tensors[x].floats, let right = found.tensors[y].floats else { continue }
        let largest = left.map(\.magnitude).max() ?? 0
        let difference = zip(left, right).map { ($0 - $1).magnitude }.max() ?? 0
        #expect(left.count == right.count && difference <= 1e-5 * largest, "\(b.origin)")
      }
    }
    #expect(wanted.nodes.count == 57)
  }

  /// Convolutional networks from ONNX have no transposes left, and the nodes that TFLite has.
  @Test(arguments: ["dscnn", "resnet"]) func imageClassifierIsTheSame(_ name: String) throws {
    let lite = try ModelFile.load(try TestFolder.model("fmnist-cnn/\(name)-float.tflite")).canonical()
    let onnx = try ModelFile.load(try TestFolder.model("fmnist-cnn/\(name)-float.onnx")).canonical()
    #expect(!onnx.nodes.contains { if case .transpose = $0.operation { true } else { false } })
    #expect(onnx.nodes.map(\.operation.summary) == lite.nodes.map(\.operation.summary))
  }

  /// Nodes on quantised tensors stay as they are.
  @Test func quantisedNodesStay() throws {
    let graph = try ModelFile.load(try TestFolder.model("fmnist-vit/vit_int8.tflite"))
    let canonical = try graph.canonical()
    func quantised(_ graph: Graph) -> [String] {
      graph.nodes.filter { graph.tensors[$0.outputs[0]].quantization != nil }.map(\.operation.summary).sorted()
    }
    #expect(!quantised(graph).isEmpty && quantised(canonical) == quantised(graph))
  }
}
