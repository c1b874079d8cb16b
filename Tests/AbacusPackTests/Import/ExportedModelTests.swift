import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Whole transformers in the form in which exporters write them, against the import of their weights.
@Suite struct ExportedModelTests {
  private static let folder = TestFolder.golden("models/shakespeare-llama")
  private static let tokens = 24

  private static func llama(_ form: ExportedLlama.Form, tokens: Int = tokens) throws -> Graph {
    let dimensions = ["sequence_length": tokens, "past_sequence_length": 0]
    return try ExportedLlama(folder, form).script.writer.load(dimensions)
  }

  private static func wanted(tokens: Int = tokens) throws -> Graph {
    try ModelFile.load(folder, overrides: ["tokens": "\(tokens)"]).canonical()
  }

  @Test func llamaIsTheSame() throws {
    let graph = try Self.llama(.sequence)
    let canonical = try graph.canonical()
    let compared = try SameGraphTests.expectSame(canonical, try Self.wanted())
    // Embedding twice; of each layer seven products, two normalisations of which the scale has gone into
    // these, and four tables; and the last normalisation.
    #expect(compared == 2 + 5 * (7 + 4) + 1)
    try ExporterScript.expectSame(graph, canonical, tokens: 65, "Llama", #_sourceLocation)
    // Tied weights stay tied.
    #expect(canonical.nodes.last?.inputs[1] == canonical.nodes.first?.inputs[0])
  }

  /// With mask, positions and caches: without a past it reads a sequence, and what decodes is the same as
  /// of the weights.
  @Test func cachedLlamaDecodes() throws {
    let graph = try Self.llama(.cached)
    #expect(graph.inputs.map { graph.tensors[$0].name } == ["input_ids", "attention_mask"])
    #expect(graph.outputs.map { graph.tensors[$0].name } == ["logits"])
    let canonical = try graph.canonical()
    let attention = canonical.nodes.filter { $0.operation.summary.hasPrefix("attention heads 8 of 4") }
    #expect(attention.count == 5 && attention.allSatisfy { $0.inputs.count == 4 })
    let decoder = try canonical.decoder(context: Self.tokens)
    try SameGraphTests.expectSame(decoder, try Self.wanted().decoder(context: Self.tokens))
  }

  @Test func cacheThatIsKeptMustBeSettled() throws {
    let error = #expect(throws: PackError.self) {
      try ExportedLlama(Self.folder, .cached).script.writer.load(["sequence_length": 8])
    }
    #expect(error?.description.contains("past_sequence_length=value") == true)
    #expect(error?.description.contains("--context") == true)
  }

  /// From float to blob: integers of the export are those of the weights, up to rounding.
  @Test func llamaPacksAsADecoder() throws {
    var training = PostTraining()
    training.context = 32
    training.sampleLimit = 4
    training.tokenizer = try TokenizerFile.read("\(Self.folder)/vocab.json")
    let samples = "\(Self.folder)/calibration.txt"
    let models = try [Self.llama(.sequence, tokens: 256), ModelFile.load(Self.folder)].map { graph in
      try Model(try training.pack(graph, samples: samples).blob)
    }
    var worst = 0
    for token: UInt8 in [30, 27, 25, 17, 27, 10, 0, 21] {
      let outputs = try models.map { try $0([[token, 0, 0, 0]])[0] }
      let logits = outputs.map { ElementType.int16.codes(of: $0) }
      worst = zip(logits[0], logits[1]).map { abs($0 - $1) }.reduce(worst, max)
      #expect(logits[0].firstIndex(of: logits[0].max()!) == logits[1].firstIndex(of: logits[1].max()!))
    }
    #expect(worst < 200)
  }

  @Test func bertIsTheSame() throws {
    let weights = HuggingFaceImporterTests.bertWeights()
    let wanted = try weights.graph(HuggingFaceImporterTests.bertConfiguration).canonical()
    let script = try ExportedBert(weights).script
    try SameGraphTests.expectSame(try script.writer.load().canonical(), wanted)
    try script.check(["attention heads 2": 2, "gelu": 2, "layerNormalization": 5], tokens: 11, decibels: 20)
  }

  @Test func bertWithTypesOfTokens() throws {
    let script = try ExportedBert(HuggingFaceImporterTests.bertWeights(), takesTypes: true).script
    try script.check(["attention heads 2": 2, "gather": 2, "layerNormalization": 5], tokens: 11, decibels: 20)
  }
}
