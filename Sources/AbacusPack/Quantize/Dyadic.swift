import Foundation

/// A real factor as `multiplier / 2^shift` (integer-semantics section 1).
struct Dyadic: Equatable {
  var multiplier: Int32
  var shift: Int32

  /// The nearest dyadic number with an even 31-bit mantissa, for `0 <= factor < 2^29`.
  ///
  /// The mantissa is even so that SQDMULH with half of it gives the exact high word on AArch64.
  /// Below 2^-31 mantissa bits are dropped so that the shift stays at 62.
  init(_ factor: Double) {
    let shared = SharedShift([factor])
    multiplier = shared.multipliers[0]
    shift = shared.shift
  }
}

/// Several factors with one common shift: the largest keeps all its mantissa bits, smaller ones
/// lose as many as they are smaller (integer-semantics section 10).
struct SharedShift {
  var multipliers: [Int32]
  var shift: Int32

  /// - Parameters:
  ///   - factors: real factors, negative ones included.
  ///   - bits: mantissa bits of the largest; 31 for requantisation, 30 for weighted sums.
  init(_ factors: [Double], bits: Int32 = 31) {
    let largest = factors.map(\.magnitude).max() ?? 0
    guard largest > 0, largest.isFinite else {
      multipliers = factors.map { _ in 0 }
      shift = 1
      return
    }
    // largest = f * 2^exponent with 0.5 <= f < 1
    let exponent = Int32(largest.exponent) + 1
    var shift = min(max(bits - exponent, 1), 62)
    let limit = Double(sign: .plus, exponent: Int(bits), significand: 1)
    if SharedShift.evenMantissa(largest, shift) >= limit { shift -= 1 }
    self.shift = shift
    multipliers = factors.map { Int32(SharedShift.evenMantissa($0, shift)) }
  }

  fileprivate static func evenMantissa(_ factor: Double, _ shift: Int32) -> Double {
    2 * (factor * Double(sign: .plus, exponent: Int(shift) - 1, significand: 1) + 0.5).rounded(.down)
  }
}

/// What the accumulators of a matrix product are made of, one entry a channel.
struct AccumulatorSums {
  /// With the input zero point folded in.
  var bias: [Int32]
  /// Largest magnitude of the sum of products.
  var products: [Int64]
  /// Of the weights.
  var zeroPoint: Int32

  func bound(_ channel: Int) -> Int64 { Int64(bias[channel].magnitude) + products[channel] }

  /// Largest magnitude of each accumulator.
  var bounds: [Int64] { bias.indices.map(bound) }
}

/// Multipliers of the output channels of a matrix product: one shift for all where that is
/// accurate, one for each channel otherwise.
struct ChannelMultipliers {
  var multipliers: [Int32]
  var shift: Int32
  /// Present where one shift for all would lose accuracy.
  var shifts: [UInt8]?

  /// Largest error, in steps of the output, that dropping mantissa bits may cause: what 20
  /// significant bits leave of 255 steps.
  static let tolerance = 1.0 / 4096

  /// Multipliers that are found already.
  init(multipliers: [Int32], shift: Int32) {
    self.multipliers = multipliers
    self.shift = shift
  }

  /// - Parameters:
  ///   - factors: scale of input times scale of weights by scale of output, one a channel.
  ///   - sums: bias and bounds of each channel's accumulator. Where a channel's weights are so small that
  ///     its accumulator is almost all bias, the bias makes up for what its multiplier loses.
  ///   - outputSteps: steps between the lowest and the highest output; what lies outside is clamped.
  init(factors: [Double], sums: inout AccumulatorSums, outputSteps: Double) {
    let shared = SharedShift(factors)
    let step = Double(sign: .plus, exponent: -Int(shared.shift), significand: 1)
    shift = shared.shift
    multipliers = shared.multipliers
    var balanced = sums
    for (channel, factor) in factors.enumerated() {
      let bound = Double(sums.bound(channel))
      let reach = factor > 0 ? min(bound, 2 * outputSteps / factor) : bound
      if step * reach <= Self.tolerance { continue }
      guard let other = Self.balance(factor, sums.bias[channel], products: sums.products[channel], shared.shift) else {
        let own = factors.map(Dyadic.init)
        multipliers = own.map(\.multiplier)
        shifts = own.map { UInt8($0.shift) }
        return
      }
      multipliers[channel] = other.multiplier
      balanced.bias[channel] = other.bias
    }
    sums = balanced
  }

  /// A multiplier with few bits and the bias that gives what the exact one gives without it; nil where the
  /// products would show the difference.
  private static func balance(
    _ factor: Double, _ bias: Int32, products: Int64, _ shift: Int32
  ) -> (multiplier: Int32, bias: Int32)? {
    let unit = Double(sign: .plus, exponent: Int(shift), significand: 1)
    let exact = factor * unit
    let multiplier = max(SharedShift.evenMantissa(factor, shift), 2)
    let other = (Double(bias) * exact / multiplier).rounded()
    let error = (Double(products) * (exact - multiplier).magnitude + multiplier / 2) / unit
    guard factor > 0, error <= tolerance, other.magnitude + Double(products) < 0x1p31 else { return nil }
    return (Int32(multiplier), Int32(other))
  }
}
