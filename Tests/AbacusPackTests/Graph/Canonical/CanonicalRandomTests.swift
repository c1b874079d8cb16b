import Testing

@testable import AbacusPack

@Suite struct CanonicalRandomTests {
  @Test(arguments: 0..<40) func randomGraphsKeepTheirMeaning(_ part: Int) throws {
    for seed in part * 20..<part * 20 + 20 {
      var test = RandomFloatGraph.make(seed: seed, nodes: 3 + seed % 14)
      let once = try test.canonical(tolerance: 1e-3, comment: "seed \(seed)")
      // The form is one that does not change any more.
      #expect(try once.canonical().summary(names: false) == once.summary(names: false), "seed \(seed)")
    }
  }
}
