import AbacusPack
import AbacusRuntime

/// Measures models on one emulated board.
struct BoardMeasurement {
  private let board: Board
  private let emulator: Emulator
  private let build: String
  private let measuresOperators: Bool

  init(_ board: Board, measuresOperators: Bool) throws {
    self.board = board
    emulator = try Emulator(board: board)
    build = try FirmwareBuilder(board: board).optimization()
    self.measuresOperators = measuresOperators
  }

  /// Adds a row; where the model does not fit the board, one with what is known without it.
  func add(_ model: BenchModel, _ packed: PackedModel, to report: Report) throws {
    var row = Row(model.name, board.name, packed)
    row.build = build
    row.peer = Peer.figures(model.name, cpu: board.cpu)
    do {
      try measure(&row, model, packed)
    } catch let error as PackError where error.kind == .doesNotFit {
      report.skip("\(model.name) on \(board.name)", error.description)
    }
    report.add(row)
  }

  private func measure(_ row: inout Row, _ model: BenchModel, _ packed: PackedModel) throws {
    let host = try Model(packed.blob)
    let samples = try model.samples(for: host.inputs)
    let kernels = try BlobDescription(packed.blob, name: model.name).neededKernels
    let result = try emulator.run(blob: packed.blob, samples: samples, kernels: kernels)
    for (sample, outputs) in zip(samples, result.outputs) where try host(sample) != outputs {
      throw PackError(.mismatch, "\(model.name): \(board.name) computes other bytes than this machine")
    }
    row.instructions = median(result.runInstructions)
    row.openInstructions = result.openInstructions
    row.stackBytes = result.stackBytes
    row.codeBytes = result.flashBytes - packed.blob.count
    row.ramBytes = result.ramBytes
    guard measuresOperators else { return }
    let stepwise = try emulator.run(blob: packed.blob, samples: samples, kernels: kernels, stepByStep: true)
    row.operators = try OperatorRow.rows(packed, stepwise.callInstructions[samples.count / 2])
  }

  private func median(_ values: [Int]) -> Int? { values.isEmpty ? nil : values.sorted()[values.count / 2] }
}
