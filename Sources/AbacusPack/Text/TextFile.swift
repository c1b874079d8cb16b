/// Text as files have it.
enum TextFile {
  /// A file in UTF-8, a byte order mark at its beginning left out. Throws where there is something else
  /// in it, or no file.
  static func read(_ path: String) throws(PackError) -> String {
    let bytes = try readFile(path, limit: InputLimits.textBytes)
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    let start = bytes.starts(with: mark) ? mark.count : 0
    do {
      return String(copying: try UTF8Span(validating: bytes.span.extracting(droppingFirst: start)))
    } catch {
      throw PackError(.file, "\(path): is no text: byte \(start + error.byteOffsets.lowerBound) is not UTF-8")
    }
  }
}
