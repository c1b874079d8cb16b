import AbacusPack
import AbacusRuntime
import ToolSupport

/// A network that is measured: how it is packed, and the same network in files for other runtimes.
struct BenchModel: Sendable {
  /// What a file needs to become a blob.
  enum Recipe: Sendable {
    /// It is quantised.
    case asItIs
    /// Float weights, calibrated with images.
    case images(PixelNormalization)
    /// A float language model, calibrated with a text; it is measured on the beginning of that.
    case text(String, tokenizer: String, context: Int)
  }

  var name: String
  /// A file, or a folder.
  var source: String
  var recipe = Recipe.asItIs
  /// What LiteRT runs.
  var tflite: String?
  /// What onnxruntime runs, in float where nothing else is said.
  var onnx: String?

  static let all: [BenchModel] =
    [
      tiny("KWS", "mlperf-tiny/kws_ref_model"), tiny("VWW", "mlperf-tiny/vww_96_int8"),
      tiny("IC", "mlperf-tiny/pretrainedResnet_quant"), tiny("AD", "mlperf-tiny/ad01_int8"),
      tiny("SWW", "mlperf-tiny/str_ww_ref_model"), tiny("micro_speech", "tflm/micro_speech_quantized"),
      tiny("hello_world", "tflm/hello_world_int8"), tiny("person_detect", "tflm/person_detect"),
      tiny("keyword_scrambled", "tflm/keyword_scrambled_8bit"), tiny("lstm", "tflm/trained_lstm_int8"),
      fashion("dscnn"), fashion("resnet"),
      BenchModel(
        name: "fmnist-vit", source: Places.golden("fmnist-vit"),
        recipe: .images(PixelNormalization(mean: [0.286], deviation: [0.353])),
        tflite: Places.shared("fmnist-vit/vit_int8.tflite"), onnx: Places.shared("fmnist-vit/vit_qdq_s8.onnx")),
      tiny("vit-int8", "fmnist-vit/vit_int8"),
      BenchModel(
        name: "shakespeare-llama", source: Places.golden("shakespeare-llama"),
        recipe: .text(
          Places.golden("shakespeare-llama/calibration.txt"),
          tokenizer: Places.golden("shakespeare-llama/vocab.json"), context: 256)),
    ]

  /// One of other people's INT8 models.
  private static func tiny(_ name: String, _ path: String) -> BenchModel {
    let file = Places.shared("\(path).tflite")
    return BenchModel(name: name, source: file, tflite: file)
  }

  /// One of our INT8 classifiers of clothes.
  private static func fashion(_ name: String) -> BenchModel {
    let file = Places.golden("\(name)-int8.tflite")
    return BenchModel(name: name, source: file, tflite: file, onnx: Places.shared("fmnist-cnn/\(name)-float.onnx"))
  }

  /// Files without which it cannot be packed.
  var needs: [String] {
    switch recipe {
    case .asItIs: [source]
    case .images: [source, Self.calibrationImages]
    case .text(let text, let tokenizer, _): [source, text, tokenizer]
    }
  }

  private static let calibrationImages = Places.fashion("train-images-idx3")

  /// The model as a graph of integers, which every layout of weights can be packed from.
  struct Quantized {
    fileprivate var graph: Graph
    fileprivate var training: PostTraining
    private var packed: [PackOptions.WeightOrder: PackedModel] = [:]

    fileprivate init(_ graph: Graph, _ training: PostTraining) {
      self.graph = graph
      self.training = training
    }

    /// - Parameter board: nil for this machine.
    mutating func pack(for board: Board?) throws -> PackedModel {
      let order: PackOptions.WeightOrder = board?.weightOrder ?? .quads
      if let known = packed[order] { return known }
      training.pack.weightOrder = order
      let result = try training.pack(graph)
      packed[order] = result
      return result
    }
  }

  func quantized() throws -> Quantized {
    let graph = try ModelFile.load(source)
    var training = PostTraining()
    func calibrated(_ samples: String) throws -> Quantized {
      let (graph, calibration) = try training.calibrate(graph, samples: samples)
      return Quantized(try training.integers(graph, calibration), training)
    }
    switch recipe {
    case .asItIs: return Quantized(graph, training)
    case .images(let pixels):
      training.pixels = pixels
      training.sampleLimit = 256
      return try calibrated(Self.calibrationImages)
    case .text(let text, let tokenizer, let context):
      training.context = context
      training.tokenizer = try TokenizerFile.read(tokenizer)
      return try calibrated(text)
    }
  }

  /// What it is measured on, the bytes of each input of each run: zero points, or as many tokens as the
  /// cache takes.
  func samples(for inputs: [Model.Boundary]) throws -> [[[UInt8]]] {
    guard case .text(let path, let tokenizer, let context) = recipe else {
      return [inputs.map { [UInt8](repeating: UInt8(truncatingIfNeeded: $0.zeroPoint), count: $0.byteCount) }]
    }
    let row = Tensor(name: inputs[0].name, shape: [1, context], type: .int32)
    let text = try SampleReader(path, inputs: [row], tokenizer: try TokenizerFile.read(tokenizer))
    return try text.sample(0)[0].map { token in [withUnsafeBytes(of: Int32(token).littleEndian) { Array($0) }] }
  }
}
