import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Operators of rows in a loop over blocks of rows: the same bytes, from tensors that never exist as a
/// whole.
@Suite struct RowChainTests {
  private func arena(_ chain: RowChain) throws -> Int {
    let blob = try chain.program.hand.blob()
    let model = try Model(blob)
    chain.program.expect(try model(chain.program.sample))
    #expect(model.guardsAreIntact)
    return try Model.requirements(of: blob).arenaBytes
  }

  @Test(arguments: [1, 2, 5, 6, 7])
  func blocksOfRows(rows: Int) throws {
    let whole = try arena(RowChain(rows: rows, unitsInLoop: nil))
    var before = 0
    for unitsInLoop in 1...rows {
      let chain = RowChain(rows: rows, unitsInLoop: unitsInLoop)
      let bytes = try arena(chain)
      #expect(bytes >= before)
      // Not only flags: most of what the steps pass on does not exist as a whole. Indices and the last
      // output do, with 20 bytes a row.
      if rows >= 5 && unitsInLoop == 1 { #expect(4 * (bytes - 20 * rows) < 3 * (whole - 20 * rows)) }
      before = bytes
    }
  }

  @Test func outputsAreNotTrivial() {
    let chain = RowChain(rows: 7, unitsInLoop: nil)
    for codes in chain.results { #expect(Set(codes).count > 8, "\(codes)") }
  }
}
