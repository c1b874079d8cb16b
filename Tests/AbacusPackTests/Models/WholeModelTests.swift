import Foundation
import Testing

@testable import AbacusPack

/// Whole models against the outputs that LiteRT's plain kernels gave (`*.litert.npz`).
@Suite(.enabled(if: TestFolder.shared != nil, "the shared models are not here"))
struct WholeModelTests {
  struct Expectation: Sendable, CustomTestStringConvertible {
    var model: ModelCase
    /// Largest difference of any value, in steps, and mean difference of all.
    var largest: Int
    var mean: Double
    var testDescription: String { model.name }
  }

  /// Logits may differ by 8 steps, probabilities by 16, and 0.5 on average: we round once, LiteRT twice.
  ///
  /// ResNet-8 (pretrainedResnet_quant) is the exception: its recorded inputs are noise, on which it
  /// wavers between classes, and one step in a hundred of its early values becomes up to 27 of 256 in
  /// the probabilities. LiteRT's own two kernel sets differ by up to 43 on the same inputs. Operator
  /// by operator it stays within one step like all others (OperatorByOperatorTests).
  static let expectations: [Expectation] = ModelCase.shared.compactMap { model in
    switch model.name {
    case "person_detect": nil
    case "pretrainedResnet_quant": Expectation(model: model, largest: 43, mean: 2.1)
    case "ad01_int8", "hello_world_int8": Expectation(model: model, largest: 8, mean: 0.5)
    // Nine-node LayerNorms in int8: differences add up over four blocks.
    case "vit_int8", "vit_int8_tflm": Expectation(model: model, largest: 8, mean: 1.5)
    default: Expectation(model: model, largest: 16, mean: 0.5)
    }
  }

  private struct Comparison: Decodable {
    var samples: Int
    var mean: Double
    var largest: Int
  }

  @Test(.enabled(if: ReleaseCommand.exists, ReleaseCommand.hint), arguments: expectations)
  func agreesWithLiteRT(_ expected: Expectation) throws {
    try TestFolder.temporary { folder in
      let model = try expected.model.path
      let reference = model.replacing(".tflite", with: ".litert.npz")
      try ReleaseCommand.run("pack", model, "-o", "\(folder)/model.abm")
      let json = try ReleaseCommand.run("compare", "\(folder)/model.abm", reference, "--json")
      let comparisons = try JSONDecoder().decode([Comparison].self, from: Data(json.utf8))
      #expect(comparisons.count == 1)
      for comparison in comparisons {
        #expect(comparison.samples >= 4)
        #expect(comparison.largest <= expected.largest)
        #expect(comparison.mean <= expected.mean)
      }
      if expected.model.name != "ad01_int8" { try expectSameLabels(folder, reference) }
    }
  }

  /// The top label is the same wherever LiteRT's two best differ by more than 8 steps.
  private func expectSameLabels(_ folder: String, _ reference: String) throws {
    let archive = try NumPyArchive(reference)
    var index = 0
    while archive.names.contains("in0_\(index)") {
      let wanted = try archive.array("out0_\(index)").int32s().map { Int($0) }
      try NumPyFile.write(try archive.array("in0_\(index)"), to: "\(folder)/in.npy")
      try ReleaseCommand.run(
        "run", "\(folder)/model.abm", "--input", "\(folder)/in.npy", "--output-file", "\(folder)/out.npy")
      let got = try NumPyFile.read("\(folder)/out.npy").int32s().map { Int($0) }
      let best = wanted.sorted(by: >)
      if best.count > 1 && best[0] - best[1] > 8 {
        #expect(got.firstIndex(of: got.max()!) == wanted.firstIndex(of: best[0]), "sample \(index)")
      }
      index += 1
    }
  }
}
