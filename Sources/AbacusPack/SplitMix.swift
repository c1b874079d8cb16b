/// A small generator of numbers that are the same on every machine (SplitMix64).
public struct SplitMix: Sendable {
  var state: UInt64

  public init(state: UInt64) { self.state = state }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func next(below limit: Int) -> Int { Int(next() % UInt64(limit)) }

  /// At least 0 and below 1.
  public mutating func nextFraction() -> Double { Double(next() >> 11) * 0x1p-53 }
}
