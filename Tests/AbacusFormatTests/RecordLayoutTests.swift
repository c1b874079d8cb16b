import Foundation
import Testing

@testable import AbacusFormat

/// The records lie in memory as `AbacusFormat.docc` says, byte by byte.
@Suite struct RecordLayoutTests {
  @Test func sizes() {
    #expect(MemoryLayout<SectionRecord>.size == 8)
    #expect(MemoryLayout<HeaderRecord>.size == 128 && HeaderRecord.bytes == 128)
    #expect(MemoryLayout<TensorRecord>.size == 48 && TensorRecord.bytes == 48)
    #expect(MemoryLayout<OperatorRecord>.size == 48 && OperatorRecord.bytes == 48)
    #expect(MemoryLayout<OutputStage>.size == 16)
    #expect(MemoryLayout<Window>.size == 32)
    #expect(MemoryLayout<FullyConnectedParameters>.size == 20)
    #expect(MemoryLayout<ConvolutionParameters>.size == 56)
    #expect(MemoryLayout<MatrixMultiplyParameters>.size == 104)
    #expect(MemoryLayout<BinaryParameters>.size == 112)
    #expect(MemoryLayout<PoolParameters>.size == 52)
    #expect(MemoryLayout<ReduceParameters>.size == 28)
    #expect(MemoryLayout<CopyParameters>.size == 84)
    #expect(MemoryLayout<GatherParameters>.size == 20)
    #expect(MemoryLayout<SoftmaxParameters>.size == 12)
    #expect(MemoryLayout<RequantizeParameters>.size == 24)
    #expect(MemoryLayout<ProjectParameters>.size == 36)
    #expect(MemoryLayout<SparseProjectParameters>.size == 40)
    #expect(MemoryLayout<NormalizeParameters>.size == 36)
    #expect(MemoryLayout<ActivationParameters>.size == 56)
    #expect(MemoryLayout<EmbedParameters>.size == 24)
    #expect(MemoryLayout<ShiftExponentParameters>.size == 16)
    #expect(MemoryLayout<AttentionParameters>.size == 60)
    #expect(MemoryLayout<RotaryParameters>.size == 32)
    #expect(MemoryLayout<AppendParameters>.size == 4)
    #expect(MemoryLayout<SoftmaxWideParameters>.size == 28)
  }

  /// Arrays of records have no gaps, and parameter records need no more than word alignment.
  @Test func stridesAndAlignments() {
    #expect(MemoryLayout<HeaderRecord>.stride == 128 && MemoryLayout<HeaderRecord>.alignment == 8)
    #expect(MemoryLayout<TensorRecord>.stride == 48 && MemoryLayout<TensorRecord>.alignment == 4)
    #expect(MemoryLayout<OperatorRecord>.stride == 48 && MemoryLayout<OperatorRecord>.alignment == 4)
    #expect(MemoryLayout<MatrixMultiplyParameters>.alignment == 4)
    #expect(MemoryLayout<BinaryParameters>.alignment == 4)
    #expect(MemoryLayout<CopyParameters>.alignment == 4)
    #expect(HeaderRecord.checkedBytes == MemoryLayout<HeaderRecord>.offset(of: \.planChecksum))
  }

  @Test(arguments: RecordDescription.all)
  func fieldsLieWhereTheSpecificationSays(_ record: RecordDescription) throws {
    let specified = try Specification.fields(under: record.heading)
    #expect(specified == record.fields, "\(record.heading)")
  }

  @Test func everyTableOfTheSpecificationIsChecked() throws {
    let known = Set(RecordDescription.all.map(\.heading))
    #expect(try Specification.headings().subtracting(known) == [])
  }

  @Test func defaultsAreThoseOfTheSpecification() {
    let header = HeaderRecord()
    #expect(header.magic == 0x4341_4241 && header.formatVersion == 1 && header.headerBytes == 128)
    #expect(withUnsafeBytes(of: header) { Array($0.prefix(4)) } == Array("ABAC".utf8))
    let tensor = TensorRecord()
    #expect(tensor.blockRows == 1 && tensor.blockColumns == 1 && tensor.auxiliary == 0xFFFF)
    #expect((0..<6).allSatisfy { tensor.dims[$0] == 1 })
    let record = OperatorRecord(opcode: .softmax)
    #expect(record.opcode == 16 && record.units == 1 && record.unitsPerStep == 1)
    #expect((0..<14).allSatisfy { record.operands[$0] == 0xFFFF })
  }
}

/// The tables of `AbacusFormat.md` that give offsets of fields.
enum Specification {
  /// Field name to offset in the table with offsets under a heading.
  static func fields(under heading: String) throws -> [String: Int] {
    try tables()[heading] ?? [:]
  }

  static func headings() throws -> Set<String> { Set(try tables().keys) }

  private static func tables() throws -> [String: [String: Int]] {
    let package = (0..<3).reduce(URL(filePath: #filePath)) { url, _ in url.deletingLastPathComponent() }
    let file = package.appending(path: "Sources/AbacusFormat/AbacusFormat.docc/AbacusFormat.md")
    var result: [String: [String: Int]] = [:]
    var heading = ""
    var isOffsets = false
    for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
      if line.hasPrefix("#") {
        heading = line.drop { $0 == "#" }.trimmingCharacters(in: .whitespaces)
        isOffsets = false
      } else if line.hasPrefix("| offset ") {
        isOffsets = true
      } else if !line.hasPrefix("|") {
        isOffsets = false
      } else if isOffsets {
        let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        guard let offset = Int(cells[0]) else { continue }
        result[heading, default: [:]][String(cells[2].split(separator: "`")[0])] = offset
      }
    }
    return result
  }
}
