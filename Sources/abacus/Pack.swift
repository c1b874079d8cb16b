import AbacusPack
import ArgumentParser
import Foundation

struct Pack: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turn a trained model into a blob.",
    discussion: """
      MODEL is a TFLite or ONNX file, or a Hugging Face folder (config.json and .safetensors). A model that is
      quantised already is packed as it is. A float model is quantised with --calibrate: SAMPLES is a .npy
      file of shape N x input, a folder with one .npy for each input name, an idx file, images, or a text with
      --tokenizer: decoders get windows of it, encoders (WordPiece) each line by itself.

      Examples:
        abacus pack model.tflite -o model.abm --labels classes.txt
        abacus pack vit.onnx --calibrate images.npy --mean 0.286 --deviation 0.353 -o vit.abm
        abacus pack bert/ --calibrate sentences.txt --tokenizer bert/tokenizer.json --set tokens=128 -o bert.abm
        abacus pack vit.onnx --data-free --mean 0.286 --deviation 0.353 -o vit.abm
        abacus pack llama/ --calibrate book.txt --tokenizer llama/vocab.json --context 256 -o llama.abm
        abacus pack llama/ --calibrate tokens.npy --context 256 -o llama.abm
        abacus pack vit.onnx --calibrate images.npy --arithmetic paper -o vit-paper.abm
        abacus pack vit.onnx --calibrate images.npy --expose blocks.0.sum1 -o vit-open.abm
        abacus pack model.tflite --layout pairs -o model-m4.abm
        abacus pack model.tflite --ram 16000 -o small.abm
      """)

  @Argument(help: "A TFLite or ONNX file, or a folder with config.json and model.safetensors.")
  var model: String

  @Option(name: .shortAndLong, help: ArgumentHelp("Where the blob goes.", valueName: "file"))
  var output: String

  @OptionGroup var source: SourceOptions

  @OptionGroup(title: "Quantisation of float models") var quantization: QuantizationOptions

  @Option(help: ArgumentHelp("A text file with one class name a line, stored with the model.", valueName: "file"))
  var labels: String?

  @Option(help: ArgumentHelp("Rows that go through a loop of operators at a time: more are faster and take more RAM. 2, or 3 for pairs, unless given.", valueName: "n"))
  var rowsInLoop: Int?

  @Option(
    help: ArgumentHelp(
      "Bytes of RAM that arena and stack may take: layers run row by row, and then patch by patch, until it is enough. Unless given, the arena is as small as it gets at next to no cost in instructions.",
      valueName: "bytes"))
  var ram: Int?

  @Option(help: ArgumentHelp("A tensor, by name, that becomes an output in addition, to look inside.", valueName: "name"))
  var expose: [String] = []

  @Option(
    help: ArgumentHelp(
      "How weights lie: rows, for any CPU; pairs, for Cortex-M0, M3, M4, M7 and RISC-V; quads, for x86-64 and AArch64. Every CPU runs all.",
      valueName: "layout"))
  var layout = PackOptions.WeightOrder.rows

  @Option(
    help: ArgumentHelp(
      "Zeros of weights that devices skip: groups, where fully connected layers have whole groups of 16 weights, along their inputs, that are 0. Layers that keep more than half stay as they are.",
      valueName: "kind"))
  var sparsity: PackOptions.Sparsity?

  @Flag(help: "Leave out names and metadata.")
  var strip = false

  @Flag(help: "Print the summary as JSON.")
  var json = false

  func validate() throws {
    guard (1...4096).contains(rowsInLoop ?? 1) else { throw ValidationError("--rows-in-loop is 1 to 4096.") }
    guard ram ?? 1 > 0 else { throw ValidationError("--ram is at least 1.") }
    guard !quantization.dataFree || quantization.calibrate == nil else {
      throw ValidationError("--data-free is for where there are no samples, and --calibrate names some.")
    }
  }

  func run() throws {
    let packed: PackedModel
    do {
      packed = try pack(try source.load(model))
    } catch let error as PackError where !error.description.hasPrefix(model) {
      throw PackError(error.kind, "\(model): \(error.description)")
    }
    try AtomicFile.write(packed.blob, to: output)
    // There the blob is the answer.
    if ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].contains(output) { return }
    let summary = Summary(packed, output)
    if json { try printJSON(summary) } else { print(summary.text, terminator: "") }
  }

  private func pack(_ graph: Graph) throws -> PackedModel {
    var options = PackOptions()
    options.strip = strip
    options.weightOrder = layout
    options.sparsity = sparsity
    options.rowsInLoop = rowsInLoop
    options.ramLimit = ram
    options.exposed = expose
    if let labels {
      options.labels = String(decoding: try readFile(labels), as: UTF8.self)
        .split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
    }
    guard quantization.calibrate != nil || quantization.dataFree else {
      try quantization.requireNothing()
      var training = PostTraining()
      training.pack = options
      return try training.packAsItIs(graph)
    }
    var training = try quantization.postTraining()
    training.pack = options
    let (prepared, calibration) = try quantization.calibration(training, graph)
    return try training.pack(try training.integers(prepared, calibration))
  }

  private struct Summary: Encodable {
    var output: String
    var blobBytes: Int
    var arenaBytes: Int
    var arenaLowerBound: Int
    var arenaIsOptimal: Bool
    var stackBytes: Int
    var operators: Int
    var inPlaceOperators: Int
    /// What shares memory, and what exists as lines.
    var choices: [PlanChoice]
    /// Plans with and without patches, where the smallest without did not fit.
    var alternatives: [PlanAlternative]
    var multiplyAccumulates: UInt64

    init(_ packed: PackedModel, _ output: String) {
      let planned = packed.planned
      self.output = output
      blobBytes = packed.blob.count
      arenaBytes = planned.plan.arenaBytes
      arenaLowerBound = planned.plan.lowerBound
      arenaIsOptimal = planned.isOptimal
      stackBytes = planned.stackBytes
      operators = planned.program.steps.count
      inPlaceOperators = planned.inPlaceSteps
      choices = planned.choices
      alternatives = packed.alternatives
      multiplyAccumulates = planned.program.multiplyAccumulates
    }

    var text: String {
      var table = Table([.init(output), .init("bytes", .right)])
      table.add("flash: blob", NumberText.grouped(blobBytes))
      table.add("RAM: arena", NumberText.grouped(arenaBytes))
      table.add("RAM: stack, at most", NumberText.grouped(stackBytes))
      let proof =
        arenaIsOptimal
        ? "the arena is as small as any order of these operators allows"
        : "no placement of these tensors can be below \(NumberText.grouped(arenaLowerBound)) bytes"
      return table.text + choicesText + alternativesText
        + "\(operators) operators (\(inPlaceOperators) in place), "
        + "\(NumberText.grouped(multiplyAccumulates)) multiply-accumulates; \(proof)\n"
    }

    private var alternativesText: String {
      if alternatives.isEmpty { return "" }
      var table = Table([
        .init("patches"), .init("of operators"), .init("arena", .right), .init("done again", .right), .init("blob", .right), .init(""),
      ])
      for plan in alternatives {
        table.add(
          plan.grid.isEmpty ? "none" : plan.grid.map(String.init).joined(separator: " x "),
          plan.stage.map(String.init).joined(separator: " to "), NumberText.grouped(plan.arenaBytes),
          String(format: "%.1f %%", plan.recomputedPercent), NumberText.grouped(plan.blobBytes), plan.isTaken ? "taken" : "")
      }
      return table.text
    }

    private var choicesText: String {
      if choices.isEmpty { return "" }
      var table = Table([.init("operators"), .init("memory"), .init("saves", .right)])
      for choice in choices {
        let numbers = choice.operators.count == 1 ? "\(choice.operators[0])" : "\(choice.operators[0]) to \(choice.operators.last!)"
        table.add(numbers, choice.text, NumberText.grouped(choice.savedBytes))
      }
      return table.text
    }
  }
}

extension PackOptions.WeightOrder: ExpressibleByArgument {}
extension PackOptions.Sparsity: ExpressibleByArgument {}
