import Testing

@testable import AbacusRuntime

@Suite struct LongDivisionTests {
  private func check(_ dividend: UInt64, _ divisor: UInt32) -> Bool {
    let quotient = longDivision(
      high: UInt32(truncatingIfNeeded: dividend >> 32), low: UInt32(truncatingIfNeeded: dividend), by: divisor)
    return UInt64(quotient) == dividend / UInt64(divisor)
  }

  /// Every quotient that fits 32 bits.
  @Test func randomNumbers() {
    var generator = SeededGenerator(state: 9)
    for round in 0..<20_000 {
      let divisor = max(UInt32(truncatingIfNeeded: generator.next()) >> UInt32(round % 32), 1)
      let limit = UInt64(divisor) << 32
      #expect(check(generator.next() % limit, divisor))
      #expect(check(limit - 1, divisor))
      #expect(check((generator.next() % limit) >> UInt64(round % 64), divisor))
    }
  }

  @Test func edges() {
    #expect(check(0, 1) && check(UInt64(UInt32.max), 1) && check(0, .max))
    #expect(check(UInt64(UInt32.max) << 32 - 1, .max) && check(1 << 61 - 1, 1 << 30) && check(1 << 61 - 1, .max >> 1))
  }

  /// The mean of I-LayerNorm rounds halves up, negative ones too.
  @Test func means() {
    for count in Int32(1)...9 {
      for sum in Int32(-50)...50 {
        let mean = roundedMean(sum, count: count)
        // sum / count - 1/2 < mean <= sum / count + 1/2
        #expect(2 * mean * count <= 2 * sum + count && 2 * mean * count > 2 * sum - count)
      }
    }
    #expect(roundedMean(-5, count: 2) == -2 && roundedMean(5, count: 2) == 3)
    #expect(roundedMean(-(1 << 28), count: 4096) == -(1 << 16))
  }
}
