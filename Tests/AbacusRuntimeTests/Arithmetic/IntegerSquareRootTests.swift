import Testing

@testable import AbacusRuntime

@Suite struct IntegerSquareRootTests {
  private struct Case: Decodable {
    let name: String
    let v: [UInt64]
    let y: [UInt64]?
    let start_2_16, start_bits: [UInt32]?

    init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: Keys.self)
      name = try values.decode(String.self, forKey: .name)
      // Exact roots and their squares exceed 2^53 and are strings.
      y = try values.decodeIfPresent([String].self, forKey: .y)?.compactMap { UInt64($0) }
      v =
        y == nil
        ? try values.decode([UInt64].self, forKey: .v)
        : try values.decode([String].self, forKey: .v).compactMap { UInt64($0) }
      start_2_16 = try values.decodeIfPresent([UInt32].self, forKey: .start_2_16)
      start_bits = try values.decodeIfPresent([UInt32].self, forKey: .start_bits)
    }

    enum Keys: CodingKey { case name, v, y, start_2_16, start_bits }
  }

  @Test func goldenVectors() throws {
    let golden = try #require(try GoldenVectors.cases("isqrt", Case.self).first { $0.name == "exact" })
    #expect(golden.v.count > 100)
    #expect(golden.v.map { integerSquareRoot($0) } == golden.y)
  }

  /// I-ViT's ten steps, which are not exact.
  @Test func goldenVectorsOfThePaper() throws {
    let golden = try #require(try GoldenVectors.cases("isqrt", Case.self).first { $0.name == "paper, 10 steps" })
    #expect(golden.v.count > 90)
    #expect(golden.v.map { paperSquareRoot($0, start: 16) } == golden.start_2_16)
    #expect(golden.v.map { paperSquareRoot($0, start: 0) } == golden.start_bits)
  }

  private func isFloorOfRoot(_ root: UInt64, _ value: UInt64) -> Bool {
    let r = UInt128(root)
    return r * r <= UInt128(value) && (r + 1) * (r + 1) > UInt128(value)
  }

  @Test func smallValues() {
    #expect((UInt64(0)..<100_000).allSatisfy { isFloorOfRoot(integerSquareRoot($0), $0) })
  }

  @Test func besideSquares() {
    var generator = SeededGenerator(state: 7)
    for round in 0..<2000 {
      let root = UInt64.random(in: 1..<3_037_000_499, using: &generator) >> UInt64(round % 31)
      for value in [root * root, root * root + 1, root * root + 2 * root] + (root > 0 ? [root * root - 1] : []) {
        #expect(isFloorOfRoot(integerSquareRoot(value), value))
      }
    }
    #expect(integerSquareRoot(1 << 62) == 1 << 31)
    #expect(isFloorOfRoot(integerSquareRoot(.max >> 1), .max >> 1))
  }

  @Test func randomValues() {
    var generator = SeededGenerator(state: 8)
    for round in 0..<20_000 {
      let value = generator.next() >> UInt64(1 + round % 60)
      #expect(isFloorOfRoot(integerSquareRoot(value), value))
    }
  }
}
