import AbacusPack
import ArgumentParser
import Foundation

struct Quantize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Quantise a float model and report what it costs, tensor by tensor.",
    discussion: """
      Runs the integers and the floats on the same samples. The signal-to-noise ratio of a tensor includes the
      errors of everything before it; where it falls, --int16, --range or --equalize may help. With -o the
      blob is written as well. With --data-free the samples are only compared on, once with what was made
      without them and once with what is calibrated on them.

      Examples:
        abacus quantize vit.onnx --calibrate images.npy --mean 0.286 --deviation 0.353 --report
        abacus quantize bert/ --calibrate sentences.txt --tokenizer bert/tokenizer.json --report
        abacus quantize bert/ --calibrate arrays/ --report --check 32 --json
        abacus quantize vit.onnx --data-free --calibrate images.npy --mean 0.286 --deviation 0.353 --check 1000
      """)

  @Argument(help: "A float TFLite or ONNX file, or a folder with config.json and model.safetensors.")
  var model: String

  @OptionGroup var source: SourceOptions

  @OptionGroup(title: "Quantisation") var quantization: QuantizationOptions

  @Flag(help: "Print the report; without it only its last line.")
  var report = false

  @Option(help: ArgumentHelp("Compare on so many of the samples.", valueName: "n"))
  var check = 16

  @Option(name: .shortAndLong, help: ArgumentHelp("Write the blob, too.", valueName: "file"))
  var output: String?

  @Flag(help: "Print the report as JSON.")
  var json = false

  func validate() throws {
    guard quantization.calibrate != nil else { throw ValidationError("--calibrate names the samples, also those to compare on.") }
    guard quantization.context == nil else {
      throw ValidationError("The report looks at whole sequences; --context is for abacus pack.")
    }
    guard check > 0 else { throw ValidationError("--check is positive.") }
  }

  func run() throws {
    let training = try quantization.postTraining()
    let source = try source.load(model)
    let (graph, calibration) = try quantization.calibration(training, source)
    let integers = try training.integers(graph, calibration)
    let report = try report(training, graph, integers)
    var calibrated: QuantizationReport?
    if quantization.dataFree {
      let (graph, calibration) = try training.calibrate(source, samples: quantization.calibrate ?? "")
      calibrated = try self.report(training, graph, try training.integers(graph, calibration))
    }
    if let output { try AtomicFile.write(try training.pack(integers).blob, to: output) }
    if json { return try printJSON(Report(report, calibrated)) }
    if self.report { print(table(report).text) }
    print("same largest output in \(report.sameTop) of \(report.samples) samples")
    if let calibrated { print("calibrated on samples: in \(calibrated.sameTop) of \(calibrated.samples)") }
  }

  private func report(_ training: PostTraining, _ graph: Graph, _ integers: Graph) throws -> QuantizationReport {
    try training.report(graph, integers, samples: quantization.calibrate ?? "", count: check)
  }

  private func table(_ report: QuantizationReport) -> Table {
    var table = Table([
      .init("operation"), .init("tensor"), .init("type"), .init("scale", .right), .init("dB", .right),
      .init("largest error, steps", .right),
    ])
    for row in report.rows {
      table.add(
        row.operation, Terminal.harmless(row.tensor), row.type, short(row.scale), String(format: "%.1f", row.signalToNoise),
        String(format: "%.1f", row.largestError))
    }
    return table
  }

  private struct Report: Encodable {
    var samples: Int
    var sameTop: Int
    /// Where nothing was calibrated: what calibration would have given.
    var calibratedSameTop: Int?
    var tensors: [QuantizationReport.Row]

    init(_ report: QuantizationReport, _ calibrated: QuantizationReport?) {
      calibratedSameTop = calibrated?.sameTop
      samples = report.samples
      sameTop = report.sameTop
      tensors = report.rows
    }
  }
}
