import Foundation
import Testing

@testable import AbacusPack

/// Whole models from safetensors, in float, against what their own libraries computed.
@Suite struct HuggingFaceModelTests {
  private func largestDifference(_ a: some Sequence<Float>, _ b: some Sequence<Float>) -> Float {
    zip(a, b).map { ($0 - $1).magnitude }.max() ?? .infinity
  }

  /// - mean log p of each token but the first, from the logits of the positions before.
  private func crossEntropy(_ logits: FloatTensor, _ tokens: [Int]) -> Double {
    let classes = logits.shape.last!
    let losses = (1..<tokens.count).map { index in
      let row = logits.values[(index - 1) * classes..<index * classes].map(Double.init)
      let top = row.max()!
      return top + log(row.reduce(0) { $0 + exp($1 - top) }) - row[tokens[index]]
    }
    return losses.reduce(0, +) / Double(losses.count)
  }

  /// As PyTorch computed them for the ten images.
  @Test func visionTransformer() throws {
    let graph = try ModelFile.load(TestFolder.golden("models/fmnist-vit"))
    #expect(graph.inputs.map { graph.tensors[$0].shape } == [[1, 28, 28, 1]])
    #expect(graph.outputs.map { graph.tensors[$0].shape } == [[1, 10]])
    #expect(graph.constantElements == 139_018)
    let evaluator = try FloatEvaluator(graph)
    let images = try SampleReader(
      TestFolder.golden("fmnist-samples"), inputs: graph.inputs.map { graph.tensors[$0] })
    let wanted = try NumPyFile.read(TestFolder.golden("models/fmnist-vit/logits.npy"))
    #expect(images.count == 10)
    for index in 0..<images.count {
      let pixels = try images.sample(index)[0].map { ($0 / 255 - 0.2860) / 0.3530 }
      let logits = try evaluator.evaluate([FloatTensor(shape: [1, 28, 28, 1], values: pixels)])[0]
      #expect(largestDifference(logits.values, try wanted.row(index).floats()) < 1e-3, "image \(index)")
    }
  }

  /// Without config.json: the same graph from shapes and what is set.
  @Test func visionTransformerWithoutConfiguration() throws {
    let path = TestFolder.golden("models/fmnist-vit/model.safetensors")
    let wanted = try ModelFile.load(path)
    try TestFolder.temporary { folder in
      try FileManager.default.copyItem(atPath: path, toPath: folder + "/vit.safetensors")
      let graph = try ModelFile.load(
        folder + "/vit.safetensors", overrides: ["heads": "4", "image_size": "28", "eps": "1e-6"])
      #expect(graph.nodes.map(\.operation) == wanted.nodes.map(\.operation))
      #expect(graph.tensors.map(\.data) == wanted.tensors.map(\.data))
      let error = #expect(throws: PackError.self) { try ModelFile.load(folder + "/vit.safetensors") }
      #expect(error?.description.contains("num_heads") == true)
    }
  }

  /// As the numpy reference beside the model computed them, teacher-forced.
  @Test func shakespeareLlama() throws {
    let golden = try NumPyArchive(TestFolder.golden("models/shakespeare-llama/golden.npz"))
    let prompt = try golden.array("prompt").floats()
    let tokens = try golden.array("tokens").floats()
    let logits = try golden.array("logits").floats()
    let count = prompt.count + tokens.count - 1
    let graph = try ModelFile.load(
      TestFolder.golden("models/shakespeare-llama"), overrides: ["tokens": "\(count)"])
    let result = try FloatEvaluator(graph).evaluate([
      FloatTensor(shape: [1, count], values: prompt + tokens.dropLast())
    ])[0]
    #expect(result.shape == [1, count, 65])
    #expect(largestDifference(result.values.dropFirst((prompt.count - 1) * 65), logits) < 1e-3)
  }

  @Test func shakespeareLlamaCrossEntropy() throws {
    let golden = try NumPyArchive(TestFolder.golden("models/shakespeare-llama/golden.npz"))
    let window = try golden.array("window")
    let wanted = try golden.array("window_cross_entropy").doubles()[0]
    let graph = try ModelFile.load(TestFolder.golden("models/shakespeare-llama"))
    // Tied: the head reads the embedding, which is there once.
    #expect(graph.constantElements == 231_424 + 2 * 256 * 4)
    #expect(graph.nodes.last?.inputs[1] == graph.nodes.first?.inputs[0])
    let logits = try FloatEvaluator(graph).evaluate([
      FloatTensor(shape: [1, 256], values: window.floats())
    ])[0]
    #expect(abs(crossEntropy(logits, try window.int64s().map { Int($0) }) - wanted) < 1e-4)
  }

  @Test(.enabled(if: TestFolder.shared != nil, "the shared models are not here"))
  func stories260K() throws {
    let golden = try NumPyArchive(try TestFolder.model("stories260k/golden_greedy_fp32.npz"))
    let path = try TestFolder.model("stories260k/stories260k.safetensors")
    let settings = ["heads": "8", "eps": "1e-5", "tokens": "255"]
    let graph = try ModelFile.load(path, overrides: settings.merging(["rope_interleave": "true"]) { $1 })
    let tokens = try golden.array("ids").floats()
    let logits = try FloatEvaluator(graph).evaluate([
      FloatTensor(shape: [1, 255], values: Array(tokens.dropLast()))
    ])[0]
    #expect(largestDifference(logits.values, try golden.array("logits").floats()) < 1e-3)
    // Nothing in the file says which pairs turn.
    let error = #expect(throws: PackError.self) { try ModelFile.load(path, overrides: settings) }
    #expect(error?.description.contains("rope_interleave") == true)
  }

  /// Against an implementation in numpy (float64), one sentence of nine tokens padded to twelve.
  @Test(.enabled(if: TestFolder.sentenceModel != nil, TestFolder.sentenceModelHint))
  func miniLM() throws {
    let folder = try #require(TestFolder.sentenceModel)
    let graph = try ModelFile.load(folder, overrides: ["tokens": "12"])
    #expect(graph.inputs.map { graph.tensors[$0].name } == ["input_ids", "attention_mask"])
    let text = try WordPieceTokenizer.read(folder + "/tokenizer.json").encode(
      "A man is playing a guitar.", length: 12)
    #expect(text.tokens == [101, 1037, 2158, 2003, 2652, 1037, 2858, 1012, 102, 0, 0, 0])
    let states = try FloatEvaluator(graph).evaluate([
      FloatTensor(shape: [1, 12], values: text.tokens.map { Float($0) }),
      FloatTensor(shape: [1, 12], values: text.mask.map { Float($0) }),
    ])[0]
    #expect(states.shape == [1, 12, 384])
    #expect(largestDifference(states.values, [0.098853, 0.080678, -0.097866, -0.497266]) < 1e-4)
    let sums = (0..<384).map { column in
      (0..<9).reduce(Float(0)) { $0 + states.values[$1 * 384 + column] }
    }
    let length = sums.reduce(0) { $0 + $1 * $1 }.squareRoot()
    let wanted: [Float] = [
      0.021664, -0.004864, -0.009649, -0.063401, -0.167494, 0.004676, 0.0806, -0.024142,
    ]
    #expect(largestDifference(sums.map { $0 / length }, wanted) < 1e-5)
  }
}

extension Graph {
  /// Elements of all constants that nodes read.
  fileprivate var constantElements: Int {
    Set(nodes.flatMap { $0.inputs.compactMap { $0 } }).filter { tensors[$0].isConstant }
      .reduce(0) { $0 + tensors[$1].elementCount }
  }
}
