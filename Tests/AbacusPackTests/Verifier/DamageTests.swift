import AbacusFormat
import CAbacus
import Testing

@testable import AbacusPack

/// Blobs of any bytes get a status or run harmlessly: in memory that ends at forbidden pages.
@Suite struct DamageTests {
  #if DEBUG
    static let rounds = 6_000
  #else
    static let rounds = 150_000
  #endif

  @Test func soundBlobsRun() throws {
    let sandbox = Sandbox()
    for model in try SampleBlobs.all() {
      sandbox.load(model.blob)
      #expect(sandbox.openAndRun() == ABACUS_OK)
      #expect(sandbox.contentChecksum() == ABACUS_OK)
    }
    let opcodes = try SampleBlobs.all().flatMap { $0.planned.program.steps.map(\.opcode) }
    #expect(Set(opcodes).count == Int(Opcode.count))
  }

  @Test func everyTruncation() throws {
    let sandbox = Sandbox()
    for model in try SampleBlobs.all() {
      for count in model.blob.indices {
        sandbox.load(Array(model.blob[..<count]))
        let expected = count < 4 ? ABACUS_NOT_A_MODEL : ABACUS_CORRUPT
        if sandbox.open() != expected || sandbox.contentChecksum() != expected {
          Issue.record("\(count) of \(model.blob.count) bytes")
        }
      }
    }
  }

  /// A single bit in the plan is always noticed at open, and one anywhere by the content checksum.
  @Test func everySingleBit() throws {
    let sandbox = Sandbox()
    for model in try SampleBlobs.all() {
      let constants = BlobEditor(model.blob).start(.constants)
      for position in model.blob.indices {
        for bit in 0..<8 {
          var damaged = model.blob
          damaged[position] ^= 1 << UInt8(bit)
          sandbox.load(damaged)
          let status = sandbox.openAndRun()
          let isPlan = position < 124 || (128..<constants).contains(position)
          if isPlan && status == ABACUS_OK { Issue.record("bit \(bit) of byte \(position) was not noticed") }
          if sandbox.contentChecksum() == ABACUS_OK && !(120..<124).contains(position) {
            Issue.record("bit \(bit) of byte \(position) has the same content checksum")
          }
        }
      }
    }
  }

  /// The same with checksums repaired, so that every other check has its turn.
  @Test func everySingleBitResealed() throws {
    let sandbox = Sandbox()
    for model in try SampleBlobs.all() {
      var editor = BlobEditor(model.blob)
      editor.sealPlan()
      #expect(editor.bytes == model.blob)
      #expect(editor.sealed() == model.blob)
      var accepted = 0
      for position in model.blob.indices {
        for bit in 0..<8 {
          editor.bytes[position] ^= 1 << UInt8(bit)
          editor.sealPlan()
          sandbox.load(editor.bytes)
          if sandbox.openAndRun() == ABACUS_OK { accepted += 1 }
          editor.bytes[position] ^= 1 << UInt8(bit)
        }
      }
      // Weights and multipliers may be anything; structure may not.
      #expect(accepted > 1000 && accepted < model.blob.count * 8 - 1000)
    }
  }

  /// Seeded changes of one to four words, mostly in the plan, with the checksum repaired.
  @Test(arguments: 0..<6)
  func randomMutations(sample: Int) throws {
    let sandbox = Sandbox()
    let sound = try SampleBlobs.all()[sample].blob
    var generator = SeededGenerator(state: UInt64(sample) + 99)
    let planWords = BlobEditor(sound).start(.constants) / 4
    let interesting: [UInt32] = [
      0, 1, 2, 3, 4, 7, 8, 16, 63, 127, 128, 255, 256, 0xFFFF, 0x1_0000, 1 << 15, 1 << 29, 1 << 30,
      (1 << 30) + 1, .max >> 1, 1 << 31, .max - 1, .max,
    ]
    var statuses: [UInt32: Int] = [:]
    for _ in 0..<Self.rounds {
      var editor = BlobEditor(sound)
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let words = Int.random(in: 0..<8, using: &generator) == 0 ? sound.count / 4 : planWords
        let offset = 4 * Int.random(in: 0..<words, using: &generator)
        let old: UInt32 = editor.load(offset)
        let new: UInt32 =
          switch Int.random(in: 0..<6, using: &generator) {
          case 0: old ^ 1 << UInt32.random(in: 0..<32, using: &generator)
          case 1: interesting[Int.random(in: 0..<interesting.count, using: &generator)]
          case 2: old &+ UInt32(bitPattern: Int32.random(in: -9...9, using: &generator))
          case 3: UInt32.random(in: .min ... .max, using: &generator)
          case 4: editor.load(4 * Int.random(in: 0..<planWords, using: &generator))
          default: old & ~0xFF | UInt32.random(in: 0...20, using: &generator)
          }
        editor.store(new, offset)
      }
      editor.sealPlan()
      sandbox.load(editor.bytes)
      statuses[sandbox.openAndRun().rawValue, default: 0] += 1
    }
    for status in [ABACUS_CORRUPT, ABACUS_UNSUPPORTED_OPERATOR] {
      #expect(statuses[status.rawValue, default: 0] > 0, "status \(status.rawValue)")
    }
    #expect(statuses[ABACUS_OK.rawValue, default: 0] > Self.rounds / 100)
  }

  @Test func noise() {
    let sandbox = Sandbox()
    var generator = SeededGenerator(state: 5)
    for round in 0..<2000 {
      var bytes = (0..<Int.random(in: 0...600, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      if round % 2 == 0 && bytes.count > 8 {
        bytes.replaceSubrange(0..<8, with: Array("ABAC".utf8) + [1, 0, 128, 0])
      }
      sandbox.load(bytes)
      #expect(sandbox.open() != ABACUS_OK && sandbox.contentChecksum() != ABACUS_OK)
    }
  }
}
