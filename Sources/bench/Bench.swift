import ArgumentParser

/// Measures speed and memory; tools/bench and tools/sizes call it.
@main struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measure speed, memory and code.", subcommands: [Measure.self, Sizes.self])
}
