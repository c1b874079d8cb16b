import AbacusPack
import ArgumentParser

/// Measures what quantisation costs; tools/accuracy calls it.
@main struct Accuracy: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "accuracy", abstract: "Measure what quantisation costs.",
    discussion: """
      Families of rows: \(families.map(\.name).joined(separator: ", ")).

      Examples:
        tools/accuracy
        tools/accuracy --only fmnist-vit --samples 1000
        tools/accuracy --only fmnist-vit --matching "weights of"
        tools/accuracy --json > accuracy.json
      """)

  private static let families: [(name: String, measure: @Sendable (Bench) throws -> Void)] = [
    ("fmnist-vit", { try VisionTransformerRows(bench: $0).measure() }),
    ("shakespeare-llama", { try ShakespeareRows(bench: $0).measure() }),
    ("stories260k", { try StoryRows(bench: $0).measure() }),
    ("attention", { try AttentionRows(bench: $0).measure() }),
    ("fmnist-cnn", { try FashionNetworkRows(bench: $0).measure() }),
    ("mlperf-tiny", { try TinyBenchmarkRows(bench: $0).measure() }),
    ("all-minilm-l6-v2", { try SentenceRows(bench: $0).measure() }),
  ]

  @Option(parsing: .upToNextOption, help: ArgumentHelp("Only these families of rows.", valueName: "names"))
  var only: [String] = []

  @Option(help: ArgumentHelp("Look at no more samples of a data set than this.", valueName: "n"))
  var samples: Int?

  @Option(help: ArgumentHelp("Only variants whose name contains this, beside the first of each model.", valueName: "text"))
  var matching: String?

  @Flag(help: "Print the rows as JSON.")
  var json = false

  func validate() throws {
    for name in only where !Self.families.contains(where: { $0.name == name }) {
      throw ValidationError("There is no \(name); families are \(Self.families.map(\.name).joined(separator: ", ")).")
    }
    guard samples.map({ $0 > 0 }) ?? true else { throw ValidationError("--samples is positive.") }
  }

  func run() throws {
    let report = Report()
    let bench = Bench(report: report, sampleLimit: samples, matching: matching)
    for family in Self.families where only.isEmpty || only.contains(family.name) {
      try family.measure(bench)
    }
    try report.finish(json: json)
  }
}
