import AbacusPack
import Foundation

/// The sentence encoder as onnxruntime runs it, in float and quantised by its own tools
/// (tools/bert-onnx), on sentences of ours.
struct SentencePeer {
  /// One of the files that the tool writes.
  struct Form {
    var name: String
    /// The mean over the tokens of each sentence.
    var embeddings: [[Float]]
    /// Processor time with one thread, the median of many runs.
    var milliseconds: Double
    var bytes: Int
  }

  let forms: [Form]

  /// What the tool prints.
  private struct Output: Decodable {
    struct Measured: Decodable {
      var milliseconds: Double
      var bytes: Int
    }
    var onnxruntime: String
    var float, dynamic, `static`: Measured
  }

  /// Throws where the tool fails, for instance because onnxruntime is not to be had.
  init(model: String, calibration: [PaddedTokens], sentences: [PaddedTokens]) throws {
    let folder = ".build/bert-onnx"
    try Self.write(calibration, to: "\(folder)/samples/calibration")
    try Self.write(sentences, to: "\(folder)/samples/sentences")
    let outcome = try Tool(path: "tools/bert-onnx").run([model, "\(folder)/samples", "\(folder)/models"])
    guard outcome.status == 0 else {
      throw PackError(.tool, "tools/bert-onnx failed: \(outcome.errors.split(separator: "\n").last ?? "")")
    }
    let output = try JSONDecoder().decode(Output.self, from: Data(outcome.output.utf8))
    forms = try [
      ("float", "float", output.float), ("dynamic", "int8, dynamic", output.dynamic),
      ("static", "int8, QDQ", output.static),
    ].map { file, name, measured in
      let array = try NumPyFile.read("\(folder)/models/\(file).npy")
      return Form(
        name: "onnxruntime \(output.onnxruntime), \(name)",
        embeddings: try (0..<array.shape[0]).map { try array.row($0).floats() },
        milliseconds: measured.milliseconds, bytes: measured.bytes)
    }
  }

  private static func write(_ sentences: [PaddedTokens], to folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for (name, rows) in [("input_ids", sentences.map(\.tokens)), ("attention_mask", sentences.map(\.mask))] {
      try NumPyFile.write(
        NumericArray(floats: rows.joined().map { Float($0) }, shape: [rows.count, rows[0].count]),
        to: "\(folder)/\(name).npy")
    }
  }
}
