import AbacusPack
import ArgumentParser

struct CalibrateBoard: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calibrate-board",
    abstract: "Measure what operators take on an emulated board, or check what was measured against whole models.",
    discussion: """
      Runs small models of one operator each, of many shapes and widths, and writes costs.json into the board's folder of
      Targets: instructions of each kind of operator for each feature of its shape. --check leaves the file as it is.

      Examples:
        abacus calibrate-board mps2-an386
        abacus calibrate-board mps2-an386 --check kws.abm vww.abm
      """)

  @Argument(help: "An emulated board of Targets.")
  var board: String

  @Option(parsing: .upToNextOption, help: ArgumentHelp("Compare predicted with measured instructions of these packed models.", valueName: "blobs"))
  var check: [String] = []

  @Option(help: ArgumentHelp("Shapes that are measured of each kind of operator.", valueName: "count"))
  var shapes = 40

  @Flag(help: "Check each operator, run step by step, and not only the whole.")
  var operators = false

  @Flag(help: "Print the check as JSON.")
  var json = false

  func validate() throws {
    guard (6...1000).contains(shapes) else { throw ValidationError("--shapes must be from 6 to 1000.") }
  }

  func run() throws {
    let board = try Board.named(board)
    if !check.isEmpty { return try checkModels(board) }
    let progress = ProgressLine("measuring \(board.name)", total: 0, showsTimeLeft: true)
    let table = try BoardCalibration(board).table(shapesPerKind: shapes) { progress.advance(to: $0, of: $1) }
    progress.finish()
    try AtomicFile.write(try table.json, to: CostTable.file(of: board))
    var text = Table([
      .init("kind"), .init("shapes", .right), .init("features", .right), .init("median error %", .right), .init("largest", .right),
    ])
    for (name, kind) in table.kinds.sorted(by: { $0.key < $1.key }) {
      text.add(name, "\(kind.samples)", "\(kind.instructions.count)", "\(kind.medianError)", "\(kind.largestError)")
    }
    print(text.text, terminator: "")
  }

  private struct Row: Encodable {
    var model: String
    /// Nil for the whole model.
    var kind: String?
    var predicted: Int
    var measured: Int
    var differencePercent: Double

    init(_ model: String, kind: String? = nil, predicted: Double, measured: Int) {
      self.model = model
      self.kind = kind
      self.predicted = Int(predicted)
      self.measured = measured
      differencePercent = ((predicted / Double(max(measured, 1)) - 1) * 10_000).rounded() / 100
    }
  }

  private func checkModels(_ board: Board) throws {
    let table = try CostTable(board: board)
    let emulator = try Emulator(board: board)
    let rows = try check.flatMap { path in
      let (model, blob, _) = try openModel(path)
      let each = operators ? try operatorRows(path, blob, table, emulator) : []
      let predicted = try table.instructions(of: blob).reduce(0, +)
      let measured = try emulator.run(blob: blob, samples: [model.zeroSample]).runInstructions[0]
      return each + [Row(path, predicted: predicted, measured: measured)]
    }
    if json { return try printJSON(rows) }
    var text = Table([
      .init("model"), .init("operator"), .init("predicted", .right), .init("measured", .right), .init("difference %", .right),
    ])
    for row in rows {
      text.add(
        row.model, row.kind ?? "all", NumberText.grouped(row.predicted), NumberText.grouped(row.measured),
        "\(row.differencePercent)")
    }
    print(text.text, terminator: "")
  }

  private func operatorRows(_ path: String, _ blob: [UInt8], _ table: CostTable, _ emulator: Emulator) throws -> [Row] {
    try zip(table.predictions(of: blob, isStepwise: true), emulator.operatorInstructions(of: blob)).map {
      Row(path, kind: $0.kind, predicted: $0.instructions, measured: $1)
    }
  }
}
