import Testing

@testable import AbacusPack

@Suite struct FlatBufferTests {
  /// One of everything.
  static let sample = Flat.table([
    0: .byte(-3), 1: .int(1 << 30), 2: .real(1.5), 3: .text("näme"), 4: .ints([1, -2, 3]),
    6: .longs([1 << 40, -1]), 7: .table([0: .int(7)]),
    8: .tables([.table([:]), .table([1: .text("")])]), 9: .bytes([1, 2, 3]), 10: .reals([0.5, -2]),
  ]).file("TEST")

  /// Reads all of ``sample``.
  @discardableResult static func readAll(_ bytes: [UInt8]) throws -> FlatTable {
    let root = try FlatBuffer(bytes).root(identifier: "TEST")
    _ = try root.integer(0, default: Int8(0))
    _ = try root.integer(1, default: Int32(0))
    _ = try root.real(2)
    _ = try root.string(3)
    _ = try root.integers(4, of: Int32.self)
    _ = try root.integers(6, of: Int64.self)
    _ = try root.table(7)?.integer(0, default: Int32(0))
    for table in try root.tables(8) { _ = try table.string(1) }
    _ = try root.bytes(9)
    _ = try root.reals(10)
    return root
  }

  @Test func everyKindOfFieldIsRead() throws {
    let root = try Self.readAll(Self.sample)
    #expect(try root.integer(0, default: Int8(0)) == -3)
    #expect(try root.integer(1, default: Int32(0)) == 1 << 30)
    #expect(try root.real(2) == 1.5)
    #expect(try root.string(3) == "näme")
    #expect(try root.integers(4, of: Int32.self) == [1, -2, 3])
    #expect(try root.integers(6, of: Int64.self) == [1 << 40, -1])
    #expect(try root.table(7)?.integer(0, default: Int32(0)) == 7)
    #expect(try root.tables(8).map { try $0.string(1) } == [nil, ""])
    #expect(try root.bytes(9) == [1, 2, 3])
    #expect(try root.reals(10) == [0.5, -2])
  }

  @Test func absentFieldsHaveTheirDefaults() throws {
    let root = try FlatBuffer(Self.sample).root(identifier: "TEST")
    for absent in [5, 11, 30_000] {
      #expect(try root.integer(absent, default: Int32(9)) == 9)
      #expect(try root.flag(absent) == false)
      #expect(try root.string(absent) == nil)
      #expect(try root.table(absent) == nil)
      #expect(try root.tables(absent).isEmpty)
      #expect(try root.integers(absent, of: Int32.self) == nil)
    }
  }

  @Test func anotherIdentifierIsNamed() {
    #expect(throws: FlatBufferError(offset: 4, expected: "the file identifier \"TFL3\", found \"TEST\"")) {
      try FlatBuffer(Self.sample).root(identifier: "TFL3")
    }
    #expect(throws: FlatBufferError(offset: 4, expected: "the file identifier \"TFL3\", found nothing")) {
      try FlatBuffer([]).root(identifier: "TFL3")
    }
  }

  @Test(arguments: [0, 0x7FFF_FFFF, 0xFFFF_FFFF, 120_000])
  func offsetsMustLeadForwardIntoTheFile(offset: Int) {
    var bytes = Self.sample
    bytes.replaceSubrange(0..<4, with: Tensor.data(of: [offset], bytes: 4))
    let error = #expect(throws: FlatBufferError.self) { try FlatBuffer(bytes).root(identifier: "TEST") }
    #expect(error?.offset == 0)
    #expect(error?.expected.contains("found \(offset)") == true)
  }

  @Test func aTableMustHaveItsFieldsInTheFile() throws {
    let root = try FlatBuffer(Self.sample).root(identifier: "TEST").position
    for distance in [-1_000_000, 1_000_000, Int(Int32.min), Int(Int32.max)] {
      var bytes = Self.sample
      bytes.replaceSubrange(root..<root + 4, with: Tensor.data(of: [distance], bytes: 4))
      let error = #expect(throws: FlatBufferError.self) { try FlatBuffer(bytes).root(identifier: "TEST") }
      #expect(error?.offset == root)
    }
  }

  @Test func aVectorMustFit() throws {
    let place = 20
    var bytes = [UInt8](repeating: 0, count: 40)
    bytes.replaceSubrange(place..<place + 4, with: Tensor.data(of: [5], bytes: 4))
    let buffer = FlatBuffer(bytes)
    #expect(
      throws: FlatBufferError(
        offset: 20, expected: "at most 4 elements until the end of the file, found a count of 5")
    ) {
      try buffer.vector(at: place, elementBytes: 4)
    }
    #expect(try buffer.vector(at: place, elementBytes: 2) == (24, 5))
  }

  /// A million vectors may share one megabyte; following all of them is refused, not attempted.
  @Test func overlappingVectorsAreRefused() throws {
    let buffer = FlatBuffer(Self.sample)
    let root = try buffer.root(identifier: "TEST")
    let error = #expect(throws: FlatBufferError.self) {
      for _ in 0..<10_000 { _ = try root.string(3) }
    }
    #expect(error?.expected == "vectors that do not overlap")
  }

  @Test func everyTruncationThrows() {
    for length in 0..<Self.sample.count {
      // The last bytes belong to the last vector.
      #expect(throws: FlatBufferError.self) { try Self.readAll(Array(Self.sample.prefix(length))) }
    }
  }

  @Test func mutationsNeverTrap() {
    for position in Self.sample.indices {
      for value in [0, 1, 2, 4, 0x7F, 0x80, 0xFC, 0xFF] as [UInt8] {
        var bytes = Self.sample
        bytes[position] = value
        _ = try? Self.readAll(bytes)
      }
    }
  }
}
