// Two checksums: one so cheap that every open computes it, one that the world knows.

/// Word-wise multiplicative hash of the plan.
///
/// Each step is a bijection of the running value and of the word, so any change within one
/// word, a flipped bit included, changes the result for certain.
public struct PlanChecksum {
  public private(set) var value: UInt32 = 0x9E37_79B9

  public init() {}

  @inline(__always)
  public mutating func add(_ word: UInt32) {
    value = ((value &<< 5 | value &>> 27) ^ word) &* 0x85EB_CA6B
  }
}

/// CRC-32 of IEEE 802.3 (reflected, polynomial 0xEDB88320), as in zlib and PNG.
public struct CRC32 {
  private var state: UInt32 = 0xFFFF_FFFF

  public init() {}

  public var value: UInt32 { ~state }

  @inline(__always)
  public mutating func add(_ byte: UInt8) {
    state ^= UInt32(byte)
    for _ in 0..<8 {
      state = (state &>> 1) ^ (0xEDB8_8320 & (0 &- (state & 1)))
    }
  }
}
