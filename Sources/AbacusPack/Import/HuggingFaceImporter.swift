import Foundation

/// Reads a transformer as Hugging Face's libraries store it, a folder with config.json and weights in
/// .safetensors files, into a float ``Graph``.
///
/// The family shows in the names of the weights: ViT and DeiT, BERT and its relatives, Llama.
/// Whatever the configuration leaves open is taken from the shapes.
public enum HuggingFaceImporter {
  /// - Parameters:
  ///   - path: the folder, or a .safetensors file (or index of several), with config.json beside it.
  ///   - overrides: keys and values that come before those of config.json; `heads`, `eps` and `tokens`
  ///     (length of the sequence) in every family.
  /// - Throws: `PackError` where a file is damaged, the family is not known, something of it is not
  ///   supported, or weights are missing or left over.
  public static func load(_ path: String, overrides: [String: String] = [:]) throws -> Graph {
    let place = try Place(path)
    let configuration = try HuggingFaceConfiguration(place.configuration, overrides: overrides)
    let weights = try SafeTensorsArchive(place.weights)
    do {
      let graph = try graph(weights, configuration)
      try configuration.requireOverridesUsed()
      return graph
    } catch let error as PackError {
      throw error.description.hasPrefix(place.folder)
        ? error : PackError(error.kind, "\(path): \(error.description)")
    }
  }

  private static func graph(
    _ weights: SafeTensorsArchive, _ configuration: HuggingFaceConfiguration
  ) throws -> Graph {
    if VisionTransformer.isTimm(weights) || VisionTransformer.prefix(weights) != nil {
      return try VisionTransformer.load(weights, configuration)
    }
    if LlamaModel.prefix(weights) != nil { return try LlamaModel.load(weights, configuration) }
    if BertEncoder.prefix(weights) != nil { return try BertEncoder.load(weights, configuration) }
    let type = try configuration.text("model_type", "architecture").map { " (\"\($0)\")" } ?? ""
    throw PackError(
      .unsupported,
      "the weights are of no supported family\(type); supported: ViT and DeiT (names of timm or "
        + "transformers), BERT, RoBERTa, DistilBERT, Llama; the first tensors are: "
        + weights.names.sorted().prefix(4).joined(separator: ", "))
  }

  /// The files of a model.
  private struct Place {
    var folder: String
    var weights: String
    var configuration: String?

    init(_ path: String) throws {
      let files = FileManager.default
      var isFolder: ObjCBool = false
      let exists = files.fileExists(atPath: path, isDirectory: &isFolder)
      let url = URL(filePath: path, directoryHint: isFolder.boolValue ? .isDirectory : .notDirectory)
      let folderURL = isFolder.boolValue ? url : url.deletingLastPathComponent()
      func member(_ name: String) -> String? {
        let path = folderURL.appending(path: name).path(percentEncoded: false)
        return files.fileExists(atPath: path) ? path : nil
      }
      folder = folderURL.path(percentEncoded: false)
      configuration = member("config.json")
      guard exists, isFolder.boolValue else {
        weights = path
        return
      }
      guard let weights = member("model.safetensors") ?? member("model.safetensors.index.json") else {
        throw PackError(
          .file,
          "\(path): is a directory, and not one of a model: it has neither model.safetensors nor "
            + "model.safetensors.index.json")
      }
      self.weights = weights
    }
  }
}
