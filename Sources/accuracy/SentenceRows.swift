import AbacusPack
import AbacusRuntime
import Foundation
import ToolSupport

/// all-MiniLM-L6-v2: whether sentences that people find alike have embeddings that are.
struct SentenceRows {
  let bench: Bench
  private let name = "all-minilm-l6-v2"
  private let tokens = 128
  private let calibrationSentences = 96
  /// How often a sentence is encoded to see how long it takes.
  private static let timedRuns = 51

  private static let variants: [(name: String, change: @Sendable (inout QuantizeOptions) -> Void)] = [
    ("int16 below 30 dB", { _ in }),
    ("int16 below 40 dB", { $0.wideBelow = 40 }),
    ("int8 but for the residual", { $0.wideBelow = -.infinity }),
    ("99.99th percentile", { $0.range = .percentile(99.99) }),
    ("weights of 4 bits, groups of 32", { $0.weightFormat = LanguageModel.fours }),
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
      for variant in Self.variants where bench.matching.map(variant.name.contains) ?? true {
        var training = PostTraining()
        variant.change(&training.quantize)
        let packed = try training.pack(graph, count: calibration.count) { Self.floats(calibration[$0], graph) }
        let embeddings = try bench.integerOutputs(
          packed.blob, count: encoded.count, reduce: { Self.pooled($1, encoded[$0].mask) },
          samples: { try Self.bytes(encoded[$0], $1) })
        var row = try Row(
          model: name, variant: "\(variant.name), \(tokens) tokens",
          dataset: "STS-B dev (calibrated with \(calibration.count) sentences of its first half)",
          samples: pairs.scores.count, metric: "Spearman x 100", value: correlation(embeddings, pairs),
          floatValue: correlation(float, pairs), decibels: Statistics.decibels(float, embeddings),
          blobBytes: packed.blob.count, arenaBytes: packed.planned.plan.arenaBytes, weightShare: packed.weightShare())
        bench.report.add(row)
        addTime(&row, try milliseconds(packed.blob, encoded))
      }
      do {
        let peer = try SentencePeer(model: folder, calibration: calibration, sentences: encoded)
        addPeer(peer, pairs, float)
      } catch let error as PackError where error.kind == .tool {
        bench.report.skip("\(name) by onnxruntime", error.description)
      }
    }
  }

  private func addPeer(_ peer: SentencePeer, _ pairs: SentencePairs, _ float: [[Float]]) {
    for form in peer.forms {
      var row = Row(
        model: name, variant: "\(form.name), \(tokens) tokens", dataset: "STS-B dev", samples: pairs.scores.count,
        metric: "Spearman x 100", value: correlation(form.embeddings, pairs), floatValue: correlation(float, pairs),
        decibels: Statistics.decibels(float, form.embeddings), blobBytes: form.bytes)
      bench.report.add(row)
      addTime(&row, form.milliseconds)
    }
  }

  /// The row of a variant whose accuracy is `row`.
  private func addTime(_ row: inout Row, _ milliseconds: Double) {
    row.metric = "milliseconds a sentence, one thread, median"
    (row.value, row.floatValue, row.decibels) = (milliseconds, nil, nil)
    bench.report.add(row)
  }

  // MARK: Inputs

  private static func isMask(_ input: String) -> Bool { input == "attention_mask" }

  private static func floats(_ sentence: PaddedTokens, _ graph: Graph) -> [FloatTensor] {
    graph.inputs.map { id in
      let numbers = isMask(graph.tensors[id].name) ? sentence.mask : sentence.tokens
      return FloatTensor(shape: graph.tensors[id].shape, values: numbers.map { Float($0) })
    }
  }

  private static func bytes(
    _ sentence: PaddedTokens, _ inputs: [Model.Boundary]
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

  /// The median of the processor time of some runs, which other work on the machine does not prolong
  /// as it does time on the clock.
  private func milliseconds(_ blob: [UInt8], _ sentences: [PaddedTokens]) throws -> Double {
    let model = try Model(blob)
    let times = try (0..<Self.timedRuns).map { run in
      let input = try Self.bytes(sentences[run % sentences.count], model.inputs)
      let start = clock()
      _ = try model(input)
      return 1000 * Double(clock() - start) / Double(CLOCKS_PER_SEC)
    }
    return times.sorted()[Self.timedRuns / 2]
  }
}
