/// Pictures of the formats that need no further library: PNG, PGM, PPM and BMP.
public enum ImageFile {
  /// Reads a picture; what it is shows in its first bytes, not in its name.
  ///
  /// Grey files give one channel, all others three. Throws where the file is none of these or damaged.
  public static func read(_ path: String) throws(PackError) -> Image {
    try decode(readFile(path), name: path)
  }

  /// Reads the bytes of a file; `name` stands in messages.
  public static func decode(_ bytes: [UInt8], name: String) throws(PackError) -> Image {
    if bytes.starts(with: PNGFile.signature) { return try PNGFile.decode(bytes, name: name) }
    if bytes.starts(with: Array("BM".utf8)) { return try BMPFile.decode(bytes, name: name) }
    if bytes.count >= 2, bytes[0] == UInt8(ascii: "P"), (0x31...0x37).contains(bytes[1]) {
      return try PNMFile.decode(bytes, name: name)
    }
    if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
      throw PackError(.file, "\(name): is a JPEG picture; convert it to PNG, PGM, PPM or BMP")
    }
    throw PackError(.file, "\(name): is no picture of a known format (PNG, PGM, PPM, BMP)")
  }
}
