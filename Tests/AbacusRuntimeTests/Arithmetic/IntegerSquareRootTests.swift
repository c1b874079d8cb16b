import Testing

@testable import AbacusRuntime

@Suite struct IntegerSquareRootTests {
  private struct Case: Decodable {
    let name: String
    let v: [String]
    let y: [String]?

    init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: Keys.self)
      name = try values.decode(String.self, forKey: .name)
      // The paper's iteration has plain numbers and other results; it is not ours.
      y = try values.decodeIfPresent([String].self, forKey: .y)
      v = y == nil ? [] : try values.decode([String].self, forKey: .v)
    }

    enum Keys: CodingKey { case name, v, y }
  }

  @Test func goldenVectors() throws {
    let golden = try #require(try GoldenVectors.cases("isqrt", Case.self).first { $0.name == "exact" })
    let expected = try #require(golden.y).map { UInt64($0) }
    #expect(golden.v.count > 100)
    #expect(golden.v.map { integerSquareRoot(UInt64($0) ?? .max) } == expected)
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
