import Testing

@testable import AbacusFormat
@testable import AbacusRuntime

@Suite struct RequantizationTests {
  /// The definition, in arithmetic that cannot overflow.
  private func exact(_ x: Int32, _ multiplier: Int32, shift: Int32) -> Int128 {
    (Int128(x) * Int128(multiplier) + Int128(1) << (shift - 1)) >> shift
  }

  private static let edges: [Int32] = [
    0, 1, -1, 2, -2, 3, -3, 127, -128, 255, 1 << 15, -1 << 15, 1 << 16, 1 << 29, -1 << 29, 1 << 30,
    -1 << 30, (1 << 30) + 1, .max, .max - 1, .min, .min + 1,
  ]

  private func firstDifference(
    _ shift: Int32, _ pairs: some Sequence<(Int32, Int32)>
  ) -> String? {
    for (x, multiplier) in pairs {
      let value = requantize(x, multiplier, shift: shift)
      let expected = Int32(clamping: exact(x, multiplier, shift: shift))
      if value != expected { return "requantize(\(x), \(multiplier), \(shift)) = \(value), not \(expected)" }
    }
    return nil
  }

  @Test(arguments: Limits.requantizationShifts)
  func edgesAreExact(shift: Int32) {
    let pairs = Self.edges.flatMap { x in Self.edges.map { (x, $0) } }
    #expect(firstDifference(shift, pairs) == nil)
  }

  @Test(arguments: Limits.requantizationShifts)
  func randomValuesAreExact(shift: Int32) {
    var generator = SeededGenerator(state: UInt64(shift))
    let pairs = (0..<4000).map { round -> (Int32, Int32) in
      let x = Int32.random(in: .min ... .max, using: &generator) >> Int32(round % 28)
      let multiplier =
        round % 3 == 0
        ? Int32.random(in: .min ... .max, using: &generator)
        : Int32.random(in: 1 << 30 ... .max, using: &generator)
      return (x, multiplier)
    }
    #expect(firstDifference(shift, pairs) == nil)
  }

  /// Values on and beside every tie, where a second rounding would show.
  @Test(arguments: Limits.requantizationShifts)
  func tiesRoundUp(shift: Int32) {
    let multiplier: Int32 = shift >= 31 ? 1 << 30 : 1
    let half = Int128(1) << (shift - 1)
    var pairs: [(Int32, Int32)] = []
    for step in -40...40 {
      for beside in -1...1 {
        let x = Int128(2 * step + 1) * half / Int128(multiplier) + Int128(beside)
        if let x = Int32(exactly: x) { pairs.append((x, multiplier)) }
      }
    }
    #expect(!pairs.isEmpty && firstDifference(shift, pairs) == nil)
  }

  @Test func saturates() {
    #expect(requantize(.max, .max, shift: 1) == .max)
    #expect(requantize(.min, .max, shift: 1) == .min)
    #expect(requantize(.min, .min, shift: 1) == .max)
    #expect(requantize(.max, 1 << 30, shift: 29) == .max)
    #expect(requantize(.min, 1 << 30, shift: 29) == .min)
    #expect(requantize(.max, 1 << 30, shift: 30) == .max)
  }

  private struct Case: Decodable {
    struct Parameters: Decodable {
      let m, s, zp, lo, hi: Int32
    }
    let name: String
    let params: Parameters
    let x: [Int32]
    let raw: [Int64]
    let y: [Int32]
  }

  @Test func goldenVectors() throws {
    let cases = try GoldenVectors.cases("requant", Case.self)
    #expect(cases.count == 15)
    for golden in cases {
      let p = golden.params
      let stage = OutputStage(shift: p.s, zeroPoint: p.zp, low: p.lo, high: p.hi)
      #expect(
        golden.x.map { requantize($0, p.m, shift: p.s) } == golden.raw.map { Int32(clamping: $0) },
        "\(golden.name)")
      #expect(golden.x.map { stage.apply($0, multiplier: p.m) } == golden.y, "\(golden.name)")
    }
  }

  private struct LinearCase: Decodable {
    let name: String
    let x: [[Int32]]
    let w: [[Int32]]
    let bias: [Int32]
    let acc: [[Int32]]
    let m: [Int32]
    let s: [Int32]
    let y: [[Int32]]
  }

  @Test func goldenLinearLayers() throws {
    let stage = OutputStage(shift: 1, zeroPoint: 0, low: -128, high: 127)
    for golden in try GoldenVectors.cases("linear", LinearCase.self) {
      for (row, x) in golden.x.enumerated() {
        let sums = golden.w.indices.map { n in zip(x, golden.w[n]).reduce(golden.bias[n]) { $0 + $1.0 * $1.1 } }
        #expect(sums == golden.acc[row], "\(golden.name)")
        let codes = sums.indices.map {
          stage.apply(sums[$0], multiplier: golden.m[$0], shift: golden.s[$0])
        }
        #expect(codes == golden.y[row], "\(golden.name)")
      }
    }
  }

  @Test func finishClampsBeforeItCanWrap() {
    for zeroPoint in [Int32(-128), -1, 0, 5, 127] {
      for (low, high) in [(Int32(-128), Int32(127)), (zeroPoint, 127), (-3, 4), (7, 7)] {
        let stage = OutputStage(shift: 1, zeroPoint: zeroPoint, low: low, high: high)
        for value in Self.edges + Array(-300...300) {
          let expected = min(max(Int64(value) + Int64(zeroPoint), Int64(low)), Int64(high))
          #expect(Int64(stage.finish(value)) == expected)
        }
      }
    }
    let wide = OutputStage(shift: 1, zeroPoint: -32768, low: -32768, high: 32767)
    #expect(wide.finish(.min) == -32768 && wide.finish(.max) == 32767 && wide.finish(65535) == 32767)
    let whole = OutputStage(shift: 1, zeroPoint: 0, low: .min, high: .max)
    #expect(whole.finish(.min) == .min && whole.finish(.max) == .max)
  }
}
