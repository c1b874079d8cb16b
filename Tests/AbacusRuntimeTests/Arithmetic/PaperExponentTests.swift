import AbacusFormat
import AbacusRuntime
import Testing

/// ShiftExp and IntDiv against their definition, in numbers that cannot overflow.
@Suite struct PaperExponentTests {
  /// Integer-semantics 4.1.
  private func expected(_ d: Int, _ p: ShiftExponentParameters) -> Int {
    let (unit, octaves) = (Int(p.unit), Int(p.octaves))
    let exponent = max(d + (d >> 1) - (d >> 4), -octaves * unit)
    let rest = ((-exponent) % unit + unit) % unit
    let shift = octaves - (-exponent - rest) / unit
    let base = p.keepsHalfBit == 0 ? ((-rest) >> 1) + unit : 2 * unit - rest
    if shift > 35 { return Int(Int32.max) }
    return min(p.keepsHalfBit == 0 ? base << shift : (base << shift) >> 1, Int(Int32.max))
  }

  @Test(arguments: [false, true])
  func smallDifferences(keepsHalfBit: Bool) {
    for unit in [1, 2, 3, 8, 13, 100] {
      for octaves in [1, 8, 15, 23, 30] {
        let p = ShiftExponentParameters(unit: Int32(unit), octaves: Int32(octaves), keepsHalfBit: keepsHalfBit)
        for d in -3000...300 where Int(shiftExponent(Int32(d), p)) != expected(d, p) {
          Issue.record("\(d), unit \(unit), \(octaves) octaves")
        }
      }
    }
  }

  @Test(arguments: [false, true])
  func anyDifference(keepsHalfBit: Bool) {
    var random = SeededGenerator(state: 5)
    for _ in 0..<20_000 {
      let p = ShiftExponentParameters(
        unit: Int32.random(in: 1...1 << 24, using: &random) >> Int32.random(in: 0...20, using: &random) | 1,
        octaves: Int32.random(in: 1...30, using: &random), keepsHalfBit: keepsHalfBit)
      let d = Int32.random(in: .min ... .max, using: &random) >> Int32.random(in: 0...31, using: &random)
      if Int(shiftExponent(d, p)) != expected(Int(d), p) { Issue.record("\(d) \(p)") }
    }
    for p in [ShiftExponentParameters(unit: 1, octaves: 30), ShiftExponentParameters(unit: 1 << 24, octaves: 30)] {
      for d in [Int32.min, .min + 1, .max, .max - 1, 0, 1, -1] {
        #expect(Int(shiftExponent(d, p)) == expected(Int(d), p), "\(d)")
      }
    }
  }

  @Test func quotients() {
    var random = SeededGenerator(state: 6)
    for _ in 0..<20_000 {
      let divisor = max(Int32.random(in: 1 ... .max, using: &random) >> Int32.random(in: 0...30, using: &random), 1)
      let dividend = Int32.random(in: 0...divisor, using: &random)
      let bits = Int32.random(in: 2...16, using: &random)
      let wanted = (Int(dividend) * (Int(Int32.max) / Int(divisor))) >> Int(32 - bits)
      let quotient = PaperQuotient(divisor: divisor, bits: bits)
      if Int(quotient[dividend]) != wanted { Issue.record("\(dividend) / \(divisor) on \(bits) bits") }
      #expect(quotient[divisor] < 1 << (bits - 1))
    }
  }

  @Test func sumsSaturate() {
    #expect(saturatedSum(.max, 1) == .max && saturatedSum(.min, -1) == .min)
    #expect(saturatedSum(.max, .min) == -1 && saturatedSum(3, 4) == 7)
    #expect(saturatedSum(.max - 1, 1) == .max)
  }
}
