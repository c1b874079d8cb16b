import Testing

@testable import AbacusRuntime

@Suite struct WeightedSumTests {
  private struct Case: Decodable {
    struct Parameters: Decodable {
      let ma, mb, s, lo, hi: Int32
    }
    let name: String
    let params: Parameters
    let a: [Int32]
    let b: [Int32]
    let y: [Int32]
  }

  @Test func goldenVectors() throws {
    let cases = try GoldenVectors.cases("add2", Case.self)
    #expect(cases.count == 6)
    for golden in cases {
      let p = golden.params
      let sums = zip(golden.a, golden.b).map { a, b in
        min(max(weightedSum(a, p.ma, b, p.mb, shift: p.s), p.lo), p.hi)
      }
      #expect(sums == golden.y, "\(golden.name)")
    }
  }

  /// One rounding for the sum, half up, for every shift and both signs of the multipliers.
  @Test(arguments: Int32(1)...62)
  func isExactWhereTheResultFits(shift: Int32) {
    var generator = SeededGenerator(state: UInt64(shift) + 1000)
    var compared = 0
    for round in 0..<4000 {
      let width = Int32(round % 30)
      let a = Int32.random(in: .min / 2 ... .max / 2, using: &generator) >> width
      let b = Int32.random(in: .min / 2 ... .max / 2, using: &generator) >> (29 - width)
      let ma = Int32.random(in: -(1 << 30)...1 << 30, using: &generator) >> Int32(round % 31)
      let mb = Int32.random(in: -(1 << 30)...1 << 30, using: &generator)
      let sum = Int128(a) * Int128(ma) + Int128(b) * Int128(mb)
      guard let expected = Int32(exactly: (sum + Int128(1) << (shift - 1)) >> shift) else { continue }
      compared += 1
      let value = weightedSum(a, ma, b, mb, shift: shift)
      if value != expected {
        Issue.record("weightedSum(\(a), \(ma), \(b), \(mb), \(shift)) = \(value), not \(expected)")
        return
      }
    }
    #expect(compared > 20)
  }
}
