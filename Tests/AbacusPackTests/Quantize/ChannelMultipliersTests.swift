import Testing

@testable import AbacusPack

/// One shift for all channels of a layer, however far apart their scales are.
@Suite struct ChannelMultipliersTests {
  /// What a channel gives for a sum of products, in steps of the output.
  private func value(_ m: ChannelMultipliers, _ sums: AccumulatorSums, _ channel: Int, _ products: Int64) -> Double {
    let shift = m.shifts.map { Int($0[channel]) } ?? Int(m.shift)
    let accumulator = Double(products + Int64(sums.bias[channel]))
    return accumulator * Double(m.multipliers[channel]) / Double(sign: .plus, exponent: shift, significand: 1)
  }

  /// Channels whose weights are next to nothing, as pruned networks have them: their accumulators are
  /// almost all bias.
  @Test(arguments: [0x1p-24, 0x1.8p-27, 0x1.3p-29, 0x1p-33]) func biasMakesUp(factor: Double) {
    let factors = [0x1.2p-6, factor]
    let before = AccumulatorSums(bias: [-900, Int32(min(30 / factor, 0x1p30))], products: [1 << 20, 1 << 21], zeroPoint: 0)
    var sums = before
    let multipliers = ChannelMultipliers(factors: factors, sums: &sums, outputSteps: 255)
    #expect(multipliers.shifts == nil)
    #expect(sums.bias[0] == before.bias[0])
    for channel in 0..<2 {
      #expect(sums.bound(channel) < 1 << 31)
      for products in [-before.products[channel], 0, before.products[channel] / 3, before.products[channel]] {
        let exact = factors[channel] * Double(products + Int64(before.bias[channel]))
        // Outside of the output's steps all values are clamped.
        guard exact.magnitude < 2 * 255 else { continue }
        #expect(abs(value(multipliers, sums, channel, products) - exact) < 1.0 / 2048, "\(channel), \(products)")
      }
    }
  }

  /// Where products themselves would show it, each channel has a shift of its own, and nothing is moved.
  @Test func shiftsOfTheirOwn() {
    let before = AccumulatorSums(bias: [0, 1 << 20], products: [1 << 20, 1 << 30], zeroPoint: 0)
    var sums = before
    let multipliers = ChannelMultipliers(factors: [0x1.2p-6, 0x1.1357p-28], sums: &sums, outputSteps: 255)
    #expect(multipliers.shifts != nil && sums.bias == before.bias)
    #expect(abs(value(multipliers, sums, 1, 1 << 29) - 0x1.1357p-28 * Double(1 << 29 + 1 << 20)) < 1.0 / 2048)
  }
}
