/// Trained models as files, told apart by their content.
public enum ModelFile {
  /// Reads a model of any format that has an importer.
  public static func load(_ path: String) throws -> Graph {
    let bytes = try readFile(path)
    if bytes.count >= 8, Array(bytes[4..<8]) == Array("TFL3".utf8) {
      return try TFLiteImporter.load(bytes)
    }
    if bytes.count >= 4, Array(bytes[0..<4]) == Array("ABAC".utf8) {
      throw PackError(.file, "\(path) is packed already; look at it with abacus inspect")
    }
    throw PackError(
      .malformed,
      "\(path) is not a TFLite model: bytes 4 to 7 should be the identifier \"TFL3\"")
  }
}
