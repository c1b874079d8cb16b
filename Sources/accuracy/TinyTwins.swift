import AbacusPack
import ToolSupport
import AbacusRuntime

/// A float model of MLPerf Tiny, the same quantised by us, and its published INT8 twin, on the same samples.
struct TinyTwins {
  /// Inputs as real values.
  struct Samples {
    var dataset: String
    var calibration: [[Float]]
    var test: [[Float]]
    var labels: [Int]?
  }

  struct Integers {
    var packed: PackedModel
    var outputs: [[Float]]
  }

  let float: [[Float]]
  let ours: Integers
  let twin: Integers

  static func path(_ name: String) -> String { Places.shared("mlperf-tiny/\(name).tflite") }

  init(_ bench: Bench, float: String, twin: String, _ samples: Samples) throws {
    func run(_ packed: PackedModel) throws -> Integers {
      let outputs = try bench.integerOutputs(packed.blob, count: samples.test.count) {
        [try $1[0].bytes(samples.test[$0])]
      }
      return Integers(packed: packed, outputs: outputs)
    }
    let training = PostTraining()
    let graph = try training.prepare(try ModelFile.load(Self.path(float)))
    self.float = try bench.floatOutputs(graph, count: samples.test.count) { [FloatTensor(samples.test[$0])] }
    ours = try run(
      try training.pack(graph, count: samples.calibration.count) { [FloatTensor(samples.calibration[$0])] })
    self.twin = try run(try Packer.pack(try ModelFile.load(Self.path(twin))))
  }

  /// Both integer forms, with the names of their files' formats.
  var forms: [(variant: String, integers: Integers)] { [("TFLite float", ours), ("TFLite INT8", twin)] }
}

extension FloatTensor {
  fileprivate init(_ values: [Float]) { self.init(shape: [values.count], values: values) }
}
