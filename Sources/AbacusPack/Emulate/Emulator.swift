import AbacusFormat
import Foundation

/// What a model did on an emulated board.
public struct EmulationResult: Sendable {
  /// For each sample, the bytes of each output.
  public var outputs: [[[UInt8]]]
  /// Instructions, not cycles: no wait states, no dual issue, a vector operation counts one.
  public var openInstructions: Int
  /// For each sample.
  public var runInstructions: [Int]
  /// For each sample, what each call took: one of `abacus_run`, or many of `abacus_step`.
  public var callInstructions: [[Int]]
  /// The deepest that `abacus_open` and `abacus_run` went below their caller.
  public var stackBytes: Int
  public var arenaBytes: Int
  /// The least RAM in which this firmware runs this model: stack, variables and arena.
  public var ramBytes: Int
  /// Firmware and model.
  public var flashBytes: Int
  /// What the board chose after the samples; see ``Continuation``.
  public var choices: [Int]
}

/// What follows the samples, for models whose outputs become inputs (the tokens of a language
/// model): the board takes the index of the highest element of the first output, the first of equal
/// ones, and a further run reads it as the first input, an int32.
public struct Continuation {
  /// How many choices; the last is not read any more.
  public var choices: Int
  /// The choices each of which is the last wherever it occurs.
  public var stops: Set<Int>
  /// Called with each choice as the board makes it.
  public var onChoice: (Int) -> Void

  public init(choices: Int, stops: Set<Int> = [], onChoice: @escaping (Int) -> Void = { _ in }) {
    self.choices = choices
    self.stops = stops
    self.onChoice = onChoice
  }
}

/// Runs models on a board that QEMU plays.
public struct Emulator: Sendable {
  public let board: Board
  private let builder: FirmwareBuilder

  public init(board: Board) throws(PackError) {
    self.board = board
    builder = try FirmwareBuilder(board: board)
  }

  /// Opens the model once and runs it on each sample, in order, then on choices of its own.
  ///
  /// - Parameters:
  ///   - samples: For each run, the bytes of each input.
  ///   - continuation: What follows the samples.
  ///   - ramLimit: Bytes of RAM that the firmware may use, from the origin of the board's RAM.
  ///   - flashLimit: Bytes that firmware and model may occupy.
  ///   - kernels: The firmware is linked with these only.
  ///   - stepByStep: Runs consist of single steps, each measured; ``BlobDescription/operatorOfEachStep``
  ///     says what each does.
  ///   - timeLimit: Seconds after which QEMU is stopped.
  public func run(
    blob: [UInt8], samples: [[[UInt8]]], continuation: Continuation? = nil, ramLimit: Int? = nil,
    flashLimit: Int? = nil, kernels: [NeededKernel]? = nil, stepByStep: Bool = false, timeLimit: TimeInterval = 300
  ) throws(PackError) -> EmulationResult {
    guard let machine = board.machine, let ram = board.ram else {
      throw PackError(.unsupported, "\(board.name) is not emulated")
    }
    guard let qemu = Tool(named: machine.program) else {
      throw PackError(
        .tool, "\(machine.program) is not installed; Debian has it in the package \(machine.package)")
    }
    if let ramLimit, !(0...ram.bytes).contains(ramLimit) {
      throw PackError(.doesNotFit, "\(board.name) has \(ram.bytes) bytes of RAM, not \(ramLimit)")
    }
    do {
      return try TemporaryFolder.with { folder in
        let file = try kernels.map { try builder.dedicated(to: $0, in: folder) } ?? builder.generic()
        let image = try FirmwareImage(contentsOf: file)
        let flashBytes = image.flashBytes + blob.count
        if let flashLimit, flashBytes > flashLimit {
          throw PackError(
            .doesNotFit,
            "needs \(flashBytes) bytes of flash (firmware \(image.flashBytes), model \(blob.count)), "
              + "given \(flashLimit)")
        }
        let ramStart = try image.address(of: "__ram_start"), ramEnd = try image.address(of: "__ram_end")
        guard ramStart == ram.origin, ramEnd - ramStart == UInt32(ram.bytes) else {
          throw PackError(.tool, "board.json and linker.ld of \(board.name) disagree about the RAM")
        }
        let arenaEnd = ramStart + UInt32(ramLimit ?? ram.bytes)
        let store = try EmulatorStore(
          image: image, board: board, blob: blob, samples: samples, arenaEnd: arenaEnd, continuation: continuation,
          stepByStep: stepByStep)
        let storeFile = folder.appending(path: "store")
        try Data(store.bytes).write(to: storeFile)

        var report = EmulatorReport(counter: machine.counter, onChoice: continuation?.onChoice)
        let outcome = try qemu.run(
          machine.arguments + [
            "-nodefaults", "-display", "none", "-semihosting-config", "enable=on,target=native",
            "-icount", "shift=\(machine.counter.icountShift)", "-kernel", file.path,
            "-device", "loader,file=\(storeFile.path),addr=\(store.address),force-raw=on",
          ], timeLimit: timeLimit, eachErrorLine: { report.read($0) })
        let reserved = Int(try image.address(of: "__arena_start") - ramStart)
        try check(report, outcome, reserved: reserved, given: ramLimit ?? ram.bytes, timeLimit: timeLimit)
        return EmulationResult(
          outputs: report.outputs, openInstructions: report.openInstructions,
          runInstructions: report.callInstructions.map { $0.reduce(0, +) },
          callInstructions: report.callInstructions, stackBytes: report.stackBytes, arenaBytes: report.arenaBytes,
          ramBytes: reserved + report.arenaBytes, flashBytes: flashBytes, choices: report.choices)
      }
    } catch let error as PackError {
      throw error
    } catch {
      throw PackError(.file, "the emulation's files cannot be written: \(error)")
    }
  }

  private func check(
    _ report: EmulatorReport, _ outcome: Tool.Outcome, reserved: Int, given: Int, timeLimit: TimeInterval
  ) throws(PackError) {
    if outcome.timedOut {
      throw PackError(.tool, "\(board.name) did not finish within \(Int(timeLimit)) seconds")
    }
    if let fault = report.fault {
      throw PackError(.tool, "the firmware of \(board.name) stopped: \(fault)")
    }
    if let status = report.refusal {
      switch Status(rawValue: status) {
      case .arenaTooSmall:
        throw PackError(
          .doesNotFit,
          "needs \(reserved + report.arenaBytes) bytes of RAM (stack and firmware \(reserved), "
            + "arena \(report.arenaBytes)), given \(given)")
      case .unsupportedOperator:
        throw PackError(.unsupported, "the firmware of \(board.name) lacks an operator of this model")
      case let known:
        let name = known.map { "\($0)" } ?? "status \(status)"
        throw PackError(.malformed, "the firmware of \(board.name) refused the model: \(name)")
      }
    }
    guard outcome.status == 0, report.isComplete else {
      throw PackError(
        .tool, "\(board.name) ended early, with status \(outcome.status):\n\(outcome.output)\(outcome.errors)")
    }
  }
}
