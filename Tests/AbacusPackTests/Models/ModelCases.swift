import Foundation
import Testing

@testable import AbacusPack

/// The real models that tests run. Ours are in the repository, the others in the shared folder.
struct ModelCase: Sendable, CustomTestStringConvertible {
  var name: String
  /// Below the shared folder's models, or nil where the model is ours.
  var sharedPath: String?

  var testDescription: String { name }

  static let ours = ["dscnn-int8", "resnet-int8"].map { ModelCase(name: $0) }
  static let shared = [
    "mlperf-tiny/ad01_int8", "mlperf-tiny/kws_ref_model", "mlperf-tiny/pretrainedResnet_quant",
    "mlperf-tiny/str_ww_ref_model", "mlperf-tiny/vww_96_int8", "tflm/hello_world_int8",
    "tflm/micro_speech_quantized", "tflm/person_detect", "fmnist-vit/vit_int8", "fmnist-vit/vit_int8_tflm",
  ].map { ModelCase(name: URL(filePath: $0).lastPathComponent, sharedPath: $0) }

  /// Those that there are here.
  static let available = ours + (TestFolder.shared == nil ? [] : shared)

  var path: String {
    get throws {
      if let sharedPath { return try TestFolder.model("\(sharedPath).tflite") }
      return TestFolder.golden("models/\(name).tflite")
    }
  }

  var graph: Graph { get throws { try ModelFile.load(try path) } }

  /// What LiteRT computed for each operator, where tools/record-litert has recorded it.
  var recording: String {
    TestFolder.package.appending(path: ".build/litert/\(name).npz").path(percentEncoded: false)
  }

  static let recorded = available.filter { FileManager.default.fileExists(atPath: $0.recording) }
}

@Suite struct ModelAvailabilityTests {
  @Test(.enabled(if: TestFolder.shared != nil, "the shared models are not here: \(ModelCase.shared.count) models are left out"))
  func sharedModelsAreHere() throws {
    for model in ModelCase.shared {
      #expect(FileManager.default.fileExists(atPath: try model.path), "\(model.name)")
    }
  }

  @Test(.enabled(if: !ModelCase.recorded.isEmpty, "tools/record-litert has recorded nothing: no operator is compared with LiteRT"))
  func recordingsAreHere() {
    for model in ModelCase.available where model.name != "person_detect" {
      #expect(FileManager.default.fileExists(atPath: model.recording), "\(model.name)")
    }
  }
}
