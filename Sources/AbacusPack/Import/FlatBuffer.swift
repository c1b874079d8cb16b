/// What was expected at a byte of a FlatBuffer, and is not there.
struct FlatBufferError: Error, Equatable, CustomStringConvertible {
  let offset: Int
  let expected: String

  var description: String { "at byte \(offset): expected \(expected)" }
}

/// A FlatBuffer that nobody vouches for: every read is checked.
///
/// Offsets to tables, vectors and strings are unsigned, and here none may be zero; every step goes
/// forward, so no cycle can be followed. Vectors may still overlap, and a small file could ask for
/// much work by that: what all reads of vectors cover together is limited to a multiple of the file.
final class FlatBuffer {
  let bytes: [UInt8]
  private var allowance: Int

  /// More tables than any sound file has in one vector.
  static let maximumTables = 1 << 16

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    allowance = 8 * bytes.count
  }

  /// The table that the file begins with. `identifier` has four characters.
  func root(identifier: String) throws(FlatBufferError) -> FlatTable {
    let found = bytes.dropFirst(4).prefix(4)
    guard found.elementsEqual(identifier.utf8) else {
      throw FlatBufferError(
        offset: 4,
        expected: "the file identifier \"\(identifier)\", found \(Self.printable(found))")
    }
    return try FlatTable(self, at: target(ofOffsetAt: 0, what: "the root table"))
  }

  /// A little-endian integer.
  func integer<T: FixedWidthInteger>(at offset: Int, as type: T.Type = T.self) throws(FlatBufferError) -> T {
    let size = T.bitWidth / 8
    guard offset >= 0, offset <= bytes.count - size else {
      throw FlatBufferError(
        offset: offset, expected: "\(size) bytes, but the file ends at byte \(bytes.count)")
    }
    var value: T = 0
    for byte in bytes[offset..<offset + size].reversed() {
      value = value << 8 | T(truncatingIfNeeded: byte)
    }
    return value
  }

  /// Where the unsigned offset that stands at `location` leads.
  func target(ofOffsetAt location: Int, what: String) throws(FlatBufferError) -> Int {
    let offset = Int(try integer(at: location, as: UInt32.self))
    guard offset > 0, location + offset <= bytes.count - 4 else {
      throw FlatBufferError(
        offset: location,
        expected: "an offset to \(what) within the \(bytes.count) bytes of the file, found \(offset)")
    }
    return location + offset
  }

  /// Where the elements of a vector lie.
  func vector(at position: Int, elementBytes: Int) throws(FlatBufferError) -> (start: Int, count: Int) {
    let count = Int(try integer(at: position, as: UInt32.self))
    let room = bytes.count - position - 4
    guard count * elementBytes <= room else {
      throw FlatBufferError(
        offset: position,
        expected:
          "at most \(room / elementBytes) elements until the end of the file, found a count of \(count)")
    }
    try charge(count * elementBytes, at: position)
    return (position + 4, count)
  }

  /// Bytes outside of any table.
  func slice(at offset: Int, count: Int) throws(FlatBufferError) -> [UInt8] {
    guard offset >= 0, offset <= bytes.count, count >= 0, count <= bytes.count - offset else {
      throw FlatBufferError(
        offset: offset, expected: "\(count) bytes, but the file ends at byte \(bytes.count)")
    }
    try charge(count, at: offset)
    return Array(bytes[offset..<offset + count])
  }

  private func charge(_ count: Int, at offset: Int) throws(FlatBufferError) {
    allowance -= count
    guard allowance >= 0 else {
      throw FlatBufferError(offset: offset, expected: "vectors that do not overlap")
    }
  }

  private static func printable(_ bytes: ArraySlice<UInt8>) -> String {
    if bytes.isEmpty { return "nothing" }
    let sound = bytes.allSatisfy { (0x20...0x7E).contains($0) }
    return sound ? "\"\(String(decoding: bytes, as: UTF8.self))\"" : "the bytes \(Array(bytes))"
  }
}

/// A table of a ``FlatBuffer``. Fields are counted as in the schema, from 0; nil stands for absent.
struct FlatTable {
  let buffer: FlatBuffer
  let position: Int
  private let fields: Int
  private let fieldsBytes: Int
  private let tableBytes: Int

  init(_ buffer: FlatBuffer, at position: Int) throws(FlatBufferError) {
    self.buffer = buffer
    self.position = position
    fields = position - Int(try buffer.integer(at: position, as: Int32.self))
    guard fields >= 0, fields <= buffer.bytes.count - 4 else {
      throw FlatBufferError(
        offset: position, expected: "a table, whose list of fields would stand at byte \(fields)")
    }
    fieldsBytes = Int(try buffer.integer(at: fields, as: UInt16.self))
    tableBytes = Int(try buffer.integer(at: fields + 2, as: UInt16.self))
    guard fieldsBytes >= 4, fieldsBytes % 2 == 0, fields + fieldsBytes <= buffer.bytes.count else {
      throw FlatBufferError(
        offset: fields, expected: "the length of a table's list of fields, found \(fieldsBytes)")
    }
    guard tableBytes >= 4, position + tableBytes <= buffer.bytes.count else {
      throw FlatBufferError(offset: fields + 2, expected: "the length of a table, found \(tableBytes)")
    }
  }

  /// Where the `bytes` bytes of a field stand.
  private func location(_ field: Int, bytes: Int) throws(FlatBufferError) -> Int? {
    let slot = 4 + 2 * field
    guard slot < fieldsBytes else { return nil }
    let offset = Int(try buffer.integer(at: fields + slot, as: UInt16.self))
    if offset == 0 { return nil }
    guard offset >= 4, offset + bytes <= tableBytes else {
      throw FlatBufferError(
        offset: fields + slot,
        expected: "the place of a \(bytes)-byte field in a table of \(tableBytes) bytes, found \(offset)")
    }
    return position + offset
  }

  private func target(_ field: Int, what: String) throws(FlatBufferError) -> Int? {
    guard let location = try location(field, bytes: 4) else { return nil }
    return try buffer.target(ofOffsetAt: location, what: what)
  }

  func integer<T: FixedWidthInteger>(_ field: Int, default value: T) throws(FlatBufferError) -> T {
    guard let location = try location(field, bytes: T.bitWidth / 8) else { return value }
    return try buffer.integer(at: location)
  }

  func flag(_ field: Int) throws(FlatBufferError) -> Bool {
    try integer(field, default: UInt8(0)) != 0
  }

  func real(_ field: Int) throws(FlatBufferError) -> Float {
    Float(bitPattern: try integer(field, default: UInt32(0)))
  }

  func table(_ field: Int) throws(FlatBufferError) -> FlatTable? {
    guard let position = try target(field, what: "a table") else { return nil }
    return try FlatTable(buffer, at: position)
  }

  func tables(_ field: Int) throws(FlatBufferError) -> [FlatTable] {
    guard let position = try target(field, what: "a vector") else { return [] }
    let (start, count) = try buffer.vector(at: position, elementBytes: 4)
    guard count <= FlatBuffer.maximumTables else {
      throw FlatBufferError(
        offset: position, expected: "at most \(FlatBuffer.maximumTables) tables, found a count of \(count)")
    }
    var result: [FlatTable] = []
    result.reserveCapacity(count)
    for index in 0..<count {
      let place = try buffer.target(ofOffsetAt: start + 4 * index, what: "a table")
      result.append(try FlatTable(buffer, at: place))
    }
    return result
  }

  func integers<T: FixedWidthInteger>(_ field: Int, of type: T.Type) throws(FlatBufferError) -> [T]? {
    guard let position = try target(field, what: "a vector") else { return nil }
    let size = T.bitWidth / 8
    let (start, count) = try buffer.vector(at: position, elementBytes: size)
    var result: [T] = []
    result.reserveCapacity(count)
    for index in 0..<count { result.append(try buffer.integer(at: start + size * index)) }
    return result
  }

  func reals(_ field: Int) throws(FlatBufferError) -> [Float]? {
    try integers(field, of: UInt32.self)?.map { Float(bitPattern: $0) }
  }

  func bytes(_ field: Int) throws(FlatBufferError) -> [UInt8]? {
    guard let position = try target(field, what: "a vector of bytes") else { return nil }
    let (start, count) = try buffer.vector(at: position, elementBytes: 1)
    return Array(buffer.bytes[start..<start + count])
  }

  /// Text; ill-formed UTF-8 is repaired, since text serves for messages only.
  func string(_ field: Int) throws(FlatBufferError) -> String? {
    try bytes(field).map { String(decoding: $0, as: UTF8.self) }
  }
}
