import Foundation
import Testing

@testable import AbacusPack

/// Accuracy on whole test sets, through the C interface of an optimised build.
@Suite(.enabled(if: ReleaseCommand.exists, ReleaseCommand.hint)) struct AccuracyTests {
  /// Debian's package dataset-fashion-mnist.
  static let fashion = "/usr/share/datasets/fashion-mnist"
  static let hasFashion = FileManager.default.fileExists(atPath: fashion)

  /// Within 0.1 points of LiteRT on the 10,000 test images: 92.05 and 92.40 %.
  @Test(
    .enabled(if: hasFashion, "Debian's package dataset-fashion-mnist is not installed"),
    arguments: [("dscnn-int8", 0.9205), ("resnet-int8", 0.9240)])
  func fashionMNIST(_ name: String, _ reference: Double) throws {
    let images = try IDXFile.images("\(Self.fashion)/t10k-images-idx3-ubyte.gz")
    let labels = try IDXFile.labels("\(Self.fashion)/t10k-labels-idx1-ubyte.gz")
    #expect(labels.count == 10_000)
    let accuracy = try accuracy(TestFolder.golden("models/\(name).tflite"), images, labels)
    #expect(abs(accuracy - reference) <= 0.001)
  }

  /// Keyword spotting on the 4,890 clips: at least 91.6 %.
  @Test(.enabled(if: TestFolder.shared != nil, "the shared models are not here"))
  func keywordSpotting() throws {
    let archive = try NumPyArchive(try TestFolder.model("mlperf-tiny/kws_sc12_mfcc_int8.npz"))
    let labels = try archive.array("y").int32s().map { Int($0) }
    #expect(labels.count == 4_890)
    let model = try TestFolder.model("mlperf-tiny/kws_ref_model.tflite")
    #expect(try accuracy(model, try archive.array("x"), labels) >= 0.916)
  }

  private func accuracy(_ model: String, _ inputs: NumericArray, _ labels: [Int]) throws -> Double {
    try TestFolder.temporary { folder in
      try NumPyFile.write(inputs, to: "\(folder)/in.npy")
      try ReleaseCommand.run("pack", model, "-o", "\(folder)/model.abm")
      try ReleaseCommand.run(
        "run", "\(folder)/model.abm", "--input", "\(folder)/in.npy", "--output-file", "\(folder)/out.npy")
      let outputs = try NumPyFile.read("\(folder)/out.npy")
      let codes = try outputs.int32s()
      let classes = codes.count / labels.count
      let correct = labels.indices.count { sample in
        let row = codes[sample * classes..<(sample + 1) * classes]
        return row.firstIndex(of: row.max()!)! - row.startIndex == labels[sample]
      }
      return Double(correct) / Double(labels.count)
    }
  }
}
