import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// The golden vectors of softmax, attention and sums, through kernels in blobs that are put together by
/// hand: here, and on every board.
@Suite struct GoldenAttentionTests {
  static let programs = Result {
    try GoldenProgram.softmaxes() + GoldenProgram.shiftmaxes() + GoldenProgram.sums() + GoldenProgram.attentions()
      + GoldenProgram.exponentials()
  }

  @Test func everyCaseIsThere() throws {
    let labels = try Self.programs.get().flatMap { $0.expected.map(\.label) }
    func cases(_ name: String) throws -> Set<String> {
      Set(try goldenCases(name, NamedCase.self).map(\.name))
    }
    for (file, count) in [("softmax", 2), ("paper_shiftmax", 4), ("add2", 2), ("attention", 4)] {
      for name in try cases(file) {
        #expect(labels.count { $0.contains(name) } >= count, "\(file): \(name)")
      }
    }
    #expect(labels.count { ["frac", "q15", "q20"].contains($0) || $0.hasPrefix("lut") } == 3 + 2 * 5)
  }

  private struct NamedCase: Decodable {
    let name: String
  }

  @Test(arguments: try Self.programs.get())
  func onThisMachine(program: GoldenProgram) throws {
    let model = try Model(try program.hand.blob())
    program.expect(try model(program.sample))
    #expect(model.guardsAreIntact)
  }

  @Test(arguments: BoardTests.boards)
  func onBoards(name: String) throws {
    let emulator = try Emulator(board: try Board.named(name))
    for program in try Self.programs.get() {
      let result = try emulator.run(blob: try program.hand.blob(), samples: [program.sample])
      program.expect(result.outputs[0])
      #expect(result.stackBytes <= emulator.board.stackBytes, "\(program.name)")
    }
  }
}
