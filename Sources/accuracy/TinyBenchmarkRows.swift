import AbacusPack
import ToolSupport

/// MLPerf Tiny: the float files quantised by us, against their published INT8 twins. All samples are
/// codes as the twin takes them; the float model gets what these stand for.
struct TinyBenchmarkRows {
  let bench: Bench

  /// Codes to calibrate with and to measure with.
  private struct Samples {
    var dataset: String
    var calibration: [[UInt8]]
    var test: [[UInt8]]
    var labels: [Int]?
  }

  func measure() throws {
    let clips = Places.shared("mlperf-tiny/kws_sc12_mfcc_int8.npz")
    try bench.needing("mlperf-tiny KWS", clips) {
      try measure("KWS", float: "kws_ref_model_float32", twin: "kws_ref_model", keywords(clips))
    }
    try bench.needing("mlperf-tiny IC", FashionMNIST.imagePath) {
      try measure("IC", float: "pretrainedResnet", twin: "pretrainedResnet_quant", images(32, "pretrainedResnet_quant"))
    }
    try bench.needing("mlperf-tiny VWW", FashionMNIST.imagePath) {
      try measure("VWW", float: "vww_96_float", twin: "vww_96_int8", images(96, "vww_96_int8"))
    }
    let noise = Places.shared("mlperf-tiny/ad01_int8.litert.npz")
    try bench.needing("mlperf-tiny AD", noise) {
      let recorded = try recordedInputs("ad01_int8")
      let half = recorded.count / 2
      try measure(
        "AD", float: "ad01_fp32", twin: "ad01_int8",
        Samples(
          dataset: "recorded noise, second half; calibrated with the first",
          calibration: Array(recorded[..<half]), test: Array(recorded[half...])))
    }
  }

  // MARK: Samples

  /// Keyword clips; 256 of them, evenly spread, calibrate.
  private func keywords(_ path: String) throws -> Samples {
    let archive = try NumPyArchive(path)
    let clips = try archive.array("x")
    let count = bench.limited(clips.shape[0])
    return Samples(
      dataset: "Speech Commands v2 test clips",
      calibration: try (0..<256).map { try clips.row($0 * clips.shape[0] / 256).bytes },
      test: try (0..<count).map { try clips.row($0).bytes },
      labels: try archive.array("y").int64s().prefix(count).map { Int($0) })
  }

  /// What LiteRT was given where its outputs were recorded.
  private func recordedInputs(_ model: String) throws -> [[UInt8]] {
    let path = Places.shared("mlperf-tiny/\(model).litert.npz")
    guard Places.exists(path) else { return [] }
    let archive = try NumPyArchive(path)
    return try archive.names.filter { $0.hasPrefix("in0_") }.map { try archive.array($0).bytes }
  }

  /// There are no photographs here but two: clothes of Fashion-MNIST, scaled and tinted, stand for them.
  private func images(_ size: Int, _ twin: String) throws -> Samples {
    let data = try FashionMNIST(testing: bench.limited(500), calibrationIndex: "")
    func codes(_ images: [[UInt8]]) throws -> [[UInt8]] {
      try images.enumerated().map { try tinted($1, size: size, number: $0).map { $0 ^ 0x80 } }
    }
    let photographs = try ["person", "no_person"].map { Places.shared("tflm/\($0).bmp") }.filter(Places.exists).map {
      try ImageFile.read($0).converted(toChannels: 3).resized(width: size, height: size).pixels.map { $0 ^ 0x80 }
    }
    let recorded = try recordedInputs(twin)
    return Samples(
      dataset: "Fashion-MNIST scaled and tinted, \(photographs.count) photographs, \(recorded.count) of noise",
      calibration: try codes(data.calibration), test: try codes(data.test) + photographs + recorded)
  }

  /// An image of one channel as a picture whose colours depend on its number.
  private func tinted(_ pixels: [UInt8], size: Int, number: Int) throws -> [UInt8] {
    let grey = try Image(width: 28, height: 28, channels: 1, pixels: pixels)
    let picture = try grey.converted(toChannels: 3).resized(width: size, height: size)
    return picture.pixels.enumerated().map { index, pixel in
      let channel = index % 3
      let background = number * (13 + 8 * channel) % 97
      let strength = 128 + number * (37 + 22 * channel) % 128
      return UInt8(min(background + Int(pixel) * strength / 255, 255))
    }
  }

  // MARK: Rows

  private func measure(_ name: String, float: String, twin: String, _ samples: Samples) throws {
    let model = "mlperf-tiny \(name)"
    let paths = [float, twin].map { Places.shared("mlperf-tiny/\($0).tflite") }
    try bench.needing(model, paths[0], paths[1]) {
      let twinGraph = try ModelFile.load(paths[1])
      let grid = twinGraph.tensors[twinGraph.inputs[0]].quantization ?? Quantization(scale: 1, zeroPoint: 0)
      @Sendable func reals(_ codes: [UInt8]) -> [Float] {
        codes.map { Float(Double(Int(Int8(bitPattern: $0)) - grid.zeroPoints[0]) * grid.scales[0]) }
      }
      let training = PostTraining()
      let graph = try training.prepare(try ModelFile.load(paths[0]))
      let exact = try bench.floatOutputs(graph, count: samples.test.count) {
        let values = reals(samples.test[$0])
        return [FloatTensor(shape: [values.count], values: values)]
      }
      let packed = try training.pack(graph, count: samples.calibration.count) {
        let values = reals(samples.calibration[$0])
        return [FloatTensor(shape: [values.count], values: values)]
      }
      let outputs = try bench.integerOutputs(packed.blob, count: samples.test.count) {
        [try $1[0].bytes(reals(samples.test[$0]))]
      }
      let packedTwin = try Packer.pack(twinGraph)
      let twinOutputs = try bench.integerOutputs(packedTwin.blob, count: samples.test.count) { sample, _ in
        [samples.test[sample]]
      }
      addRows(model, samples, exact, (packed, outputs), twin: (packedTwin, twinOutputs))
    }
  }

  private func addRows(
    _ model: String, _ samples: Samples, _ float: [[Float]], _ ours: (packed: PackedModel, outputs: [[Float]]),
    twin: (packed: PackedModel, outputs: [[Float]])
  ) {
    for (variant, form) in [("TFLite float", ours), ("TFLite INT8", twin)] {
      if let labels = samples.labels {
        bench.addClassification(
          model, variant, samples.dataset, form.packed, form.outputs, float: float, labels)
      } else if let decibels = Statistics.decibels(float, form.outputs) {
        bench.report.add(
          Row(
            model: model, variant: variant, dataset: samples.dataset, samples: form.outputs.count,
            metric: "signal to noise, dB", value: decibels, decibels: decibels,
            blobBytes: form.packed.blob.count, arenaBytes: form.packed.planned.plan.arenaBytes))
      }
    }
    // An autoencoder has no labels.
    guard model != "mlperf-tiny AD" else { return }
    bench.addTwin(
      model, "TFLite float", samples.dataset, ours.packed, ours.outputs, float: float, twin: twin.outputs)
  }
}
