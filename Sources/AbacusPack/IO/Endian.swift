/// Integers of one to eight bytes out of untrusted bytes.
enum Endian {
  /// The little-endian number of `count` bytes at `offset`; nil where the bytes end before it does.
  static func little(_ bytes: [UInt8], at offset: Int, count: Int) -> Int? {
    guard contains(bytes, offset, count) else { return nil }
    return Int(
      exactly: (0..<count).reduce(UInt64(0)) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) })
  }

  /// The big-endian number of `count` bytes at `offset`; nil where the bytes end before it does.
  static func big(_ bytes: [UInt8], at offset: Int, count: Int) -> Int? {
    guard contains(bytes, offset, count) else { return nil }
    return Int(exactly: (0..<count).reduce(UInt64(0)) { $0 << 8 | UInt64(bytes[offset + $1]) })
  }

  /// Reverses each group of `width` bytes.
  static func swap(_ bytes: inout [UInt8], width: Int) {
    guard width > 1 else { return }
    bytes.withUnsafeMutableBytes { raw in
      for start in stride(from: 0, to: raw.count - raw.count % width, by: width) {
        for k in 0..<width / 2 { raw.swapAt(start + k, start + width - 1 - k) }
      }
    }
  }

  private static func contains(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> Bool {
    offset >= 0 && count <= 8 && count <= bytes.count && offset <= bytes.count - count
  }
}
