import Testing

@testable import bench

@Suite struct ComparisonTests {
  private static func row(
    _ model: String, _ board: String = "m4", instructions: Int = 1000, code: Int = 1000, arena: Int = 1000
  ) -> BaselineRow {
    BaselineRow(
      model: model, board: board, instructions: instructions, openInstructions: 1000, codeBytes: code,
      arenaBytes: arena, stackBytes: 1000)
  }

  @Test func onePercentIsNoChange() {
    let comparison = Comparison(
      [Self.row("a"), Self.row("b")], [Self.row("a", instructions: 1010), Self.row("b", instructions: 990)])
    #expect(comparison.regressions.isEmpty && comparison.gains.isEmpty)
    #expect(comparison.compared == 2)
    #expect(
      comparison.text
        == "bench: 2 rows compared with the baseline, 0 figures worse and 0 better by more than 1 %\n")
  }

  @Test func largerIsWorseAndTheLargestComesFirst() {
    let comparison = Comparison(
      [Self.row("a"), Self.row("b")],
      [Self.row("a", instructions: 1011, arena: 500), Self.row("b", instructions: 900, code: 2000)])
    #expect(
      comparison.regressions == [
        .init(subject: "b on m4", figure: "code bytes", before: 1000, after: 2000),
        .init(subject: "a on m4", figure: "instructions", before: 1000, after: 1011),
      ])
    #expect(
      comparison.gains == [
        .init(subject: "a on m4", figure: "arena bytes", before: 1000, after: 500),
        .init(subject: "b on m4", figure: "instructions", before: 1000, after: 900),
      ])
    let lines = comparison.text.split(separator: "\n")
    #expect(lines.contains { $0.hasPrefix("b on m4") && $0.hasSuffix("+100.0 %") })
    #expect(lines.contains { $0.hasPrefix("a on m4") && $0.hasSuffix("-50.0 %") })
    #expect(lines.last?.contains("2 figures worse and 2 better") == true)
  }

  @Test func theSameModelOnAnotherBoardIsAnotherRow() {
    let comparison = Comparison([Self.row("a", "m4")], [Self.row("a", "m4"), Self.row("a", "m7", instructions: 1)])
    #expect(comparison.compared == 1 && comparison.gains.isEmpty)
    #expect(comparison.unknown == ["a on m7"])
    #expect(comparison.text.hasSuffix("bench: not in the baseline: a on m7\n"))
  }

  @Test func somethingOutOfNothingIsWorse() {
    let comparison = Comparison([Self.row("a", arena: 0)], [Self.row("a", arena: 16)])
    #expect(comparison.regressions.map(\.figure) == ["arena bytes"])
  }
}
