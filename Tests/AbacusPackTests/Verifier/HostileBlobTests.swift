import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Any bytes give a status, never an access outside blob and arena: in debug builds every access of
/// a kernel is checked against its tensor, and guard bytes lie around blob and arena.
@Suite struct HostileBlobTests {
  /// What became of a blob.
  enum Verdict { case refused, ran }

  /// Opens a blob and, where that succeeds, runs it.
  static func tryOut(_ blob: [UInt8]) throws -> Verdict {
    let model: Model
    do throws(Status) {
      let needs = try Model.requirements(of: blob)
      // A blob may ask for more than a test should give it.
      if needs.arenaBytes > 1 << 16 { return .refused }
      model = try Model(blob)
    } catch {
      return .refused
    }
    _ = try model(model.inputs.map { [UInt8](repeating: 0x81, count: $0.byteCount) })
    try model.reset()
    #expect(model.guardsAreIntact)
    return .ran
  }

  static func header(_ blob: [UInt8]) -> HeaderRecord {
    blob.withUnsafeBytes { $0.loadUnaligned(as: HeaderRecord.self) }
  }

  static func section(_ blob: [UInt8], _ section: Section) -> Range<Int> {
    let record = header(blob).sections[section.rawValue]
    return Int(record.offset)..<Int(record.offset) + Int(record.bytes)
  }

  @Test(arguments: [0, 1])
  func everyTruncationIsRefused(_ index: Int) throws {
    let blob = SmallModels.all[index]
    #expect(try Self.tryOut(blob) == .ran)
    for length in 0..<blob.count {
      let verdict = try Self.tryOut(Array(blob[..<length]))
      #expect(verdict == .refused, "\(length) of \(blob.count) bytes")
    }
  }

  /// A flipped bit of the plan is always found; one of the weights gives other numbers, no more.
  @Test(arguments: [0, 1])
  func everyFlippedBitIsHarmless(_ index: Int) throws {
    let blob = SmallModels.all[index]
    let constants = Self.section(blob, .constants)
    for bit in 0..<blob.count * 8 {
      var damaged = blob
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      let verdict = try Self.tryOut(damaged)
      let isContentChecksum = (124..<128).contains(bit / 8)
      if bit / 8 < constants.lowerBound && !isContentChecksum {
        #expect(verdict == .refused, "bit \(bit % 8) of byte \(bit / 8)")
      } else if constants.contains(bit / 8) {
        #expect(verdict == .ran, "bit \(bit % 8) of byte \(bit / 8)")
      }
    }
  }

  /// Every flipped bit is found by the CRC of the whole content.
  @Test(arguments: [0, 1])
  func checksumFindsEveryFlippedBit(_ index: Int) throws {
    let blob = SmallModels.all[index]
    let constants = Self.section(blob, .constants)
    try Model(blob).verifyChecksum()
    for bit in stride(from: constants.lowerBound * 8, to: constants.upperBound * 8, by: 7) {
      var damaged = blob
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      let model = try Model(damaged)
      #expect(throws: Status.corrupt) { try model.verifyChecksum() }
    }
  }

  /// Mutations whose checksums are right: only the meaning of the plan can give them away.
  @Test(arguments: [0, 1])
  func mutationsWithRepairedChecksumsAreHarmless(_ index: Int) throws {
    let blob = SmallModels.all[index]
    let planEnd = Self.section(blob, .constants).lowerBound
    var random = SeededGenerator(state: UInt64(index) + 11)
    var verdicts: [Verdict: Int] = [:]
    for _ in 0..<50_000 {
      var damaged = blob
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        Self.mutate(&damaged, in: 4..<planEnd, &random)
      }
      verdicts[try Self.tryOut(Self.repaired(damaged)), default: 0] += 1
    }
    // The repair works: some mutations are harmless, and most are not.
    #expect(verdicts[.ran, default: 0] > 100)
    #expect(verdicts[.refused, default: 0] > 1_000)
  }

  /// A byte, a word of an interesting value, or a bit.
  private static func mutate(_ bytes: inout [UInt8], in range: Range<Int>, _ random: inout SeededGenerator) {
    let position = Int.random(in: range, using: &random)
    switch Int.random(in: 0..<3, using: &random) {
    case 0:
      bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 1:
      bytes[position] = UInt8.random(in: 0...255, using: &random)
    default:
      let values: [UInt32] = [0, 1, 2, 3, 4, 0x7F, 0xFF, 0xFFFF, 0x8000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF]
      let start = min(position & ~3, range.upperBound - 4)
      for (offset, byte) in littleEndianBytes(values.randomElement(using: &random)!).enumerated()
      where range.contains(start + offset) {
        bytes[start + offset] = byte
      }
    }
  }

  /// The blob with the checksum that its plan has; unchanged where its sections make no sense.
  static func repaired(_ blob: [UInt8]) -> [UInt8] {
    let end = Int(header(blob).sections[Section.constants.rawValue].offset)
    guard end <= blob.count, end >= HeaderRecord.bytes else { return blob }
    var result = blob
    var plan = PlanChecksum()
    result.withUnsafeBytes { raw in
      for range in [0..<HeaderRecord.checkedBytes, HeaderRecord.bytes..<end & ~3] {
        for offset in stride(from: range.lowerBound, to: range.upperBound, by: 4) {
          plan.add(raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        }
      }
    }
    result.replaceSubrange(HeaderRecord.checkedBytes..<HeaderRecord.checkedBytes + 4, with: littleEndianBytes(plan.value))
    return result
  }

  @Test func randomBytesAreNoModel() throws {
    var random = SeededGenerator(state: 3)
    for length in [0, 1, 3, 4, 127, 128, 129, 4_096] {
      let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
      #expect(throws: Status.notAModel) { try Model(bytes) }
    }
  }

  @Test func anotherFormatVersionIsTold() throws {
    var blob = SmallModels.all[0]
    blob[4] = 2
    #expect(throws: Status.unsupportedVersion) { try Model(blob) }
  }
}
