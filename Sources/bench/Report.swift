import AbacusPack
import ToolSupport

/// Takes rows as they come, says on standard error how far things are, and prints all at the end.
final class Report {
  private(set) var rows: [Row] = []
  private(set) var omissions = Omissions()
  private let start = ContinuousClock.now

  func add(_ row: Row) {
    rows.append(row)
    let seconds = (ContinuousClock.now - start).components.seconds
    say("[\(seconds) s] \(row.model), \(row.board)")
  }

  /// Of a reason the first words are told.
  func skip(_ what: String, _ reason: String) {
    omissions.add(what, String(reason.prefix { !$0.isNewline }.prefix(120)))
  }

  /// Runs `body` unless a file of the model is missing or asks for what Abacus does not do.
  func needing(_ model: BenchModel, _ body: () throws -> Void) throws {
    if let missing = model.needs.first(where: { !Places.exists($0) }) {
      return skip(model.name, "\(missing) is not here")
    }
    do {
      try body()
    } catch let error as PackError where error.kind == .unsupported {
      skip(model.name, error.description)
    }
  }

  func printRows(json: Bool) throws {
    if json { return try printJSON(rows) }
    print(Tables.all(rows).joined(separator: "\n"), terminator: "")
  }
}
