import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// The golden vectors of the transformer operators, through kernels in blobs that are put together by
/// hand: here, and on every board.
@Suite(.serialized) struct GoldenTransformerTests {
  static let programs = Result {
    try GoldenProgram.projections() + GoldenProgram.normalisations() + GoldenProgram.activations()
  }

  @Test func everyCaseIsThere() throws {
    let counts = try Self.programs.get().map { ($0.name, $0.expected.count) }
    #expect(
      Dictionary(uniqueKeysWithValues: counts) == [
        "linear through project": 4 * 6, "requant through project": 15 * 2, "add2 through project": 6 + 5,
        "norm": 16 + 10, "paper_layernorm": 8 + 2 * 10, "activation": 4 * 2 + 3 + 1, "paper_shiftgelu": 7 * 2,
        "isqrt, paper, 10 steps, from 0": 48, "isqrt, paper, 10 steps, from 24": 48,
        "isqrt, paper, 10 steps, from 48": 48, "isqrt, paper, 10 steps, from 72": 42,
      ])
  }

  @Test(arguments: try Self.programs.get())
  func onThisMachine(program: GoldenProgram) throws {
    let model = try Model(try program.hand.blob())
    program.expect(try model(program.sample))
    #expect(model.guardsAreIntact)
  }

  @Test(arguments: BoardTests.boards)
  func onBoard(name: String) throws {
    let emulator = try Emulator(board: try Board.named(name))
    let chain = try RowChain(rows: 5, unitsInLoop: 2).program
    for program in try Self.programs.get() + NormalizeTests.variances() + [chain] {
      let result = try emulator.run(blob: try program.hand.blob(), samples: [program.sample])
      program.expect(try #require(result.outputs.first))
      #expect(result.stackBytes <= Int(Limits.stackBytes), "\(program.name)")
    }
  }
}
