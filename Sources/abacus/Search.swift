import AbacusPack
import ArgumentParser
import Foundation

struct Search: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Give each layer of a float model the bits that a device has room for.",
    discussion: """
      Measures what 8, 4 and 2 bits in each layer do to the outputs, and what they cost, and finds the best for a row of
      budgets. Each model that it finds is packed and measured on samples that calibration has not seen: a quarter of those
      that --calibrate names, or those of --validate. With --board instructions are counted on the emulated board. The
      table lists the models that no other beats, and -o gets the best that the limits allow. Stopped at any time, it goes on
      from its --state.

      Examples:
        abacus search vit.onnx --calibrate images.npy --mean 0.286 --deviation 0.353 --max-flash 90K -o vit.abm
        abacus search vit.onnx --calibrate images.npy --mean 0.286 --deviation 0.353 --min-agreement 98 -o vit.abm
        abacus search kws.tflite --calibrate clips.npy --board mps2-an386 --max-instructions 4000000 -o kws.abm
        abacus search llama/ --calibrate tokens.npy --context 256 --max-flash 120K --state llama.json --svg front.svg -o llama.abm
      """)

  @Argument(help: "A float TFLite or ONNX file, or a folder with config.json and model.safetensors.")
  var model: String

  @Option(name: .shortAndLong, help: ArgumentHelp("Where the blob goes.", valueName: "file"))
  var output: String

  @OptionGroup var source: SourceOptions

  @OptionGroup(title: "Quantisation") var quantization: QuantizationOptions

  @Option(help: ArgumentHelp("Flash that the blob may take, in bytes or as 96K.", valueName: "bytes"))
  var maxFlash: Size?

  @Option(help: ArgumentHelp("RAM that arena and stack may take, in bytes or as 16K.", valueName: "bytes"))
  var maxRam: Size?

  @Option(help: ArgumentHelp("Instructions that one inference may take on the board.", valueName: "n"))
  var maxInstructions: Int?

  @Option(help: ArgumentHelp("Least share of outputs that must have the same highest value as in float; without a limit the smallest such model is taken.", valueName: "percent"))
  var minAgreement: Double?

  @Option(help: "Count instructions on this board (a folder of Targets).")
  var board: String?

  @Option(name: .customLong("validate"), help: ArgumentHelp("Measure on these samples.", valueName: "samples"))
  var validation: String?

  @Option(help: ArgumentHelp("The right class of each of the samples of --validate, as idx or .npy: accuracy is measured, too.", valueName: "file"))
  var classes: String?

  @Option(help: ArgumentHelp("How many budgets between the smallest and the largest model.", valueName: "n"))
  var budgets = 14

  @Option(help: ArgumentHelp("A file that holds what was measured, to go on from.", valueName: "file"))
  var state: String?

  @Option(help: ArgumentHelp("Draw the models found.", valueName: "file"))
  var svg: String?

  @Option(help: ArgumentHelp("How weights lie; see abacus pack.", valueName: "layout"))
  var layout = PackOptions.WeightOrder.rows

  @Flag(help: "Print everything as JSON.")
  var json = false

  func validate() throws {
    guard quantization.calibrate != nil, !quantization.dataFree else {
      throw ValidationError("--calibrate names the samples.")
    }
    guard (2...64).contains(budgets) else { throw ValidationError("--budgets is 2 to 64.") }
    guard maxInstructions == nil || board != nil else {
      throw ValidationError("--max-instructions wants --board, on which they are counted.")
    }
    guard classes == nil || validation != nil else { throw ValidationError("--classes are those of the samples of --validate.") }
    guard minAgreement.map({ (0...100).contains($0) }) ?? true else { throw ValidationError("--min-agreement is 0 to 100.") }
  }

  func run() throws {
    var training = try quantization.postTraining()
    training.pack.weightOrder = layout
    training.pack.ramLimit = maxRam?.bytes
    let prepared = try training.prepare(try source.load(model))
    let samples = try split(training, prepared)
    let (graph, calibration) = try training.calibrate(prepared, count: samples.calibration.count) {
      try samples.calibration.sample($0)
    }
    let file = try state.map { try SearchState($0, graph, setting: setting(samples.measured.count)) }
    let labels = try classes.map { try ClassLabels.read($0, count: samples.measured.count) } ?? []
    var search = try WidthSearch(
      training, graph, calibration, samples: try (0..<samples.measured.count).map { try samples.measured.sample($0) },
      labels: labels, board: try board.map(Board.named), points: file?.points ?? [], keep: { try file?.keep($0) })
    let line = ProgressLine("searching", total: 0, showsTimeLeft: true)
    try search.run(budgets: budgets, limits: limits) { line.advance(to: $0, of: $1) }
    line.finish()
    let front = search.points.front()
    if let svg { try AtomicFile.write(FrontPicture(search.points, front: front, title: model).svg, to: svg) }
    guard let best = limits.best(search.points) else { throw nothingFits(search.points) }
    try write(best, search, graph, calibration, like: training)
    if json { return try printJSON(SearchReport(search, front: front, chosen: best)) }
    print(SearchReport.table(front, chosen: best).text)
    print(SearchReport.assignment(search.layers, best).text, terminator: "")
  }

  private typealias Samples = (count: Int, sample: @Sendable (Int) throws -> [FloatTensor])

  /// Samples to calibrate with and others to measure on.
  private func split(_ training: PostTraining, _ prepared: Graph) throws -> (calibration: Samples, measured: Samples) {
    let all = try training.samples(of: prepared, quantization.calibrate ?? "")
    if let validation {
      var other = training
      other.sampleLimit = nil
      return (all, try other.samples(of: prepared, validation))
    }
    guard all.count >= 8 else {
      throw PackError(.file, "there are \(all.count) samples; a search wants 8 at least, of which it measures on a quarter, or --validate")
    }
    let measured = all.count / 4
    return (
      (all.count - measured, { try all.sample($0 < 3 * measured ? $0 / 3 * 4 + $0 % 3 : $0 + measured) }),
      (measured, { try all.sample(4 * $0 + 3) })
    )
  }

  /// What measured points depend on beside the model.
  private func setting(_ measured: Int) -> String {
    let options = quantization
    let texts: [String] = [
      "\(options.arithmetic) \(options.softmax.debugDescription) \(options.gelu.debugDescription)",
      "\(options.layerNorm.debugDescription) \(options.addition.debugDescription) \(options.residual) \(options.range)",
      "\(options.outputBits ?? 0) \(options.int16.sorted()) \(options.equalize ?? -1) \(options.int16Below) \(options.biasCorrection)",
      "\(options.mean) \(options.deviation) \(options.samples ?? 0) \(measured) \(board ?? "") \(layout) \(maxRam?.bytes ?? 0)",
      "\(options.weightBits) \(options.groupSize ?? 0) \(options.weightGrid.debugDescription) \(options.weightRounding)",
      "\(options.weightInt8.sorted()) \(options.keepEnds) \(options.calibrate ?? "") \(validation ?? "") \(classes ?? "")",
    ]
    return texts.joined(separator: " ")
  }

  private var limits: SearchLimits {
    var limits = SearchLimits()
    limits.flash = maxFlash?.bytes
    limits.ram = maxRam?.bytes
    limits.instructions = maxInstructions
    limits.agreement = minAgreement
    return limits
  }

  private func nothingFits(_ points: [SearchPoint]) -> PackError {
    let smallest = points.map(\.blobBytes).min() ?? 0
    let ram = points.map(\.ramBytes).min() ?? 0
    let fewest = points.compactMap(\.instructions).min().map { ", \(NumberText.grouped($0)) instructions at least" } ?? ""
    let best = points.map(\.agreement).max() ?? 0
    return PackError(
      .doesNotFit,
      "no model that was found is within the limits: the smallest has \(NumberText.grouped(smallest)) bytes of flash, RAM is "
        + "\(NumberText.grouped(ram)) bytes at least\(fewest), and the best agrees in \(String(format: "%.2f", best)) %")
  }

  private func write(
    _ point: SearchPoint, _ search: WidthSearch, _ graph: Graph, _ calibration: Calibration, like user: PostTraining
  ) throws {
    let training = search.training(of: point, like: user)
    let packed = try training.pack(try training.integers(graph, calibration))
    // A decoder has other constants and other memory than the whole sequence that was measured.
    let ram = packed.planned.plan.arenaBytes + packed.planned.stackBytes
    guard packed.blob.count <= maxFlash?.bytes ?? .max, ram <= maxRam?.bytes ?? .max else {
      throw PackError(
        .doesNotFit,
        "with --context the model takes \(NumberText.grouped(packed.blob.count)) bytes of flash and \(NumberText.grouped(ram)) of RAM, "
          + "more than a whole sequence; lower the limits by the difference")
    }
    try AtomicFile.write(packed.blob, to: output)
  }
}
