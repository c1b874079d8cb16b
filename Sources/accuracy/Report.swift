import AbacusPack
import Foundation
import ToolSupport

/// Takes rows as they come, says on standard error how far things are, and prints all at the end.
final class Report {
  private(set) var rows: [Row] = []
  private(set) var omissions = Omissions()
  private let start = ContinuousClock.now

  func add(_ row: Row) {
    rows.append(row)
    let seconds = (ContinuousClock.now - start).components.seconds
    say("[\(seconds) s] \(row.model), \(row.variant): \(number(row.value)) \(row.metric)")
  }

  func skip(_ what: String, _ reason: String) {
    omissions.add(what, reason)
    say("skipped: \(what): \(reason)")
  }

  /// Standard error ends with what is missing, by name and count.
  func finish(json: Bool) throws {
    try json ? printJSON(rows) : print(table.text, terminator: "")
    omissions.report()
  }

  private var table: Table {
    var table = Table([
      .init("model"), .init("variant"), .init("dataset"), .init("samples", .right), .init("metric"),
      .init("value", .right), .init("float", .right), .init("same label %", .right), .init("dB", .right),
      .init("blob", .right), .init("arena", .right), .init("weights %", .right),
    ])
    for row in rows {
      table.add([
        row.model, row.variant, row.dataset, NumberText.grouped(row.samples), row.metric, number(row.value),
        row.floatValue.map(number) ?? "", row.agreement.map { String(format: "%.2f", $0) } ?? "",
        row.decibels.map { String(format: "%.1f", $0) } ?? "", row.blobBytes.map(NumberText.grouped) ?? "",
        row.arenaBytes.map(NumberText.grouped) ?? "", row.weightShare.map { String(format: "%.1f", $0) } ?? "",
      ])
    }
    return table
  }

  /// Small numbers (nats) with more decimals than percentages.
  private func number(_ value: Double) -> String { String(format: abs(value) < 10 ? "%.4f" : "%.2f", value) }
}
