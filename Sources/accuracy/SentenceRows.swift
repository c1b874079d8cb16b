import AbacusPack
import AbacusRuntime
import ToolSupport

/// all-MiniLM-L6-v2: whether sentences that people find alike have embeddings that are.
struct SentenceRows {
  let bench: Bench
  private let name = "all-minilm-l6-v2"
  private let tokens = 128
  private let calibrationSentences = 96

  private static let variants: [(name: String, change: @Sendable (inout QuantizeOptions) -> Void)] = [
    ("int16 below 30 dB", { _ in }),
    ("int16 below 40 dB", { $0.wideBelow = 40 }),
    ("int8 but for the residual", { $0.wideBelow = -.infinity }),
    ("99.99th percentile", { $0.range = .percentile(99.99) }),
  ]

  func measure() throws {
    let folder = Places.sentenceModel
    let data = Places.shared("data/stsb-en-dev.csv")
    try bench.needing(name, folder, data) {
      let all = try SentencePairs(data)
      let pairs = all.spread(bench.limited(all.scores.count))
      let tokenizer = try WordPieceTokenizer.read("\(folder)/tokenizer.json")
      let encoded = try pairs.sentences.map { try tokenizer.encode($0, length: tokens) }
      let half = all.first.prefix(all.first.count / 2)
      let calibration = try (0..<calibrationSentences).map {
        try tokenizer.encode(half[$0 * half.count / calibrationSentences], length: tokens)
      }
      let graph = try PostTraining().prepare(
        try ModelFile.load(folder, overrides: ["tokens": "\(tokens)"]))
      let float = try bench.floatOutputs(
        graph, count: encoded.count, reduce: { Self.pooled($1, encoded[$0].mask) }, samples: { Self.floats(encoded[$0], graph) })
      for variant in Self.variants {
        var training = PostTraining()
        variant.change(&training.quantize)
        let packed = try training.pack(graph, count: calibration.count) { Self.floats(calibration[$0], graph) }
        let embeddings = try bench.integerOutputs(
          packed.blob, count: encoded.count, reduce: { Self.pooled($1, encoded[$0].mask) },
          samples: { try Self.bytes(encoded[$0], $1) })
        var row = Row(
          model: name, variant: "\(variant.name), \(tokens) tokens",
          dataset: "STS-B dev (calibrated with \(calibration.count) sentences of its first half)",
          samples: pairs.scores.count, metric: "Spearman x 100", value: correlation(embeddings, pairs),
          floatValue: correlation(float, pairs), decibels: Statistics.decibels(float, embeddings),
          blobBytes: packed.blob.count, arenaBytes: packed.planned.plan.arenaBytes)
        bench.report.add(row)
        row.metric = "milliseconds a sentence, one core"
        row.samples = min(encoded.count, 10)
        (row.value, row.floatValue) = (try milliseconds(packed.blob, Array(encoded.prefix(10))), nil)
        bench.report.add(row)
      }
    }
  }

  // MARK: Inputs

  private static func isMask(_ input: String) -> Bool { input == "attention_mask" }

  private static func floats(_ sentence: WordPieceTokenizer.Padded, _ graph: Graph) -> [FloatTensor] {
    graph.inputs.map { id in
      let numbers = isMask(graph.tensors[id].name) ? sentence.mask : sentence.tokens
      return FloatTensor(shape: graph.tensors[id].shape, values: numbers.map { Float($0) })
    }
  }

  private static func bytes(
    _ sentence: WordPieceTokenizer.Padded, _ inputs: [Model.Boundary]
  ) throws -> [[UInt8]] {
    try inputs.map { try $0.bytes(tokens: isMask($0.name) ? sentence.mask : sentence.tokens) }
  }

  // MARK: Outputs

  /// The mean of the rows that stand for tokens.
  private static func pooled(_ rows: [Float], _ mask: [Int]) -> [Float] {
    let width = rows.count / mask.count
    let count = Float(mask.reduce(0, +))
    return (0..<width).map { column in
      mask.indices.reduce(0) { mask[$1] == 0 ? $0 : $0 + rows[$1 * width + column] } / count
    }
  }

  private func correlation(_ embeddings: [[Float]], _ pairs: SentencePairs) -> Double {
    let known = Dictionary(uniqueKeysWithValues: zip(pairs.sentences, embeddings))
    let likeness = zip(pairs.first, pairs.second).map { cosine(known[$0]!, known[$1]!) }
    return 100 * Statistics.rankCorrelation(likeness, pairs.scores)
  }

  private func cosine(_ a: [Float], _ b: [Float]) -> Double {
    func product(_ x: [Float], _ y: [Float]) -> Double { zip(x, y).reduce(0) { $0 + Double($1.0) * Double($1.1) } }
    return product(a, b) / (product(a, a) * product(b, b)).squareRoot()
  }

  private func milliseconds(_ blob: [UInt8], _ sentences: [WordPieceTokenizer.Padded]) throws -> Double {
    let model = try Model(blob)
    let inputs = try sentences.map { try Self.bytes($0, model.inputs) }
    let elapsed = try ContinuousClock().measure {
      for input in inputs { _ = try model(input) }
    }
    return elapsed / .milliseconds(1) / Double(sentences.count)
  }
}
