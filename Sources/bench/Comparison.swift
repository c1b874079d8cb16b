import AbacusPack
import Foundation

/// How figures differ from a baseline.
struct Comparison {
  /// Changes up to so many percent are not told.
  static let threshold = 1

  struct Change: Equatable {
    /// Model and board.
    var subject: String
    var figure: String
    var before: Int
    var after: Int

    var percent: Double { 100 * Double(after - before) / Double(max(before, 1)) }
    var isWorse: Bool { 100 * (after - before) > Comparison.threshold * before }
    var isBetter: Bool { 100 * (before - after) > Comparison.threshold * before }
  }

  /// The largest first.
  let regressions: [Change]
  let gains: [Change]
  /// Rows that the baseline has no figures for.
  let unknown: [String]
  let compared: Int

  init(_ baseline: [BaselineRow], _ measured: [BaselineRow]) {
    let known = Dictionary(baseline.map { ($0.key, $0) }) { first, _ in first }
    var changes: [Change] = []
    for row in measured {
      guard let before = known[row.key] else { continue }
      for (old, new) in zip(before.figures, row.figures) {
        changes.append(Change(subject: row.name, figure: old.name, before: old.value, after: new.value))
      }
    }
    regressions = changes.filter(\.isWorse).sorted { $0.percent > $1.percent }
    gains = changes.filter(\.isBetter).sorted { $0.percent < $1.percent }
    unknown = measured.filter { known[$0.key] == nil }.map(\.name)
    compared = measured.count - unknown.count
  }

  var text: String {
    var text = ""
    for (title, changes) in [("regressions", regressions), ("gains", gains)] where !changes.isEmpty {
      var table = Table([
        .init(title), .init("figure"), .init("baseline", .right), .init("now", .right), .init("change", .right),
      ])
      for change in changes {
        table.add(
          change.subject, change.figure, NumberText.grouped(change.before), NumberText.grouped(change.after),
          String(format: "%+.1f %%", change.percent))
      }
      text += table.text + "\n"
    }
    text +=
      "bench: \(compared) rows compared with the baseline, \(regressions.count) figures worse and "
      + "\(gains.count) better by more than \(Self.threshold) %\n"
    if !unknown.isEmpty { text += "bench: not in the baseline: \(unknown.joined(separator: ", "))\n" }
    return text
  }
}
