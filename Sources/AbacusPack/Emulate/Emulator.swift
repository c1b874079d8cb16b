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
  /// The deepest that `abacus_open` and `abacus_run` went below their caller.
  public var stackBytes: Int
  public var arenaBytes: Int
  /// The least RAM in which this firmware runs this model: stack, variables and arena.
  public var ramBytes: Int
  /// Firmware and model.
  public var flashBytes: Int
}

/// Runs models on a board that QEMU plays.
public struct Emulator: Sendable {
  public let board: Board
  private let builder: FirmwareBuilder

  public init(board: Board) throws(PackError) {
    self.board = board
    builder = try FirmwareBuilder(board: board)
  }

  /// Opens the model once and runs it on each sample, in order.
  ///
  /// - Parameters:
  ///   - samples: For each run, the bytes of each input.
  ///   - ramLimit: Bytes of RAM that the firmware may use, from the origin of the board's RAM.
  ///   - flashLimit: Bytes that firmware and model may occupy.
  ///   - kernels: A C file as `abacus embed` writes it: the firmware then has these kernels only.
  ///   - timeLimit: Seconds after which QEMU is stopped.
  public func run(
    blob: [UInt8], samples: [[[UInt8]]], ramLimit: Int? = nil, flashLimit: Int? = nil, kernels: URL? = nil,
    timeLimit: TimeInterval = 300
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
        let file: URL
        if let kernels {
          file = folder.appending(path: "firmware")
          try builder.dedicated(kernels: kernels, to: file)
        } else {
          file = try builder.generic()
        }
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
        let store = try Store(image: image, board: board, blob: blob, samples: samples, arenaEnd: arenaEnd)
        let storeFile = folder.appending(path: "store")
        try Data(store.bytes).write(to: storeFile)

        let outcome = try qemu.run(
          machine.arguments + [
            "-nodefaults", "-display", "none", "-semihosting-config", "enable=on,target=native",
            "-icount", "shift=\(machine.counter.icountShift)", "-kernel", file.path,
            "-device", "loader,file=\(storeFile.path),addr=\(store.address),force-raw=on",
          ], timeLimit: timeLimit)
        let reserved = Int(try image.address(of: "__arena_start") - ramStart)
        let report = Report(lines: outcome.errors, counter: machine.counter)
        try check(report, outcome, reserved: reserved, given: ramLimit ?? ram.bytes, timeLimit: timeLimit)
        return EmulationResult(
          outputs: report.outputs, openInstructions: report.openInstructions,
          runInstructions: report.runInstructions, stackBytes: report.stackBytes, arenaBytes: report.arenaBytes,
          ramBytes: reserved + report.arenaBytes, flashBytes: flashBytes)
      }
    } catch let error as PackError {
      throw error
    } catch {
      throw PackError(.file, "the emulation's files cannot be written: \(error)")
    }
  }

  private func check(
    _ report: Report, _ outcome: Tool.Outcome, reserved: Int, given: Int, timeLimit: TimeInterval
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

/// The bytes that QEMU's loader places at `__store_start`: the words of `board_parameters`, the
/// model and its samples.
private struct Store {
  var address: UInt32
  var bytes: [UInt8]

  private static let magic: UInt32 = 0x4D42_4145
  private static let parameterBytes: UInt32 = 24

  init(
    image: FirmwareImage, board: Board, blob: [UInt8], samples: [[[UInt8]]], arenaEnd: UInt32
  ) throws(PackError) {
    func aligned(_ address: UInt32) -> UInt32 {
      (address + Limits.sectionAlignment - 1) / Limits.sectionAlignment * Limits.sectionAlignment
    }
    let inputs = samples.joined().joined()
    address = try image.address(of: "__store_start")
    let space = Int(try image.address(of: "__store_end") - address)
    let needed = Int(Self.parameterBytes) + blob.count + inputs.count + 2 * Int(Limits.sectionAlignment)
    guard needed <= space else {
      throw PackError(
        .doesNotFit,
        "model and inputs need \(needed) bytes of read-only memory beside the firmware, "
          + "\(board.name) has \(space)")
    }
    let blobAddress = aligned(address + Self.parameterBytes)
    let samplesAddress = aligned(blobAddress + UInt32(blob.count))
    let words = [
      Self.magic, blobAddress, UInt32(blob.count), samplesAddress, UInt32(samples.count), arenaEnd,
    ]
    bytes = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
    pad(to: blobAddress)
    bytes += blob
    pad(to: samplesAddress)
    bytes += inputs
  }

  private mutating func pad(to end: UInt32) {
    bytes += [UInt8](repeating: 0, count: Int(end - address) - bytes.count)
  }
}

/// The lines that the firmware prints: a word, then bytes in hexadecimal as the board's memory has
/// them (`Console.swift` of the firmware).
private struct Report {
  var outputs: [[[UInt8]]] = []
  var openInstructions = 0
  var runInstructions: [Int] = []
  var stackBytes = 0
  var arenaBytes = 0
  /// The status other than zero with which the firmware ended.
  var refusal: UInt32?
  var fault: String?
  var isComplete = false

  init(lines: String, counter: Board.Counter) {
    var idle = 0
    for line in lines.split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 1)
      guard words.count == 2 else { continue }
      if words[0] == "fault" {
        fault = String(words[1])
        continue
      }
      guard let bytes = Self.bytes(words[1]) else { continue }
      let value = bytes.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      switch words[0] {
      case "arena": arenaBytes = Int(value)
      case "idle-ticks": idle = counter.instructions(ticks: value)
      case "open-ticks": openInstructions = counter.instructions(ticks: value) - idle
      case "run-ticks":
        runInstructions.append(counter.instructions(ticks: value) - idle)
        outputs.append([])
      case "open-stack", "run-stack": stackBytes = max(stackBytes, Int(value))
      case "inspected", "opened", "ran": if value != 0 { refusal = UInt32(truncatingIfNeeded: value) }
      case "output": outputs[outputs.count - 1].append(bytes)
      case "end": isComplete = true
      default: break
      }
    }
  }

  private static func bytes(_ text: Substring) -> [UInt8]? {
    let digits = text.utf8.map { Character(UnicodeScalar($0)).hexDigitValue }
    guard digits.count.isMultiple(of: 2), digits.allSatisfy({ $0 != nil }) else { return nil }
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0]! << 4 | digits[$0 + 1]!) }
  }
}
