import Foundation

/// Trained models as files or folders, told apart by their content.
public enum ModelFile {
  /// Reads a model of any format that has an importer.
  ///
  /// - Parameters:
  ///   - overrides: hyperparameters that come before those of the model's own configuration, for
  ///     formats that have one (``HuggingFaceImporter``).
  ///   - dimensions: extents of symbolic dimensions by name, for ``ONNXImporter``.
  public static func load(
    _ path: String, overrides: [String: String] = [:], dimensions: [String: Int] = [:]
  ) throws -> Graph {
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
    if path.hasSuffix(".onnx") || ONNXImporter.recognizes(bytes) {
      let folder = URL(filePath: path).deletingLastPathComponent().path(percentEncoded: false)
      return try ONNXImporter.load(bytes, dimensions: dimensions, externalData: folder)
    }
    throw PackError(
      .malformed,
      "\(path) is no model that can be read: a TFLite model has the identifier \"TFL3\" in bytes 4 to 7, "
        + "an ONNX model a version and a graph, and a Hugging Face model is a folder or a .safetensors file")
  }

  private static func isHuggingFace(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
      && (isFolder.boolValue || path.hasSuffix(".safetensors")
        || path.hasSuffix(".safetensors.index.json"))
  }
}
