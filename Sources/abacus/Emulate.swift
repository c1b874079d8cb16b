import AbacusPack
import AbacusRuntime
import ArgumentParser
import Foundation

struct Emulate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run a blob on an emulated board.",
    discussion: """
      Builds the board's firmware (once), starts QEMU, and prints outputs, instructions, stack, RAM
      and flash. Instructions are counted exactly; they are not cycles. The outputs must equal this
      machine's, byte for byte.

      Examples:
        abacus emulate model.abm --board mps2-an386 --input photo.png
        abacus emulate model.abm --board microbit --ram 16K --input features.npy --json
        abacus emulate model.abm --board all --dedicated
      """)

  @Argument(help: "A packed model.")
  var blob: String

  @Option(help: "A folder of Targets: microbit, mps2-an385, mps2-an385-m0, mps2-an386, mps2-an500, mps3-an547, riscv32-virt, aarch64-virt; or all.")
  var board: String

  @OptionGroup var boardOptions: BoardOptions

  @OptionGroup var inputs: InputOptions

  @Option(help: "How many of the highest values of a classifier to print.")
  var top = 3

  @Flag(help: "Show each input image in the terminal with its label.")
  var show = false

  @Flag(help: "Print everything as JSON.")
  var json = false

  func run() throws {
    let (model, bytes, description) = try openModel(blob)
    // Without inputs the model runs once on zero points, which is enough to measure.
    let samples =
      inputs.input.isEmpty
      ? [model.zeroSample]
      : try inputs.samples(for: model.inputs)
    if board == "all" { return try runOnAllBoards(model, bytes, samples, description) }
    let result = try run(on: try Board.named(board), model, bytes, samples, description)
    let outputs = OutputReport(result.outputs, boundaries: model.outputs, labels: description.labels, top: top)
    if json {
      return try printJSON(EmulationReport(result, board: board, outputs.samples))
    }
    if show {
      print(try gallery(try inputs.pictures(of: samples, model.inputs), captions: outputs.captions), terminator: "")
    } else if !inputs.input.isEmpty {
      print(outputs.text)
    }
    var table = result.table(board: board)
    table.add("instructions per inference", NumberText.grouped(result.runInstructions.max() ?? 0))
    print(table.text + "outputs byte-identical to this machine's\n", terminator: "")
  }

  /// Runs on one board; its outputs must be this machine's.
  private func run(
    on board: Board, _ model: Model, _ bytes: [UInt8], _ samples: [[[UInt8]]], _ description: BlobDescription
  ) throws -> EmulationResult {
    let result = try boardOptions.emulate(bytes, description, on: board, samples: samples)
    for (index, sample) in samples.enumerated() where try model(sample) != result.outputs[index] {
      throw PackError(.mismatch, "sample \(index): \(board.name) computes other bytes than this machine")
    }
    return result
  }

  /// One row a board; a board that is too small says so.
  private func runOnAllBoards(
    _ model: Model, _ bytes: [UInt8], _ samples: [[[UInt8]]], _ description: BlobDescription
  ) throws {
    var table = Table([
      .init("board"), .init("flash", .right), .init("RAM", .right), .init("arena", .right), .init("stack", .right),
      .init("open", .right), .init("inference", .right), .init(""),
    ])
    var reports: [EmulationReport] = []
    let boards = try Board.all().filter { $0.machine != nil }
    let progress = ProgressLine("emulating", total: boards.count)
    for (index, board) in boards.enumerated() {
      do {
        let result = try run(on: board, model, bytes, samples, description)
        let outputs = OutputReport(result.outputs, boundaries: model.outputs, labels: description.labels, top: top)
        reports.append(EmulationReport(result, board: board.name, outputs.samples))
        let cost = result.runInstructions.max() ?? 0
        let numbers = [
          result.flashBytes, result.ramBytes, result.arenaBytes, result.stackBytes, result.openInstructions, cost,
        ]
        table.add([board.name] + numbers.map { NumberText.grouped($0) })
      } catch let error as PackError where error.kind == .doesNotFit {
        table.add([board.name, "", "", "", "", "", "", error.description])
      }
      progress.advance(to: index + 1)
    }
    progress.finish()
    if json { return try printJSON(reports) }
    print(table.text, terminator: "")
    print("bytes, and instructions to open and per inference; outputs byte-identical to this machine's")
  }

  private struct EmulationReport: Encodable {
    var board: String
    var flashBytes: Int
    var ramBytes: Int
    var arenaBytes: Int
    var stackBytes: Int
    var openInstructions: Int
    var runInstructions: [Int]
    var outputs: [[OutputReport.Output]]

    init(_ result: EmulationResult, board: String, _ outputs: [[OutputReport.Output]]) {
      self.board = board
      flashBytes = result.flashBytes
      ramBytes = result.ramBytes
      arenaBytes = result.arenaBytes
      stackBytes = result.stackBytes
      openInstructions = result.openInstructions
      runInstructions = result.runInstructions
      self.outputs = outputs
    }
  }
}
