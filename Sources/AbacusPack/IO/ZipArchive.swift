import CImage

/// Reads the members of a zip archive, stored or deflated, one at a time.
///
/// Everything comes from the central directory; of a member's local header only the lengths are
/// used. Encrypted, multi-volume and larger than 4 GiB is refused.
struct ZipArchive {
  struct Member: Equatable {
    var name: String
    var method: Int
    var checksum: UInt32
    var packedBytes: Int
    var unpackedBytes: Int
    var offset: Int
  }

  let name: String
  private let bytes: [UInt8]
  private(set) var members: [Member] = []

  /// `name` stands in messages.
  init(_ bytes: [UInt8], name: String) throws(PackError) {
    self.bytes = bytes
    self.name = name
    guard let end = Self.endRecord(bytes) else {
      throw PackError(.file, "\(name): is not a zip archive, or its end is cut off")
    }
    let count = try field(end + 10, 2)
    let directory = try field(end + 16, 4)
    guard try field(end + 4, 2) == 0, try field(end + 6, 2) == 0, try field(end + 8, 2) == count else {
      throw PackError(.file, "\(name): is one part of a zip archive in several parts")
    }
    var position = directory
    for _ in 0..<count {
      guard try field(position, 4) == 0x0201_4B50 else { throw damaged("its directory") }
      let nameBytes = try field(position + 28, 2)
      let extraBytes = try field(position + 30, 2)
      let next = position + 46 + nameBytes + extraBytes + (try field(position + 32, 2))
      guard next <= end else { throw damaged("its directory") }
      var member = Member(
        name: String(decoding: bytes[position + 46..<position + 46 + nameBytes], as: UTF8.self),
        method: try field(position + 10, 2), checksum: UInt32(try field(position + 16, 4)),
        packedBytes: try field(position + 20, 4), unpackedBytes: try field(position + 24, 4),
        offset: try field(position + 42, 4))
      if try field(position + 8, 2) & 1 != 0 {
        throw PackError(.file, "\(name): member '\(member.name)' is encrypted")
      }
      let extra = position + 46 + nameBytes
      try widen(&member, extra: extra..<extra + extraBytes)
      members.append(member)
      position = next
    }
  }

  /// The content of a member, its checksum verified; throws where it is damaged or larger than `limit`.
  func content(_ member: Member, limit: Int = InputLimits.unpackedBytes) throws(PackError) -> [UInt8] {
    let title = "\(name): member '\(member.name)'"
    guard try field(member.offset, 4) == 0x0403_4B50 else { throw damaged("member '\(member.name)'") }
    let start =
      member.offset + 30 + (try field(member.offset + 26, 2)) + (try field(member.offset + 28, 2))
    guard start <= bytes.count, member.packedBytes <= bytes.count - start else {
      throw PackError(.file, "\(title) reaches beyond the end of the file")
    }
    guard member.unpackedBytes <= limit else {
      throw PackError(
        .file, "\(title) unpacks to \(member.unpackedBytes) bytes; at most \(limit) are accepted")
    }
    var output: [UInt8] = []
    switch member.method {
    case 0:
      output = Array(bytes[start..<start + member.packedBytes])
    case 8:
      guard member.unpackedBytes / InputLimits.deflateRatio <= member.packedBytes else {
        throw damaged("member '\(member.name)' claims an impossible size")
      }
      output.reserveCapacity(member.unpackedBytes)
      _ = try Inflate.unpack(
        bytes, from: start, to: start + member.packedBytes, wrapper: .raw, into: &output,
        limit: member.unpackedBytes, name: title)
    default:
      throw PackError(
        .file, "\(title) uses compression method \(member.method); stored and deflate are read")
    }
    guard output.count == member.unpackedBytes, Self.checksum(output) == member.checksum else {
      throw PackError(.file, "\(title) is damaged: its length or CRC-32 differs")
    }
    return output
  }

  /// Takes 64-bit sizes from the extra field where the 32-bit ones say that they are there.
  private func widen(_ member: inout Member, extra: Range<Int>) throws(PackError) {
    let mark = 0xFFFF_FFFF
    guard [member.unpackedBytes, member.packedBytes, member.offset].contains(mark) else { return }
    var position = extra.lowerBound
    while position + 4 <= extra.upperBound {
      let length = try field(position + 2, 2)
      if try field(position, 2) == 1 {
        var value = position + 4
        for path in [\Member.unpackedBytes, \Member.packedBytes, \Member.offset]
        where member[keyPath: path] == mark {
          guard value + 8 <= min(position + 4 + length, extra.upperBound) else { break }
          member[keyPath: path] = min(try field(value, 8), 1 << 48)
          value += 8
        }
        return
      }
      position += 4 + length
    }
  }

  private func field(_ offset: Int, _ count: Int) throws(PackError) -> Int {
    guard let value = Endian.little(bytes, at: offset, count: count) else {
      throw damaged("its directory")
    }
    return value
  }

  private func damaged(_ what: String) -> PackError {
    PackError(.file, "\(name): the zip archive is damaged: \(what)")
  }

  /// Offset of the end record: the last one whose comment ends where the file ends.
  private static func endRecord(_ bytes: [UInt8]) -> Int? {
    var position = bytes.count - 22
    while position >= 0, position >= bytes.count - 22 - 0xFFFF {
      if Endian.little(bytes, at: position, count: 4) == 0x0605_4B50,
        let comment = Endian.little(bytes, at: position + 20, count: 2),
        position + 22 + comment == bytes.count
      {
        return position
      }
      position -= 1
    }
    return nil
  }

  private static func checksum(_ bytes: [UInt8]) -> UInt32 {
    bytes.withUnsafeBufferPointer { UInt32(truncatingIfNeeded: crc32_z(0, $0.baseAddress, $0.count)) }
  }
}
