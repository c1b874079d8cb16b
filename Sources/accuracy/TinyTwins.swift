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
  /// Ours with weights of few bits, by what they have.
  let fewBits: [(variant: String, integers: Integers)]

  static func path(_ name: String) -> String { Places.shared("mlperf-tiny/\(name).tflite") }

  /// - Parameter formats: what else the weights are to be, by name; of these, those that the bench looks for.
  init(
    _ bench: Bench, float: String, twin: String, _ samples: Samples, formats: [(name: String, format: WeightFormat)] = []
  ) throws {
    func run(_ packed: PackedModel) throws -> Integers {
      let outputs = try bench.integerOutputs(packed.blob, count: samples.test.count) {
        [try $1[0].bytes(samples.test[$0])]
      }
      return Integers(packed: packed, outputs: outputs)
    }
    var training = PostTraining()
    let graph = try training.prepare(try ModelFile.load(Self.path(float)))
    self.float = try bench.floatOutputs(graph, count: samples.test.count) { [FloatTensor(samples.test[$0])] }
    let (prepared, calibration) = try training.calibrate(graph, count: samples.calibration.count) {
      [FloatTensor(samples.calibration[$0])]
    }
    func pack() throws -> Integers { try run(try training.pack(try training.integers(prepared, calibration))) }
    ours = try pack()
    var fewBits: [(variant: String, integers: Integers)] = []
    for (name, format) in formats where bench.matching.map(name.contains) ?? true {
      training.quantize.weightFormat = format
      fewBits.append((name, try pack()))
    }
    self.fewBits = fewBits
    self.twin = try run(try Packer.pack(try ModelFile.load(Self.path(twin))))
  }

  /// Both integer forms, with the names of their files' formats.
  var forms: [(variant: String, integers: Integers)] { [("TFLite float", ours), ("TFLite INT8", twin)] + fewBits }
}

extension FloatTensor {
  fileprivate init(_ values: [Float]) { self.init(shape: [values.count], values: values) }
}
