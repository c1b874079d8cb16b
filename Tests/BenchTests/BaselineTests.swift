import AbacusPack
import Foundation
import Testing

@testable import bench

@Suite struct BaselineTests {
  private static let line =
    #"{"arena_bytes":4,"board":"m4","code_bytes":3,"instructions":1,"model":"a","open_instructions":2,"stack_bytes":5}"#

  private func measured(_ model: String, _ board: String, instructions: Int?) throws -> Row {
    var row = try Row.sample(model, board)
    row.instructions = instructions
    (row.openInstructions, row.codeBytes, row.stackBytes) = (2, 3, 5)
    return row
  }

  @Test func isOneRowALine() throws {
    let text = "[\n\(Self.line)\n]\n"
    let baseline = try Baseline(text, name: "file")
    #expect(
      baseline.rows == [
        BaselineRow(
          model: "a", board: "m4", instructions: 1, openInstructions: 2, codeBytes: 3, arenaBytes: 4, stackBytes: 5)
      ])
    #expect(baseline.text == text)
  }

  @Test func theCommittedOneIsSortedAndKnowsItsModels() throws {
    let path = SampleModel.package.appending(path: "Tests/Golden/bench-baseline.json").path(percentEncoded: false)
    let baseline = try Baseline(contentsOf: path)
    #expect(baseline.text == String(decoding: try readFile(path), as: UTF8.self))
    #expect(baseline.rows.count > 10)
    let models = Set(BenchModel.all.map(\.name))
    for row in baseline.rows { #expect(models.contains(row.model) && row.instructions > 0, "\(row)") }
  }

  @Test(arguments: [
    "", "[", "{}", "[{}]", #"[{"model":"a"}]"#, line, "[\(line),\(line)]",
    "[\(line.replacingOccurrences(of: ":1,", with: ":1.5,"))]",
  ])
  func otherFilesAreRefused(_ text: String) {
    let error = #expect(throws: PackError.self) { try Baseline(text, name: "the-file") }
    #expect(error?.kind == .file && error?.description.contains("the-file") == true)
  }

  @Test func updatesReplaceAddAndDrop() throws {
    var baseline = Baseline()
    baseline.update(
      with: [
        try measured("a", "m4", instructions: 1), try measured("b", "m4", instructions: 1),
        try measured("old", "m4", instructions: 1), try measured("a", "old", instructions: 1),
      ], models: ["a", "b", "old"], boards: ["m4", "old"])
    #expect(baseline.rows.count == 4)
    baseline.update(
      with: [
        try measured("a", "m4", instructions: 7), try measured("c", "m4", instructions: 8),
        try measured("d", "m4", instructions: nil),
      ], models: ["a", "b", "c", "d"], boards: ["m4"])
    let known = Dictionary(uniqueKeysWithValues: baseline.rows.map { ($0.name, $0.instructions) })
    #expect(known == ["a on m4": 7, "b on m4": 1, "c on m4": 8])
  }

  @Test func rowsAreSorted() throws {
    var baseline = Baseline()
    let names = [("b", "m4"), ("a", "m7"), ("a", "m4")]
    baseline.update(
      with: try names.map { try measured($0.0, $0.1, instructions: 1) }, models: ["a", "b"], boards: ["m4", "m7"])
    let sorted = try Baseline(baseline.text, name: "file").rows.map(\.name)
    #expect(sorted == ["a on m4", "a on m7", "b on m4"])
  }
}
