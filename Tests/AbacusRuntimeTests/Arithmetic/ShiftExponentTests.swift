import Foundation
import Testing

@testable import AbacusRuntime

@Suite struct ShiftExponentTests {
  private struct Case: Decodable {
    let name: String
    let params: GoldenDyadic?
    let f: [UInt32]?
    let t: [UInt32]?
    let q30: [UInt32]?
    let y: [UInt32]?
    let q15: [UInt32]?
    let q20: [UInt32]?
  }

  @Test func goldenVectors() throws {
    let cases = try GoldenVectors.cases("exp2", Case.self)
    #expect(cases.count == 8)
    for golden in cases {
      switch golden.name {
      case "frac": #expect(golden.f?.map(exponentOfFraction) == golden.q30)
      case "q15": #expect(golden.t?.map(exponentQ15) == golden.y)
      case "q20": #expect(golden.t?.map(exponentQ20) == golden.y)
      default:
        let p = try #require(golden.params)
        let arguments = (Int32(0)..<256).map { exponentArgument($0, multiplier: p.m, shift: p.s) }
        #expect(arguments.map(exponentQ15) == golden.q15, "\(golden.name)")
        #expect(arguments.map(exponentQ20) == golden.q20, "\(golden.name)")
      }
    }
  }

  @Test func fractionsAreCloseAndStrictlyDecreasing() {
    var last = exponentOfFraction(0)
    #expect(last == 1 << 30)
    var worst = 0.0
    for f in UInt32(1)..<0x1_0000 {
      let value = exponentOfFraction(f)
      if value >= last { Issue.record("2^-f does not decrease at \(f)") }
      last = value
      let real = Foundation.exp2(30 - Double(f) / 65_536)
      worst = max(worst, abs(Double(value) - real) / real)
    }
    #expect(worst < 1.12e-4)
    #expect(last > 1 << 29)
  }

  @Test func gridValuesAreCloseAndMonotone() {
    var last20 = exponentQ20(0)
    var last15 = exponentQ15(0)
    #expect(last20 == 1 << 20 && last15 == 32767)
    for t in stride(from: UInt32(0), to: 23 << 16, by: 37) {
      let (e20, e15) = (exponentQ20(t), exponentQ15(t))
      let real = Foundation.exp2(-Double(t) / 65_536)
      #expect(e20 <= last20 && e15 <= last15)
      #expect(abs(Double(e20) - real * 0x1p20) <= 0.5 + real * 0x1p20 * 1.12e-4)
      #expect(abs(Double(e15) - min(real * 0x1p15, 32767)) <= 0.5 + real * 0x1p15 * 1.12e-4)
      (last20, last15) = (e20, e15)
    }
    #expect(exponentQ20(21 << 16) == 0 && exponentQ20(.max) == 0)
    #expect(exponentQ15(16 << 16) == 0 && exponentQ15(.max) == 0)
  }

  /// A difference too large for 32 bits saturates instead of wrapping to a large exponential.
  @Test func argumentSaturates() {
    #expect(exponentArgument(255, multiplier: .max, shift: 1) == UInt32(Int32.max))
    #expect(exponentQ20(exponentArgument(255, multiplier: .max, shift: 1)) == 0)
    #expect(exponentArgument(0, multiplier: .max, shift: 1) == 0)
  }

  @Test func reciprocalIsExact() {
    func check(_ sum: UInt32) {
      let reciprocal = Reciprocal(sum)
      let length = 32 - sum.leadingZeroBitCount
      #expect(Int(reciprocal.length) == length)
      let expected = min((UInt64(1) << UInt64(length + 30)) / UInt64(sum), 0x7FFF_FFFF)
      #expect(UInt64(reciprocal.mantissa) == expected, "1 / \(sum)")
    }
    for sum in UInt32(1)...5000 { check(sum) }
    for bit in UInt32(0)..<32 {
      for beside in -2...2 {
        if let sum = UInt32(exactly: Int(UInt32(1) << bit) + beside), sum > 0 { check(sum) }
      }
    }
    check(.max)
    var generator = SeededGenerator(state: 3)
    for _ in 0..<20_000 { check(UInt32.random(in: 1 ... .max, using: &generator)) }
  }

  private struct SoftmaxCase: Decodable {
    let name: String
    let params: GoldenDyadic
    let x: [[Int32]]
    let q15: [[Int32]]
    let i8: [[Int32]]
  }

  /// Softmax put together from its parts, for rows of 8, 16 and 32 bits.
  @Test func goldenSoftmaxRows() throws {
    let cases = try GoldenVectors.cases("softmax", SoftmaxCase.self)
    #expect(cases.count == 43)
    for golden in cases {
      for (row, x) in golden.x.enumerated() {
        let greatest = x.max() ?? 0
        let exponentials = x.map {
          exponentQ20(exponentArgument(greatest - $0, multiplier: golden.params.m, shift: golden.params.s))
        }
        let reciprocal = Reciprocal(exponentials.reduce(0, +))
        let wide = exponentials.map {
          min(requantize(Int32($0), reciprocal.mantissa, shift: reciprocal.length + 15), 32767)
        }
        let narrow = exponentials.map {
          min(requantize(Int32($0), reciprocal.mantissa, shift: reciprocal.length + 22), 255) - 128
        }
        #expect(wide == golden.q15[row], "\(golden.name)")
        #expect(narrow == golden.i8[row], "\(golden.name)")
      }
    }
  }
}
