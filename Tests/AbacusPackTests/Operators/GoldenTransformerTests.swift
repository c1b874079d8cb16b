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

  /// What boards run, packed once for all of them.
  private static let packed = Result {
    try (programs.get() + NormalizeTests.variances() + [RowChain(rows: 5, unitsInLoop: 2).program])
      .map { (program: $0, blob: try $0.hand.blob()) }
  }

  @Test func everyCaseIsThere() throws {
    var others = try Self.programs.get()
    let roots = others.filter { $0.name.hasPrefix("isqrt") }
    others.removeAll { $0.name.hasPrefix("isqrt") }
    #expect(roots.reduce(0) { $0 + $1.expected.count } == 93 * 2)
    let counts = others.map { ($0.name, $0.expected.count) }
    #expect(
      Dictionary(uniqueKeysWithValues: counts) == [
        "linear through project": 4 * 6, "requant through project": 15 * 2, "add2 through project": 6 + 5,
        "norm": 16 + 10, "paper_layernorm": 8 + 2 * 10, "activation": 4 * 2 + 3 + 1, "paper_shiftgelu": 7 * 2,
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
    for (program, blob) in try Self.packed.get() {
      let result = try emulator.run(blob: blob, samples: [program.sample])
      program.expect(try #require(result.outputs.first))
      #expect(result.stackBytes <= emulator.board.stackBytes, "\(program.name)")
    }
  }
}
