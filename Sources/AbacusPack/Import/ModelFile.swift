import Foundation

/// Trained models as files or folders, told apart by their content.
public enum ModelFile {
  /// Reads a model of any format that has an importer.
  ///
  /// - Parameter overrides: hyperparameters that come before those of the model's own configuration,
  ///   for formats that have one (``HuggingFaceImporter``).
  public static func load(_ path: String, overrides: [String: String] = [:]) throws -> Graph {
    if isHuggingFace(path) { return try HuggingFaceImporter.load(path, overrides: overrides) }
    guard overrides.isEmpty else {
      throw PackError(
        .file, "\(path): only folders of config.json and .safetensors have hyperparameters to set")
    }
    let bytes = try readFile(path)
    if bytes.count >= 8, Array(bytes[4..<8]) == Array("TFL3".utf8) {
      return try TFLiteImporter.load(bytes)
    }
    if bytes.count >= 4, Array(bytes[0..<4]) == Array("ABAC".utf8) {
      throw PackError(.file, "\(path) is packed already; look at it with abacus inspect")
    }
    throw PackError(
      .malformed,
      "\(path) is not a TFLite model: bytes 4 to 7 should be the identifier \"TFL3\" "
        + "(a Hugging Face model is a folder or a .safetensors file)")
  }

  private static func isHuggingFace(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
      && (isFolder.boolValue || path.hasSuffix(".safetensors")
        || path.hasSuffix(".safetensors.index.json"))
  }
}
