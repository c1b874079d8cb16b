import AbacusPack
import Foundation

/// Committed figures that a run is compared with: a JSON array, sorted, one row a line.
struct Baseline {
  private(set) var rows: [BaselineRow] = []

  init() {}

  init(contentsOf path: String) throws {
    try self.init(String(decoding: readFile(path), as: UTF8.self), name: path)
  }

  /// - Parameter name: of the file, for messages.
  init(_ text: String, name: String) throws {
    do {
      rows = try JSONDecoder().decode([BaselineRow].self, from: Data(text.utf8))
    } catch {
      throw PackError(.file, "\(name) is not a baseline; write a new one with tools/bench --update: \(error)")
    }
    guard Set(rows.map(\.key)).count == rows.count else {
      throw PackError(.file, "\(name): a model has two rows for one board")
    }
  }

  /// What the file says.
  var text: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let lines = rows.sorted { $0.key.lexicographicallyPrecedes($1.key) }
      .compactMap { try? String(decoding: encoder.encode($0), as: UTF8.self) }
    return "[\n" + lines.joined(separator: ",\n") + "\n]\n"
  }

  /// Takes what was measured, and drops rows of models and boards that no longer exist.
  mutating func update(with measured: [Row], models: [String], boards: [String]) {
    let new = measured.compactMap(BaselineRow.init)
    let replaced = Set(new.map(\.key))
    rows = rows.filter { models.contains($0.model) && boards.contains($0.board) && !replaced.contains($0.key) } + new
  }

  func comparison(with measured: [Row]) -> Comparison { Comparison(rows, measured.compactMap(BaselineRow.init)) }
}
