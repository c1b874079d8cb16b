import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// A change of a sound blob, and what the runtime says to it.
struct Refusal: CustomTestStringConvertible, Sendable {
  let testDescription: String
  let status: AbacusFormat.Status
  let change: @Sendable (inout BlobEditor) -> Void

  init(
    _ name: String, _ status: AbacusFormat.Status = .corrupt, _ change: @escaping @Sendable (inout BlobEditor) -> Void
  ) {
    testDescription = name
    self.status = status
    self.change = change
  }

  func expect(of blob: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
    var editor = BlobEditor(blob)
    change(&editor)
    #expect(throws: status, sourceLocation: sourceLocation) { try Model.requirements(of: editor.sealed()) }
  }
}

/// One wrong number at a time, with both checksums right: each has its verdict.
@Suite struct RefusalTests {
  @Test(arguments: Refusal.structure + Refusal.tensors)
  func structure(refusal: Refusal) throws {
    for model in try SampleBlobs.all() { refusal.expect(of: model.blob) }
  }

  @Test(arguments: Refusal.imageOperators)
  func imageOperators(refusal: Refusal) throws { refusal.expect(of: try SampleBlobs.image().blob) }

  @Test(arguments: Refusal.sequenceOperators)
  func sequenceOperators(refusal: Refusal) throws { refusal.expect(of: try SampleBlobs.sequence().blob) }

  @Test(arguments: Refusal.lineOperators)
  func lineOperators(refusal: Refusal) throws { refusal.expect(of: try SampleBlobs.lines().blob) }

  @Test(arguments: Refusal.rowOperators)
  func rowOperators(refusal: Refusal) throws { refusal.expect(of: try SampleBlobs.rows().blob) }
}

extension Refusal {
  static let structure: [Refusal] = [
    Refusal("magic", .notAModel) { $0.header.magic ^= 1 },
    Refusal("older version", .unsupportedVersion) { $0.header.formatVersion = 0 },
    Refusal("newer version", .unsupportedVersion) { $0.header.formatVersion = 2 },
    Refusal("header bytes") { $0.header.headerBytes = 64 },
    Refusal("flags") { $0.header.flags = 1 },
    Refusal("longer than given") { $0.header.blobBytes += 1 },
    Refusal("shorter than its sections") { $0.header.blobBytes = 144 },
    Refusal("arena too large to address") { $0.header.arenaBytes = .max },
    Refusal("arena smaller than its tensors") { $0.header.arenaBytes = 3 },
    Refusal("tensor count") { $0.header.tensorCount += 1 },
    Refusal("operator count") { $0.header.operatorCount -= 1 },
    Refusal("input count") { $0.header.inputCount += 1 },
    Refusal("overlapping sections") { $0.header.sections[2].offset -= 16 },
    Refusal("unaligned section") { $0.header.sections[7].offset -= 4 },
    Refusal("section outside") { $0.header.sections[7].bytes = 4 },
    Refusal("section that wraps") { $0.header.sections[4].bytes = .max - 8 },
    Refusal("boundary index") { $0.edit(.boundary, 0, UInt16.self) { $0 = 5000 } },
    Refusal("boundary constant") { editor in
      let constant = (0..<Int(editor.header.tensorCount)).first { index in
        editor.load(editor.start(.tensors) + index * TensorRecord.bytes + 1, UInt8.self) == Placement.constant.rawValue
      }!
      editor.edit(.boundary, 0, UInt16.self) { $0 = UInt16(constant) }
    },
    Refusal("name outside") { $0.edit(.names, 4, UInt32.self) { $0 = 1 << 20 } },
    Refusal("name in the table") { $0.edit(.names, 4, UInt32.self) { $0 = 0 } },
    Refusal("last name without an end") { editor in
      let last = Int(editor.header.sections[Section.names.rawValue].bytes) - 1
      editor.edit(.names, last, UInt8.self) { $0 = 65 }
    },
    Refusal("operator flags") { $0.step(0) { $0.flags = 1 } },
    Refusal("no units") { $0.step(0) { $0.units = 0 } },
    Refusal("too many units") { $0.step(0) { $0.units += 1 } },
    Refusal("no units per step") { $0.step(0) { $0.unitsPerStep = 0 } },
    Refusal("parameters outside") { $0.step(0) { $0.parameterOffset = 1 << 20 } },
    Refusal("parameters unaligned") { $0.step(0) { $0.parameterOffset = 2 } },
    Refusal("parameters beyond the end") { editor in
      let bytes = editor.header.sections[Section.parameters.rawValue].bytes
      editor.step(0) { $0.parameterOffset = bytes - 4 }
    },
    Refusal("operand index") { $0.step(0) { $0.operands[1] = 5000 } },
    Refusal("operand in an unused slot") { $0.step(0) { $0.operands[13] = 5000 } },
    Refusal("no input") { $0.step(0) { $0.operands[1] = TensorRecord.none } },
    Refusal("no output") { $0.step(0) { $0.operands[0] = TensorRecord.none } },
    Refusal("opcode 0", .unsupportedOperator) { $0.step(0) { $0.opcode = 0 } },
    Refusal("unknown opcode", .unsupportedOperator) { $0.step(0) { $0.opcode = Opcode.count + 1 } },
    Refusal("opcode 255", .unsupportedOperator) { $0.step(0) { $0.opcode = 255 } },
  ]

  static let tensors: [Refusal] = [
    Refusal("type 0") { $0.tensor(0) { $0.elementType = 0 } },
    Refusal("type 7") { $0.tensor(0) { $0.elementType = 7 } },
    Refusal("placement 0") { $0.tensor(0) { $0.placement = 0 } },
    Refusal("placement 4") { $0.tensor(0) { $0.placement = 4 } },
    Refusal("rank 7") { $0.tensor(0) { $0.rank = 7 } },
    Refusal("extents beyond the rank") { $0.tensor(0) { $0.rank -= 1 } },
    Refusal("tensor flags") { $0.tensor(0) { $0.flags = 1 } },
    Refusal("extent 0") { $0.tensor(0) { $0.dims[0] = 0 } },
    Refusal("product that wraps") { $0.tensor(0) { ($0.dims[0], $0.dims[1]) = (1 << 16, 1 << 16) } },
    Refusal("byte count") { $0.tensor(0) { $0.byteCount += 1 } },
    Refusal("unaligned offset") { $0.tensor(0) { $0.offset += 2 } },
    Refusal("offset outside") { $0.tensor(0) { $0.offset = .max - 3 } },
    Refusal("behind the arena") { editor in
      let end = editor.header.arenaBytes
      editor.tensor(0) { $0.offset = end & ~3 }
    },
    Refusal("unknown layout") { $0.tensor(0) { $0.layout = 6 } },
    Refusal("paired run-time tensor") { $0.tensor(0) { ($0.layout, $0.blockRows, $0.blockColumns) = (4, 2, 4) } },
    Refusal("reserved layout", .unsupportedOperator) { $0.tensor(0) { $0.layout = 2 } },
    Refusal("blocked run-time tensor") { $0.tensor(0) { $0.layout = 1 } },
    Refusal("blocks of a plain tensor") { $0.tensor(0) { $0.blockRows = 2 } },
    Refusal("block of 0") { $0.tensor(0) { $0.blockColumns = 0 } },
  ]
}
