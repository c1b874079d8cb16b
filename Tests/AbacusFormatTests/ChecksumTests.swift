import Testing

@testable import AbacusFormat

@Suite struct ChecksumTests {
  private func crc(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var checksum = CRC32()
    for byte in bytes { checksum.add(byte) }
    return checksum.value
  }

  private func plan(_ words: [UInt32]) -> UInt32 {
    var checksum = PlanChecksum()
    for word in words { checksum.add(word) }
    return checksum.value
  }

  @Test func contentChecksumIsTheWorldsCRC32() {
    #expect(crc("123456789".utf8) == 0xCBF4_3926)
    #expect(crc([]) == 0)
    #expect(crc([0]) == 0xD202_EF8D)
    #expect(crc("The quick brown fox jumps over the lazy dog".utf8) == 0x414F_A339)
  }

  @Test func planChecksumMatchesTheSpecification() {
    #expect(plan([]) == 0x9E37_79B9)
    #expect(plan([1, 2, 3]) == 0x0930_B90C)
  }

  /// Words of every kind: zeros, ones, a ramp.
  private static let sample: [UInt32] =
    [0, 0xFFFF_FFFF, 0, 0, 1] + (0..<200).map { UInt32($0) &* 0x9E37_79B9 } + [0, 0, 0]

  @Test func planChecksumSeesEverySingleBitFlip() {
    let sound = plan(Self.sample)
    var unseen: [(word: Int, bit: Int)] = []
    for word in Self.sample.indices {
      for bit in 0..<32 {
        var flipped = Self.sample
        flipped[word] ^= 1 << UInt32(bit)
        if plan(flipped) == sound { unseen.append((word, bit)) }
      }
    }
    #expect(unseen.isEmpty)
  }

  /// Any change within one word shows: all 2^16 values of its halves, at both ends of the sample.
  @Test func planChecksumSeesEveryChangeWithinOneWord() {
    for word in [0, Self.sample.count - 1] {
      for shift in [UInt32(0), 16] {
        var seen: Set<UInt32> = []
        for value in 0..<UInt32(1 << 16) {
          var changed = Self.sample
          changed[word] = Self.sample[word] & ~(0xFFFF << shift) | value << shift
          seen.insert(plan(changed))
        }
        #expect(seen.count == 1 << 16)
      }
    }
  }

  @Test func planChecksumSeesSwappedWords() {
    for first in Self.sample.indices.dropLast() where Self.sample[first] != Self.sample[first + 1] {
      var swapped = Self.sample
      swapped.swapAt(first, first + 1)
      #expect(plan(swapped) != plan(Self.sample))
    }
  }
}
