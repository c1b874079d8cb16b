@testable import AbacusPack

/// A value to be written into a FlatBuffer.
indirect enum Flat {
  case byte(Int)
  case int(Int)
  case long(Int)
  case real(Float)
  case text(String)
  case bytes([UInt8])
  case ints([Int])
  case longs([Int])
  case reals([Float])
  /// Fields by their numbers in the schema.
  case table([Int: Flat])
  case tables([Flat])

  /// A file that begins with this table.
  func file(_ identifier: String = "TFL3") -> [UInt8] {
    var writer = FlatBufferWriter(bytes: [0, 0, 0, 0] + Array(identifier.utf8))
    writer.append(self, referredFrom: 0)
    return writer.bytes
  }

  /// Bytes of the field itself; what is not a scalar is an offset.
  fileprivate var inlineBytes: Int {
    switch self {
    case .byte: 1
    case .long: 8
    default: 4
    }
  }
}

private struct FlatBufferWriter {
  var bytes: [UInt8]

  private mutating func align(_ remainder: Int, of alignment: Int) {
    while bytes.count % alignment != remainder { bytes.append(0) }
  }

  private mutating func put(_ value: Int, _ count: Int) {
    bytes += Tensor.data(of: [value], bytes: count)
  }

  private mutating func overwrite(_ value: Int, _ count: Int, at offset: Int) {
    bytes.replaceSubrange(offset..<offset + count, with: Tensor.data(of: [value], bytes: count))
  }

  private mutating func vector(_ values: [Int], _ size: Int) -> Int {
    // Elements are aligned, the count before them takes four bytes.
    align(size == 8 ? 4 : 0, of: size == 8 ? 8 : 4)
    let position = bytes.count
    put(values.count, 4)
    for value in values { put(value, size) }
    return position
  }

  /// Appends a value that is not a scalar and points the offset at `location` to it.
  mutating func append(_ value: Flat, referredFrom location: Int) {
    let position: Int
    var pending: [(Int, Flat)] = []
    switch value {
    case .text(let text):
      position = vector(text.utf8.map(Int.init), 1)
      bytes.append(0)
    case .bytes(let values): position = vector(values.map(Int.init), 1)
    case .ints(let values): position = vector(values, 4)
    case .longs(let values): position = vector(values, 8)
    case .reals(let values): position = vector(values.map { Int($0.bitPattern) }, 4)
    case .tables(let tables):
      position = vector(tables.map { _ in 0 }, 4)
      pending = tables.enumerated().map { (position + 4 + 4 * $0.offset, $0.element) }
    case .table(let fields):
      (position, pending) = table(fields)
    case .byte, .int, .long, .real: preconditionFailure("scalars stand in their tables")
    }
    overwrite(position - location, 4, at: location)
    for (place, value) in pending { append(value, referredFrom: place) }
  }

  /// Appends a table; returns its position and the values that its offsets are to point to.
  private mutating func table(_ fields: [Int: Flat]) -> (Int, [(Int, Flat)]) {
    align(0, of: 2)
    let list = bytes.count
    let slots = (fields.keys.max() ?? -1) + 1
    put(4 + 2 * slots, 2)
    put(0, 2)
    for _ in 0..<slots { put(0, 2) }
    align(0, of: 8)
    let position = bytes.count
    put(position - list, 4)
    var pending: [(Int, Flat)] = []
    for (field, value) in fields.sorted(by: { $0.key < $1.key }) {
      align(0, of: value.inlineBytes)
      overwrite(bytes.count - position, 2, at: list + 4 + 2 * field)
      switch value {
      case .byte(let value): put(value, 1)
      case .int(let value): put(value, 4)
      case .long(let value): put(value, 8)
      case .real(let value): put(Int(value.bitPattern), 4)
      default:
        pending.append((bytes.count, value))
        put(0, 4)
      }
    }
    overwrite(bytes.count - position, 2, at: list + 2)
    return (position, pending)
  }
}
