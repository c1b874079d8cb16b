/// Committed figures of one model on one board.
struct BaselineRow: Codable, Equatable {
  var model: String
  var board: String
  var instructions: Int
  var openInstructions: Int
  var codeBytes: Int
  var arenaBytes: Int
  var stackBytes: Int

  enum CodingKeys: String, CodingKey {
    case model, board, instructions
    case openInstructions = "open_instructions"
    case codeBytes = "code_bytes"
    case arenaBytes = "arena_bytes"
    case stackBytes = "stack_bytes"
  }

  var key: [String] { [model, board] }
  var name: String { "\(model) on \(board)" }

  /// What is compared, by name.
  var figures: [(name: String, value: Int)] {
    [
      ("instructions", instructions), ("instructions to open", openInstructions), ("code bytes", codeBytes),
      ("arena bytes", arenaBytes), ("stack bytes", stackBytes),
    ]
  }
}

extension BaselineRow {
  /// nil where the model did not run.
  init?(_ row: Row) {
    guard let instructions = row.instructions, let openInstructions = row.openInstructions,
      let codeBytes = row.codeBytes, let stackBytes = row.stackBytes
    else { return nil }
    self.init(
      model: row.model, board: row.board, instructions: instructions, openInstructions: openInstructions,
      codeBytes: codeBytes, arenaBytes: row.arenaBytes, stackBytes: stackBytes)
  }
}
