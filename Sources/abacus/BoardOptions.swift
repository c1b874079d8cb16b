import AbacusPack
import ArgumentParser

/// What a firmware may use, and what is in it.
struct BoardOptions: ParsableArguments {
  @Option(help: ArgumentHelp("RAM that may be used, in bytes or as 16K.", valueName: "bytes"))
  var ram: Size?

  @Option(help: ArgumentHelp("Flash that may be used, in bytes or as 256K.", valueName: "bytes"))
  var flash: Size?

  @Flag(help: "Link the model's own kernels only, for the true size of a firmware.")
  var dedicated = false

  /// Whether nothing was asked for.
  var isEmpty: Bool { ram == nil && flash == nil && !dedicated }

  /// Runs a blob on samples, and on choices of its own.
  func emulate(
    _ blob: [UInt8], _ description: BlobDescription, on board: Board, samples: [[[UInt8]]],
    continuation: Continuation? = nil
  ) throws -> EmulationResult {
    try Emulator(board: board).run(
      blob: blob, samples: samples, continuation: continuation, ramLimit: ram?.bytes, flashLimit: flash?.bytes,
      kernels: dedicated ? description.neededKernels : nil)
  }
}

extension EmulationResult {
  /// What the model takes on a board, one figure a row.
  func table(board: String) -> Table {
    var table = Table([.init(board), .init("", .right)])
    table.add("flash, firmware and model (bytes)", NumberText.grouped(flashBytes))
    table.add("RAM, all included (bytes)", NumberText.grouped(ramBytes))
    table.add("arena (bytes)", NumberText.grouped(arenaBytes))
    table.add("stack, deepest (bytes)", NumberText.grouped(stackBytes))
    table.add("instructions to open", NumberText.grouped(openInstructions))
    return table
  }
}

/// A number of bytes, or of KiB as "16K".
struct Size: ExpressibleByArgument {
  let bytes: Int

  init?(argument: String) {
    let isKilo = argument.uppercased().hasSuffix("K")
    guard let number = Int(isKilo ? String(argument.dropLast()) : argument), number > 0 else { return nil }
    let (bytes, overflow) = number.multipliedReportingOverflow(by: isKilo ? 1024 : 1)
    if overflow { return nil }
    self.bytes = bytes
  }
}
