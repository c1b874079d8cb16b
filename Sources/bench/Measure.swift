import AbacusPack
import ArgumentParser
import ToolSupport

struct Measure: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "measure", abstract: "Measure every model on every board, and on this machine beside others.",
    discussion: """
      Instructions are counted exactly, by emulated boards, with firmware that has the model's kernels only;
      they are not cycles. Shares are of \(Peer.name).

      Models: \(BenchModel.all.map(\.name).joined(separator: ", ")).

      Examples:
        tools/bench
        tools/bench --board mps2-an386 --model KWS VWW --operators
        tools/bench --host
        tools/bench --compare --board mps2-an386
        tools/bench --json > bench.json
      """)

  @Option(name: .customLong("board"), parsing: .upToNextOption, help: ArgumentHelp("Only these boards.", valueName: "names"))
  var boardNames: [String] = []

  @Option(name: .customLong("model"), parsing: .upToNextOption, help: ArgumentHelp("Only these models.", valueName: "names"))
  var modelNames: [String] = []

  @Flag(help: "Only the times on this machine, unless boards are named too.")
  var host = false

  @Flag(help: "Show what each operator takes.")
  var operators = false

  @Flag(help: "Print the rows as JSON.")
  var json = false

  @Flag(help: "Print what has changed by more than 1 % from the baseline, and nothing else.")
  var compare = false

  @Flag(help: "Write what was measured into the baseline.")
  var update = false

  @Option(help: ArgumentHelp("The baseline.", valueName: "file"))
  var baseline = "Tests/Golden/bench-baseline.json"

  private var usesBaseline: Bool { compare || update }

  func validate() throws {
    for name in modelNames where !BenchModel.all.contains(where: { $0.name == name }) {
      throw ValidationError("There is no \(name); models are \(BenchModel.all.map(\.name).joined(separator: ", ")).")
    }
    guard !(usesBaseline && host) else { throw ValidationError("The baseline has no times of this machine.") }
    guard !(compare && (json || operators)) else { throw ValidationError("--compare prints changes only.") }
  }

  func run() throws {
    let boards = try chosenBoards()
    let report = Report()
    for model in BenchModel.all where modelNames.isEmpty || modelNames.contains(model.name) {
      try report.needing(model) {
        var quantized = try model.quantized()
        for board in boards {
          let packed = try quantized.pack(for: board)
          try BoardMeasurement(board, measuresOperators: operators).add(model, packed, to: report)
        }
        if measuresHost { try HostMeasurement().add(model, try quantized.pack(for: nil), to: report) }
      }
    }
    if compare {
      print(try Baseline(contentsOf: baseline).comparison(with: report.rows).text, terminator: "")
    } else {
      try report.printRows(json: json)
    }
    if update { try updateBaseline(report) }
    report.omissions.report()
  }

  private var measuresHost: Bool { host || (boardNames.isEmpty && !usesBaseline) }

  private func chosenBoards() throws -> [Board] {
    if !boardNames.isEmpty { return try boardNames.map { try Board.named($0) } }
    return host ? [] : try Board.all().filter { $0.machine != nil }
  }

  /// What was not measured stays as it is, as long as there are such models and boards.
  private func updateBaseline(_ report: Report) throws {
    var updated = Places.exists(baseline) ? try Baseline(contentsOf: baseline) : Baseline()
    updated.update(
      with: report.rows, models: BenchModel.all.map(\.name), boards: try Board.all().map(\.name))
    try AtomicFile.write(updated.text, to: baseline)
    say("\(baseline): \(updated.rows.count) rows")
  }
}
