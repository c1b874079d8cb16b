import AbacusPack
import ArgumentParser

/// How a model is read.
struct SourceOptions: ParsableArguments {
  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("A hyperparameter of a Hugging Face model that its config.json lacks.", valueName: "name=value"))
  var settings: [String] = []

  @Option(
    name: .customLong("dim"),
    help: ArgumentHelp("The extent of a dimension that an ONNX model leaves open.", valueName: "name=value"))
  var dimensions: [String] = []

  func load(_ path: String) throws -> Graph {
    let overrides = try pairs(settings, "--set", "heads=4")
    let dimensions = try pairs(dimensions, "--dim", "tokens=128").mapValues { text in
      guard let extent = Int(text) else { throw ValidationError("--dim: \(text) is not a whole number") }
      return extent
    }
    return try ModelFile.load(path, overrides: overrides, dimensions: dimensions)
  }

  private func pairs(_ texts: [String], _ option: String, _ example: String) throws -> [String: String] {
    var result: [String: String] = [:]
    for text in texts {
      guard let equals = text.firstIndex(of: "=") else {
        throw ValidationError("\(option) \(text): give a name and a value, such as \(example)")
      }
      result[String(text[..<equals])] = String(text[text.index(after: equals)...])
    }
    return result
  }
}

/// How a float model becomes one of integers.
struct QuantizationOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Samples that show how large the values of the model become.", valueName: "samples"))
  var calibrate: String?

  @Flag(help: "Calibrate without samples: with the model's batch normalisations, and with inputs that are made up. Costs accuracy; see also abacus quantize.")
  var dataFree = false

  @Option(help: ArgumentHelp(
    "Where the samples are a text: what cuts it into tokens. \(TokenizerFile.kinds).", valueName: "file"))
  var tokenizer: String?

  @Option(help: ArgumentHelp("Look at so many of the samples, evenly spread.", valueName: "n"))
  var samples: Int?

  @Option(help: "Mean of the pixels (of 0...1), one or one a channel; then the blob takes pixels minus 128.")
  var mean: [Double] = []

  @Option(help: "Standard deviation of the pixels (of 0...1), one or one a channel.")
  var deviation: [Double] = []

  @Option(help: ArgumentHelp("Ranges of int8 tensors: min-max, mse, or a percentile such as 99.99.", valueName: "method"))
  var range: RangeMethod = .minMax

  @Option(help: "Arithmetic of softmax, GELU, LayerNorm and residual additions: refined, paper (I-ViT, k = 8) or released (k = 16).")
  var arithmetic: ArithmeticName = .refined

  @Option(help: ArgumentHelp("Arithmetic of softmax alone.", valueName: "arithmetic"))
  var softmax: ArithmeticName?

  @Option(help: ArgumentHelp("Arithmetic of GELU alone.", valueName: "arithmetic"))
  var gelu: ArithmeticName?

  @Option(help: ArgumentHelp("Arithmetic of LayerNorm alone.", valueName: "arithmetic"))
  var layerNorm: ArithmeticName?

  @Option(help: ArgumentHelp("Arithmetic of residual additions alone.", valueName: "arithmetic"))
  var addition: ArithmeticName?

  @Option(help: "Bits of the residual stream of transformers: 8 or 16.")
  var residual = 16

  @Option(help: "Bits of outputs that are no probabilities: 8 or 16; 16 for transformers unless given.")
  var outputBits: Int?

  @Option(help: ArgumentHelp("A tensor that is to have 16 bits.", valueName: "name"))
  var int16: [String] = []

  @Option(help: ArgumentHelp("Even out channels between convolutions, other layers and normalisations; 0 to 1 says how much goes into the weights behind.", valueName: "balance"))
  var equalize: Double?

  @Option(help: ArgumentHelp("Give 16 bits to activations of transformers that 8 leave with less signal to noise.", valueName: "decibels"))
  var int16Below = 30.0

  @Option(help: "Bits of the weights of fully connected layers and convolutions: 8, 4 or 2.")
  var weightBits = 8

  @Option(help: ArgumentHelp("Weights along the inputs of a channel that share a scale: a multiple of 16 from 16 to 128.", valueName: "weights"))
  var groupSize: Int?

  @Option(help: ArgumentHelp(
    "What weights below 8 bits can be: symmetric integers, odd ones (the default of 2 bits), or integers with a zero point for each group (offset).",
    valueName: "grid"))
  var weightGrid: WeightFormat.Grid?

  @Option(help: "How weights below 8 bits are chosen: nearest, compensated (GPTQ), alternating (decoupleQ), or sequential: that, layer after layer.")
  var weightRounding = RoundingMethod.sequential

  @Option(help: ArgumentHelp("Weights that keep 8 bits, by the name of their tensor.", valueName: "name"))
  var weightInt8: [String] = []

  @Flag(help: "Let the first layers and the last keep 8 bits.")
  var keepEnds = false

  @Flag(inversion: .prefixedNo, help: "Correct biases for what rounding the weights takes away on average.")
  var biasCorrection = true

  @Option(help: ArgumentHelp("Decode one token a run, with a key/value cache of so many tokens.", valueName: "tokens"))
  var context: Int?

  func validate() throws {
    guard mean.isEmpty == deviation.isEmpty, deviation.allSatisfy({ $0 > 0 }) else {
      throw ValidationError("--mean and --deviation go together, and a deviation is positive.")
    }
    guard residual == 8 || residual == 16, outputBits.map({ $0 == 8 || $0 == 16 }) ?? true else {
      throw ValidationError("--residual and --output-bits are 8 or 16.")
    }
    guard tokenizer == nil || calibrate != nil else {
      throw ValidationError("--tokenizer is for a text that --calibrate names.")
    }
    guard samples.map({ $0 > 0 }) ?? true, context.map({ $0 > 0 }) ?? true else {
      throw ValidationError("--samples and --context are positive.")
    }
    guard [2, 4, 8].contains(weightBits) else { throw ValidationError("--weight-bits is 8, 4 or 2.") }
    guard weightBits < 8 || (groupSize == nil && weightGrid == nil && weightInt8.isEmpty && !keepEnds) else {
      throw ValidationError("--group-size, --weight-grid, --weight-int8 and --keep-ends are for weights below 8 bits; see --weight-bits.")
    }
    guard groupSize.map({ (16...128).contains($0) && $0 % 16 == 0 }) ?? true else {
      throw ValidationError("--group-size is a multiple of 16 from 16 to 128.")
    }
    guard weightGrid != .offset || groupSize != nil else {
      throw ValidationError("--weight-grid offset wants --group-size: zero points belong to groups.")
    }
    guard equalize.map({ (0...1).contains($0) }) ?? true else { throw ValidationError("--equalize is 0 to 1.") }
  }

  /// Options that only calibration has a use for must not be lost in silence.
  func requireNothing() throws {
    var plain = QuantizeOptions()
    plain.wideTensors = Set(int16)
    guard quantizeOptions == plain, int16.isEmpty, mean.isEmpty, context == nil, samples == nil else {
      throw ValidationError("Options of quantisation want a float model and --calibrate or --data-free.")
    }
  }

  func postTraining() throws -> PostTraining {
    var result = PostTraining()
    result.quantize = quantizeOptions
    result.pixels = mean.isEmpty ? nil : PixelNormalization(mean: mean, deviation: deviation)
    result.context = context
    result.sampleLimit = samples
    result.tokenizer = try tokenizer.map(TokenizerFile.read)
    return result
  }

  /// The graph in the form that is quantised, and what its tensors look like: on made-up samples with a warning, or on those
  /// that `--calibrate` names.
  func calibration(_ training: PostTraining, _ graph: Graph) throws -> (graph: Graph, calibration: Calibration) {
    guard dataFree else { return try training.calibrate(graph, samples: calibrate ?? "") }
    let (graph, calibration, note) = try training.calibrateWithoutData(graph)
    let known = note.knownTensors == 0 ? "" : "; \(note.knownTensors) tensors have ranges by batch normalisation"
    printWarning(
      "no data was looked at, but \(note.count) samples of \(note.samples)\(known). What that costs shows on real samples only: "
        + "abacus quantize --data-free --calibrate SAMPLES compares")
    return (graph, calibration)
  }

  private var quantizeOptions: QuantizeOptions {
    var result = QuantizeOptions()
    result.arithmetic.softmax = (softmax ?? arithmetic).arithmetic.softmax
    result.arithmetic.gelu = (gelu ?? arithmetic).arithmetic.gelu
    result.arithmetic.normalization = (layerNorm ?? arithmetic).arithmetic.normalization
    result.arithmetic.addition = (addition ?? arithmetic).arithmetic.addition
    result.residualBits = residual
    result.range = range
    result.outputBits = outputBits
    result.correctsBias = biasCorrection
    result.wideTensors = Set(int16)
    result.wideBelow = int16Below
    result.equalization = equalize
    result.weightFormat = WeightFormat(
      bits: weightBits, grid: weightGrid ?? (weightBits == 2 ? .odd : .symmetric), groupSize: groupSize)
    result.rounding = weightRounding
    result.keepsEnds = keepEnds
    for name in weightInt8 { result.weightFormats[name] = .int8 }
    return result
  }
}

enum ArithmeticName: String, ExpressibleByArgument, CaseIterable {
  case refined, paper, released

  var arithmetic: Arithmetic {
    switch self {
    case .refined: Arithmetic()
    case .paper: .paper(quotientBits: 8)
    case .released: .paper(quotientBits: 16)
    }
  }
}

extension WeightFormat.Grid: ExpressibleByArgument {}

extension RoundingMethod: ExpressibleByArgument {}

extension RangeMethod: ExpressibleByArgument {
  public init?(argument: String) {
    switch argument {
    case "min-max": self = .minMax
    case "mse": self = .meanSquaredError
    default:
      guard let share = Double(argument), share > 50, share <= 100 else { return nil }
      self = .percentile(share)
    }
  }

  public var defaultValueDescription: String {
    switch self {
    case .minMax: "min-max"
    case .meanSquaredError: "mse"
    case .percentile(let share): "\(share)"
    }
  }
}
