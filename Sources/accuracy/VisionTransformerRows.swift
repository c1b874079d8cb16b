import AbacusPack
import ToolSupport

/// Our vision transformer on Fashion-MNIST: every format, then what each choice costs.
struct VisionTransformerRows {
  let bench: Bench
  private let name = "fmnist-vit"
  private let folder = Places.golden("fmnist-vit")

  /// How the network wants pixels.
  static let pixels = PixelNormalization(mean: [0.2860], deviation: [0.3530])

  /// Files of the same network.
  private static let formats: [(name: String, file: String)] = [
    ("ONNX opset 20", "vit_op20.onnx"), ("ONNX opset 20, static", "vit_op20_static.onnx"),
    ("ONNX opset 13, decomposed", "vit_op13_decomposed.onnx"), ("TFLite float", "vit_float.tflite"),
  ]

  /// Files that others have quantised, with scales that can be kept.
  private static let quantized: [(name: String, file: String)] = [
    ("ONNX QDQ, s8", "vit_qdq_s8.onnx"), ("ONNX QDQ, a16w8", "vit_qdq_a16w8.onnx"),
    ("TFLite INT8", "vit_int8.tflite"), ("TFLite INT8, GELU as x * sigmoid", "vit_int8_tflm.tflite"),
  ]

  /// Files that others have quantised, of which only the weights are taken.
  private static let requantized: [(name: String, file: String)] = [
    ("ONNX QDQ, s8, calibrated anew", "vit_qdq_s8.onnx"),
    ("ONNX QDQ, a16w8, calibrated anew", "vit_qdq_a16w8.onnx"),
  ]

  /// What differs from the default.
  private static let variants: [(name: String, change: @Sendable (inout QuantizeOptions) -> Void)] = [
    ("int8 residual", { $0.residualBits = 8 }),
    ("99.99th percentile", { $0.range = .percentile(99.99) }),
    ("99.9th percentile", { $0.range = .percentile(99.9) }),
    ("MSE ranges", { $0.range = .meanSquaredError }),
    ("all activations int16 that can be", { $0.wideBelow = 1000 }),
    ("paper, k = 8", { $0.arithmetic = .paper(quotientBits: 8) }),
    ("released, k = 16", { $0.arithmetic = .paper(quotientBits: 16) }),
    ("paper, k = 8, int8 residual", { $0.arithmetic = .paper(quotientBits: 8); $0.residualBits = 8 }),
    ("released, k = 16, int8 residual", { $0.arithmetic = .paper(quotientBits: 16); $0.residualBits = 8 }),
    ("only softmax: paper, k = 8", { $0.arithmetic.softmax = Arithmetic.paper(quotientBits: 8).softmax }),
    ("only softmax: released, k = 16", { $0.arithmetic.softmax = Arithmetic.paper(quotientBits: 16).softmax }),
    ("only GELU: paper", { $0.arithmetic.gelu = Arithmetic.paper(quotientBits: 8).gelu }),
    ("only GELU: released", { $0.arithmetic.gelu = Arithmetic.paper(quotientBits: 16).gelu }),
    ("only LayerNorm: paper", { $0.arithmetic.normalization = .paper }),
    ("only LayerNorm: paper, int8 residual", { $0.arithmetic.normalization = .paper; $0.residualBits = 8 }),
    ("only additions: paper", { $0.arithmetic.addition = .paper }),
    fewBits("4 bits", WeightFormat(bits: 4, grid: .symmetric)),
    fewBits("4 bits, groups of 32, nearest", fours, .nearest),
    fewBits("4 bits, groups of 32, compensated", fours, .compensated),
    fewBits("4 bits, groups of 32, alternating", fours, .alternating),
    fewBits("4 bits, groups of 32", fours),
    fewBits("4 bits, groups of 32, first and last too", fours, keepsEnds: false),
    fewBits("2 bits, groups of 16, zero points", WeightFormat(bits: 2, grid: .offset, groupSize: 16)),
    fewBits("2 bits, groups of 32, zero points", WeightFormat(bits: 2, grid: .offset, groupSize: 32)),
    fewBits("2 bits, groups of 32", WeightFormat(bits: 2, grid: .odd, groupSize: 32)),
  ]

  private static let fours = WeightFormat(bits: 4, grid: .symmetric, groupSize: 32)

  private static func fewBits(
    _ name: String, _ format: WeightFormat, _ rounding: RoundingMethod = .sequential, keepsEnds: Bool = true
  ) -> (name: String, change: @Sendable (inout QuantizeOptions) -> Void) {
    return (
      "weights of \(name)",
      {
        $0.weightFormat = format
        $0.rounding = rounding
        $0.keepsEnds = keepsEnds
      }
    )
  }

  func measure() throws {
    try bench.needing(name, folder, FashionMNIST.imagePath) {
      let data = try FashionMNIST(
        testing: bench.limited(10_000), calibrationIndex: Places.shared("\(name)/calib_idx.npy"))
      var training = PostTraining()
      training.pixels = Self.pixels
      let graph = try training.prepare(try ModelFile.load(folder))
      let float = try bench.floatOutputs(graph, count: data.test.count) { [FloatTensor(pixels: data.test[$0])] }
      try quantize(graph, "safetensors", training, data, float)
      for format in Self.formats + Self.requantized {
        let path = Places.shared("\(name)/\(format.file)")
        try bench.needing("\(name), \(format.name)", path) {
          try quantize(try training.prepare(try ModelFile.load(path)), format.name, training, data, float)
        }
      }
      for variant in Self.variants {
        var training = training
        variant.change(&training.quantize)
        try bench.needing("\(name), \(variant.name)") {
          try quantize(graph, variant.name, training, data, float)
        }
      }
      for form in Self.quantized { try takeAsItIs(form.name, form.file, data, float) }
    }
  }

  private func quantize(
    _ graph: Graph, _ variant: String, _ training: PostTraining, _ data: FashionMNIST, _ float: [[Float]]
  ) throws {
    let packed = try training.pack(graph, count: data.calibration.count) {
      [FloatTensor(pixels: data.calibration[$0])]
    }
    let outputs = try bench.integerOutputs(packed.blob, count: data.test.count) { sample, _ in
      [data.test[sample].map { $0 ^ 0x80 }]
    }
    bench.addClassification(name, variant, FashionMNIST.name, packed, outputs, float: float, data.labels)
  }

  private func takeAsItIs(_ variant: String, _ file: String, _ data: FashionMNIST, _ float: [[Float]]) throws {
    let path = Places.shared("\(name)/\(file)")
    try bench.needing("\(name), \(variant)", path) {
      let packed = try PostTraining().packAsItIs(try ModelFile.load(path))
      let (mean, deviation) = (Float(Self.pixels.mean[0]), Float(Self.pixels.deviation[0]))
      let outputs = try bench.integerOutputs(packed.blob, count: data.test.count) { sample, inputs in
        [try inputs[0].bytes(data.test[sample].map { (Float($0) / 255 - mean) / deviation })]
      }
      bench.addClassification(name, variant, FashionMNIST.name, packed, outputs, float: float, data.labels)
    }
  }
}

extension Bench {
  /// The row of a classifier.
  func addClassification(
    _ model: String, _ variant: String, _ dataset: String, _ packed: PackedModel, _ outputs: [[Float]],
    float: [[Float]], _ labels: [Int]
  ) {
    report.add(
      Row(
        model: model, variant: variant, dataset: dataset, samples: outputs.count, metric: "accuracy, %",
        value: Statistics.accuracy(outputs, labels), floatValue: Statistics.accuracy(float, labels),
        agreement: Statistics.agreement(outputs, float), decibels: Statistics.decibels(float, outputs),
        blobBytes: packed.blob.count, arenaBytes: packed.planned.plan.arenaBytes))
  }
}
