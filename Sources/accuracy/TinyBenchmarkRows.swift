import AbacusPack
import AbacusRuntime
import ToolSupport

/// MLPerf Tiny: the float files quantised by us, against their published INT8 twins.
struct TinyBenchmarkRows {
  let bench: Bench

  /// Agreement is told for samples to whose label the float classifier gives at least such a probability.
  private static let certainties: [Float] = [0, 0.5, 0.7]

  /// What else the weights of keyword spotting are to be.
  private static let formats: [(name: String, format: WeightFormat)] = [
    ("weights of 4 bits", WeightFormat(bits: 4, grid: .symmetric)),
    ("weights of 4 bits, groups of 32", WeightFormat(bits: 4, grid: .symmetric, groupSize: 32)),
    ("weights of 2 bits, groups of 32", WeightFormat(bits: 2, grid: .odd, groupSize: 32)),
  ]

  func measure() throws {
    let clips = Places.shared("mlperf-tiny/kws_sc12_mfcc_int8.npz")
    try bench.needing("mlperf-tiny KWS", clips) {
      try measure("KWS", float: "kws_ref_model_float32", twin: "kws_ref_model", formats: Self.formats) { try keywords(clips, grid: $0) }
    }
    try bench.needing("mlperf-tiny IC on CIFAR-10", Places.cifar) {
      try measure("IC", float: "pretrainedResnet", twin: "pretrainedResnet_quant") { _ in try cifar() }
    }
    try bench.needing("mlperf-tiny IC and VWW on photographs", Places.photographs) {
      try measure("IC", float: "pretrainedResnet", twin: "pretrainedResnet_quant") { _ in
        try photographs(size: 32, white: 255)
      }
      try measure("VWW", float: "vww_96_float", twin: "vww_96_int8") { _ in try photographs(size: 96, white: 1) }
    }
    try TinyAutoencoderRows(bench: bench).measure()
  }

  // MARK: Samples

  /// Keyword clips; 256 of them, evenly spread, calibrate. They are recorded as the twin takes them.
  private func keywords(_ path: String, grid: Tensor) throws -> TinyTwins.Samples {
    let archive = try NumPyArchive(path)
    let clips = try archive.array("x")
    let count = bench.limited(clips.shape[0])
    let quantization = grid.quantization ?? Quantization(scale: 1, zeroPoint: 0)
    func reals(_ row: Int) throws -> [Float] {
      try clips.row(row).bytes.map {
        Float(Double(Int(Int8(bitPattern: $0)) - quantization.zeroPoints[0]) * quantization.scales[0])
      }
    }
    return TinyTwins.Samples(
      dataset: "Speech Commands v2 test clips",
      calibration: try (0..<256).map { try reals($0 * clips.shape[0] / 256) },
      test: try (0..<count).map(reals), labels: try archive.array("y").int64s().prefix(count).map { Int($0) })
  }

  /// The few images of CIFAR that can be had: of CIFAR-10 to test, of CIFAR-100 to calibrate.
  private func cifar() throws -> TinyTwins.Samples {
    let test = try Photographs.cifar("cifar10")
    let count = bench.limited(test.count)
    return TinyTwins.Samples(
      dataset: "20 CIFAR-10 test images, shifted and mirrored; calibrated with 20 of CIFAR-100",
      calibration: try Photographs.cifar("cifar100").map { $0.pixels.map(Float.init) },
      test: test.prefix(count).map { $0.pixels.map(Float.init) }, labels: test.prefix(count).map(\.label))
  }

  /// - Parameter white: what the model takes for the brightest pixel.
  private func photographs(size: Int, white: Float) throws -> TinyTwins.Samples {
    let tiles = try Photographs.tiles(size: size)
    func reals(_ pixels: [UInt8]) -> [Float] { pixels.map { Float($0) / 255 * white } }
    // Three in nine parts of a photograph are enough to calibrate with.
    return TinyTwins.Samples(
      dataset: "parts of photographs; calibrated with others",
      calibration: tiles.calibration.indices.filter { $0 % 3 == 1 }.map { reals(tiles.calibration[$0]) },
      test: tiles.test.prefix(bench.limited(tiles.test.count)).map(reals))
  }

  // MARK: Rows

  private func measure(
    _ name: String, float: String, twin: String, formats: [(name: String, format: WeightFormat)] = [],
    samples: (Tensor) throws -> TinyTwins.Samples
  ) throws {
    let model = "mlperf-tiny \(name)"
    try bench.needing(model, TinyTwins.path(float), TinyTwins.path(twin)) {
      let graph = try ModelFile.load(TinyTwins.path(twin))
      let samples = try samples(graph.tensors[graph.inputs[0]])
      let twins = try TinyTwins(bench, float: float, twin: twin, samples, formats: formats)
      for (variant, form) in twins.forms {
        if let labels = samples.labels {
          try bench.addClassification(
            model, variant, samples.dataset, form.packed, form.outputs, float: twins.float, labels)
        }
        addAgreement(model, variant, samples.dataset, form, float: twins.float)
      }
      bench.addTwin(
        model, "TFLite float", samples.dataset, twins.ours.packed, twins.ours.outputs, float: twins.float,
        twin: twins.twin.outputs)
    }
  }

  /// How often integers say what float says: over all samples, and over those of which float is sure.
  private func addAgreement(
    _ model: String, _ variant: String, _ dataset: String, _ form: TinyTwins.Integers, float: [[Float]]
  ) {
    var count: Int?
    for certainty in Self.certainties {
      let sure = float.indices.filter { float[$0].max() ?? 0 >= certainty }
      guard sure.count != count else { continue }
      count = sure.count
      let (outputs, float) = (sure.map { form.outputs[$0] }, sure.map { float[$0] })
      let agreement = Statistics.agreement(outputs, float)
      bench.report.add(
        Row(
          model: model, variant: variant, dataset: dataset, samples: sure.count,
          metric: "same label as float\(certainty > 0 ? " where it is \(certainty) sure" : ""), %",
          value: agreement, agreement: agreement, decibels: Statistics.decibels(float, outputs),
          blobBytes: form.packed.blob.count, arenaBytes: form.packed.planned.plan.arenaBytes))
    }
  }
}
