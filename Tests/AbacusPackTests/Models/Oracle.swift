import Foundation
import Testing

@testable import AbacusPack

/// The interpreter of blobs in numpy (tools/oracle.py), which shares no code with the runtime.
enum Oracle {
  private static let python = TestFolder.package.appending(path: ".build/venv/bin/python").path(percentEncoded: false)
  static let exists = FileManager.default.fileExists(
    atPath: TestFolder.package.appending(path: ".build/venv/numpy-complete").path(percentEncoded: false))
  static let hint: Comment = "numpy is not installed: tools/oracle --prepare"

  /// Runs a script of tools/ with numpy.
  static func run(_ script: String, _ arguments: [String]) throws {
    let path = TestFolder.package.appending(path: "tools/\(script)").path(percentEncoded: false)
    let outcome = try Tool(path: python).run([path] + arguments, timeLimit: 300)
    try #require(outcome.status == 0, "\(script): \(outcome.errors)")
  }

  /// What `abacus run` and the scripts write into a folder: every output of all samples.
  static func outputs(_ folder: String) throws -> [NumericArray] {
    let count = try FileManager.default.contentsOfDirectory(atPath: folder).count
    return try (0..<count).map { try NumPyFile.read("\(folder)/output-\($0).npy") }
  }
}

/// The vision transformer of the repository, packed by the command as users pack it.
enum VisionTransformer {
  static let model = TestFolder.golden("models/fmnist-vit")
  static let blocks = 4
  static let hint: Comment = "Debian's package dataset-fashion-mnist is not installed"

  /// The residual after the attention and after the MLP of each block. The last block is computed for
  /// the token that is classified, only.
  static let residuals = (0..<blocks).flatMap { block in
    [1, 2].map { "blocks.\(block).sum\($0)" + (block == blocks - 1 ? " (part)" : "") }
  }

  static func pack(to path: String, exposing names: [String] = [], _ options: [String] = []) throws {
    try ReleaseCommand.run(
      [
        "pack", model, "--calibrate", "\(AccuracyTests.fashion)/train-images-idx3-ubyte.gz", "--samples", "256",
        "--mean", "0.286", "--deviation", "0.353", "-o", path,
      ] + options + names.flatMap { ["--expose", $0] })
  }

  /// The first test images, uint8 [count, 28, 28].
  static func images(_ count: Int) throws -> NumericArray {
    let all = try IDXFile.images("\(AccuracyTests.fashion)/t10k-images-idx3-ubyte.gz")
    let shape = [count] + all.shape.dropFirst()
    return try NumericArray(shape: shape, type: .uint8, bytes: Array(all.bytes.prefix(shape.reduce(1, *))))
  }
}
