import AbacusPack
import ToolSupport

/// Our Llama that writes Shakespeare character by character.
struct ShakespeareRows {
  let bench: Bench
  private let name = "shakespeare-llama"
  private let context = 256

  private static let variants: [(name: String, change: @Sendable (inout QuantizeOptions) -> Void)] = [
    ("int16 below 30 dB", { $0.wideBelow = 30 }),
    ("int16 below 40 dB", { $0.wideBelow = 40 }),
    ("weights of 4 bits, groups of 32", { $0.weightFormat = LanguageModel.fours }),
    ("weights of 4 bits, groups of 32, but for the last", { $0.weightFormat = LanguageModel.fours; $0.keepsEnds = true }),
  ]

  func measure() throws {
    let folder = Places.golden(name)
    let data = ["calib", "valid", "golden"].map { Places.shared("\(name)/\($0).npz") }
    try bench.needing(name, folder, data[0], data[1], data[2]) {
      let model = try LanguageModel(folder, tokens: context)
      let calibration = try NumPyArchive(data[0]).sequences("ids")
      let windows = Array(try NumPyArchive(data[1]).sequences("ids").prefix(bench.limited(16)))
      let float = try bench.forEach(windows, "float") { try model.floatLogits($0) }
      let golden = try Golden(data[2])
      for (variant, change) in Self.variants {
        try bench.needing("\(name), \(variant)") {
          let packed = try model.pack(context: context, calibratedOn: calibration, change)
          try addCrossEntropy(packed, variant, windows, float)
          try addGolden(packed, variant, golden)
        }
      }
    }
  }

  private func addCrossEntropy(
    _ packed: PackedModel, _ variant: String, _ windows: [[Int]], _ float: [[[Float]]]
  ) throws {
    let blob = packed.blob
    let logits = try bench.forEach(windows, "integers") { try LanguageModel.integerLogits(blob, $0) }
    let (flat, flatFloat) = (Array(logits.joined()), Array(float.joined()))
    try bench.report.add(
      Row(
        model: name, variant: variant, dataset: "valid.npz, \(windows.count) windows of \(context)",
        samples: windows.count, metric: "cross-entropy, nats",
        value: Self.crossEntropy(logits, windows), floatValue: Self.crossEntropy(float, windows),
        agreement: Statistics.agreement(flat, flatFloat), decibels: Statistics.decibels(flatFloat, flat),
        blobBytes: packed.blob.count, arenaBytes: packed.planned.plan.arenaBytes, weightShare: packed.weightShare()))
  }

  /// Mean over all tokens that have one before them.
  private static func crossEntropy(_ logits: [[[Float]]], _ windows: [[Int]]) -> Double {
    let losses = zip(logits, windows).flatMap { rows, tokens in
      zip(rows, tokens.dropFirst()).map { -Statistics.logSoftmax($0)[$1] }
    }
    return losses.reduce(0, +) / Double(losses.count)
  }

  /// Tokens that the float model chose, and its logits for each of them.
  private struct Golden {
    let sequence: [Int]
    let logits: [[Float]]

    init(_ path: String) throws {
      let archive = try NumPyArchive(path)
      let (prompt, tokens) = (try archive.sequences("prompt")[0], try archive.sequences("tokens")[0])
      sequence = prompt + tokens.dropLast()
      let array = try archive.array("logits")
      logits = try (0..<array.shape[0]).map { try array.row($0).floats() }
    }
  }

  private func addGolden(_ packed: PackedModel, _ variant: String, _ golden: Golden) throws {
    let all = try LanguageModel.integerLogits(packed.blob, golden.sequence)
    let logits = Array(all.suffix(golden.logits.count))
    try bench.addTokens(name, variant, "golden.npz, teacher-forced", packed, logits, float: golden.logits)
  }
}

extension Bench {
  /// Rows about the tokens that integers choose where float has chosen.
  func addTokens(
    _ model: String, _ variant: String, _ dataset: String, _ packed: PackedModel, _ logits: [[Float]],
    float: [[Float]]
  ) throws {
    var row = try Row(
      model: model, variant: variant, dataset: dataset, samples: logits.count, metric: "same top token, %",
      value: Statistics.agreement(logits, float), floatValue: nil,
      agreement: Statistics.agreement(logits, float), decibels: Statistics.decibels(float, logits),
      blobBytes: packed.blob.count, arenaBytes: packed.planned.plan.arenaBytes, weightShare: packed.weightShare())
    report.add(row)
    row.metric = "other top tokens though float's leads by over 0.5"
    row.value = Double(zip(logits, float).count { Statistics.top($0) != Statistics.top($1) && Self.lead($1) > 0.5 })
    report.add(row)
    row.metric = "KL divergence, nats"
    row.value = zip(logits, float).reduce(0) { $0 + Statistics.divergence(of: $1.0, from: $1.1) } / Double(logits.count)
    report.add(row)
  }

  /// How far the highest logit is above the second.
  private static func lead(_ logits: [Float]) -> Float {
    let sorted = logits.sorted(by: >)
    return sorted.count > 1 ? sorted[0] - sorted[1] : .infinity
  }
}
