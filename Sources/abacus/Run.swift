import AbacusPack
import AbacusRuntime
import ArgumentParser
import Foundation

struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run a blob on this machine.",
    discussion: """
      Examples:
        abacus run model.abm --input photo.png
        abacus run model.abm --show --input a.png b.png c.png
        abacus run model.abm --input features.npy --output-file scores.npy
      """)

  @Argument(help: "A packed model.")
  var blob: String

  @OptionGroup var inputs: InputOptions

  @Option(help: ArgumentHelp("Write the first output of all samples as .npy.", valueName: "file"))
  var outputFile: String?

  @Option(help: ArgumentHelp("Write every output of all samples as output-0.npy and so on.", valueName: "folder"))
  var outputFolder: String?

  @Option(help: "How many of the highest values of a classifier to print.")
  var top = 3

  @Flag(help: "Show each input image in the terminal with its label.")
  var show = false

  @Flag(help: "Print all outputs as JSON.")
  var json = false

  func run() throws {
    let (model, _, description) = try openModel(blob)
    let samples = try inputs.samples(for: model.inputs)
    let progress = ProgressLine("running", total: samples.count)
    var results: [[[UInt8]]] = []
    for (index, sample) in samples.enumerated() {
      results.append(try model(sample))
      progress.advance(to: index + 1)
    }
    progress.finish()
    if let outputFile { try write(results, model, output: 0, to: outputFile) }
    if let outputFolder {
      try FileManager.default.createDirectory(atPath: outputFolder, withIntermediateDirectories: true)
      for output in model.outputs.indices {
        try write(results, model, output: output, to: "\(outputFolder)/output-\(output).npy")
      }
    }
    let report = OutputReport(results, boundaries: model.outputs, labels: description.labels, top: top)
    if json {
      try printJSON(report.samples)
    } else if show {
      print(try gallery(try inputs.pictures(of: samples, model.inputs), captions: report.captions), terminator: "")
    } else if outputFile == nil && outputFolder == nil {
      print(report.text, terminator: "")
    }
  }

  private func write(_ results: [[[UInt8]]], _ model: Model, output: Int, to path: String) throws {
    guard model.outputs.indices.contains(output) else {
      throw PackError(.file, "the model has no output to write")
    }
    let boundary = model.outputs[output]
    let shape = boundary.shape.first == 1 ? Array(boundary.shape.dropFirst()) : boundary.shape
    let type: DataType =
      switch boundary.type {
      case .int16: .int16
      case .int32: .int32
      case .uint8: .uint8
      default: .int8
      }
    try NumPyFile.write(
      NumericArray(shape: [results.count] + shape, type: type, bytes: results.flatMap { $0[output] }), to: path)
  }
}

/// Outputs of some samples, for people and for scripts.
struct OutputReport {
  struct Output: Encodable {
    var name: String
    var shape: [Int]
    var codes: [Int]
    var values: [Double]
    var top: Int
    var label: String?
  }

  let samples: [[Output]]
  private let top: Int
  private let labels: [String]

  init(_ results: [[[UInt8]]], boundaries: [Model.Boundary], labels: [String], top: Int) {
    self.top = max(top, 1)
    self.labels = labels
    samples = results.map { outputs in
      zip(outputs, boundaries).map { bytes, boundary in
        let codes = boundary.codes(bytes)
        let best = topIndex(codes)
        return Output(
          name: boundary.name, shape: boundary.shape, codes: codes,
          values: boundary.values(codes), top: best,
          label: labels.indices.contains(best) && labels.count == codes.count ? labels[best] : nil)
      }
    }
  }

  /// What each sample was recognised as.
  var captions: [String] {
    samples.map { outputs in
      guard let output = outputs.first else { return "" }
      let name = output.label ?? "class \(output.top)"
      return "\(name) (\(short(output.values[output.top])))"
    }
  }

  /// One line for each of the highest values.
  var text: String {
    var table = Table([
      .init("sample", .right), .init("output"), .init("index", .right), .init("label"), .init("code", .right),
      .init("value", .right),
    ])
    for (number, sample) in samples.enumerated() {
      for output in sample {
        let order = output.codes.indices.sorted { (-output.codes[$0], $0) < (-output.codes[$1], $1) }
        for index in order.prefix(top) {
          let label = labels.count == output.codes.count ? labels[index] : ""
          table.add(
            "\(number)", output.name, "\(index)", label, "\(output.codes[index])", short(output.values[index]))
        }
      }
    }
    return table.text
  }
}
