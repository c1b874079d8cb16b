/// Files compressed by gzip.
public enum Gzip {
  /// Whether `bytes` begin as a gzip file does.
  public static func isGzip(_ bytes: [UInt8]) -> Bool {
    bytes.count >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B
  }

  /// The content of a .gz file, of all its members where it has several.
  ///
  /// Checksums are verified. Throws where the file is damaged, cut short, followed by foreign
  /// bytes, or unpacks to more than `limit` bytes.
  public static func unpack(
    _ bytes: [UInt8], name: String, limit: Int = InputLimits.unpackedBytes
  ) throws(PackError) -> [UInt8] {
    guard isGzip(bytes) else { throw PackError(.file, "\(name): is not a gzip file") }
    var output: [UInt8] = []
    var position = 0
    while position < bytes.count {
      guard isGzip(Array(bytes[position..<min(position + 2, bytes.count)])) else {
        throw PackError(
          .file, "\(name): \(bytes.count - position) foreign bytes follow the compressed data")
      }
      position = try Inflate.unpack(
        bytes, from: position, to: bytes.count, wrapper: .gzip, into: &output, limit: limit, name: name)
    }
    return output
  }
}
