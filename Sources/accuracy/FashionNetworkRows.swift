import AbacusPack
import ToolSupport

/// Our two convolutional networks on Fashion-MNIST: quantised by us, beside TensorFlow's INT8.
struct FashionNetworkRows {
  let bench: Bench

  func measure() throws {
    try bench.needing("dscnn and resnet", FashionMNIST.imagePath) {
      let data = try FashionMNIST(
        testing: bench.limited(10_000), calibrationIndex: Places.shared("fmnist-cnn/calib_idx.npy"))
      for name in ["dscnn", "resnet"] { try measure(name, data) }
    }
  }

  private func measure(_ name: String, _ data: FashionMNIST) throws {
    let formats = [("TFLite float", "tflite"), ("ONNX float", "onnx")].map {
      (name: $0.0, path: Places.shared("fmnist-cnn/\(name)-float.\($0.1)"))
    }
    try bench.needing(name, Places.golden("\(name)-int8.tflite"), formats[0].path) {
      // Pixels of 0 ... 1.
      var training = PostTraining()
      training.pixels = PixelNormalization(mean: [0], deviation: [1])
      let graph = try training.prepare(try ModelFile.load(formats[0].path))
      let float = try bench.floatOutputs(graph, count: data.test.count) { [FloatTensor(pixels: data.test[$0])] }
      let twin = try Packer.pack(try ModelFile.load(Places.golden("\(name)-int8.tflite")))
      let twinOutputs = try run(twin, name, data)
      try bench.addClassification(
        name, "TFLite INT8", FashionMNIST.name, twin, twinOutputs, float: float, data.labels)
      for format in formats {
        try bench.needing("\(name), \(format.name)", format.path) {
          let graph = try training.prepare(try ModelFile.load(format.path))
          let packed = try training.pack(graph, count: data.calibration.count) {
            [FloatTensor(pixels: data.calibration[$0])]
          }
          let outputs = try run(packed, name, data)
          try bench.addClassification(name, format.name, FashionMNIST.name, packed, outputs, float: float, data.labels)
          bench.addTwin(name, format.name, FashionMNIST.name, packed, outputs, float: float, twin: twinOutputs)
        }
      }
    }
  }

  private func run(_ packed: PackedModel, _ name: String, _ data: FashionMNIST) throws -> [[Float]] {
    try bench.integerOutputs(packed.blob, count: data.test.count) { sample, _ in
      [data.test[sample].map { $0 ^ 0x80 }]
    }
  }
}

extension Bench {
  /// How often a model quantised by us says what its published INT8 twin says.
  func addTwin(
    _ model: String, _ variant: String, _ dataset: String, _ packed: PackedModel, _ outputs: [[Float]],
    float: [[Float]], twin: [[Float]]
  ) {
    report.add(
      Row(
        model: model, variant: variant, dataset: dataset, samples: outputs.count,
        metric: "same label as the INT8 twin, %", value: Statistics.agreement(outputs, twin),
        floatValue: Statistics.agreement(float, twin), agreement: Statistics.agreement(outputs, float),
        decibels: Statistics.decibels(float, outputs), blobBytes: packed.blob.count,
        arenaBytes: packed.planned.plan.arenaBytes))
  }
}
