import AbacusPack
import ArgumentParser
import Foundation

struct Pack: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turn a quantised TFLite model into a blob.",
    discussion: """
      Examples:
        abacus pack model.tflite -o model.abm
        abacus pack model.tflite -o model.abm --labels classes.txt
      """)

  @Argument(help: "A TFLite model with int8 or uint8 weights and activations.")
  var model: String

  @Option(name: .shortAndLong, help: ArgumentHelp("Where the blob goes.", valueName: "file"))
  var output: String

  @Option(help: ArgumentHelp("A text file with one class name a line, stored with the model.", valueName: "file"))
  var labels: String?

  @Flag(help: "Leave out names and metadata.")
  var strip = false

  @Flag(help: "Print the summary as JSON.")
  var json = false

  func run() throws {
    var options = PackOptions()
    options.strip = strip
    if let labels {
      options.labels = String(decoding: try readFile(labels), as: UTF8.self)
        .split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
    }
    let packed: PackedModel
    do {
      packed = try Packer.pack(try ModelFile.load(model), options: options)
    } catch let error as PackError where !error.description.hasPrefix(model) {
      throw PackError(error.kind, "\(model): \(error.description)")
    }
    try AtomicFile.write(packed.blob, to: output)
    // There the blob is the answer.
    if ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].contains(output) { return }
    let summary = Summary(packed, output)
    if json { try printJSON(summary) } else { print(summary.text, terminator: "") }
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
      return table.text
        + "\(operators) operators (\(inPlaceOperators) in place), "
        + "\(NumberText.grouped(multiplyAccumulates)) multiply-accumulates; \(proof)\n"
    }
  }
}
