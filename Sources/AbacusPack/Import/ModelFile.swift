import Foundation

/// Trained models as files, told apart by their content.
public enum ModelFile {
  /// Reads a model of any format that has an importer.
  /// - Parameter dimensions: extents of the symbolic dimensions of an ONNX model, by name.
  public static func load(_ path: String, dimensions: [String: Int] = [:]) throws -> Graph {
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
      "\(path) is neither a TFLite model (bytes 4 to 7 would be the identifier \"TFL3\") nor an ONNX model")
  }
}
