import AbacusFormat
import AbacusRuntime

/// What the weights of each layer cost in a format: read from a model all of whose layers have it.
struct FormatCosts {
  /// By the name of the layer's weights.
  private(set) var bytes: [String: Int] = [:]
  /// On the board; empty without one.
  private(set) var instructions: [String: Int] = [:]

  /// - Parameter emulator: counts instructions, operator by operator (OHQ, arXiv 2309.01945: costs are measured where the model
  ///   will run).
  init(_ packed: PackedModel, _ emulator: Emulator?) throws {
    let blob = try BlobDescription(packed.blob, name: "model")
    let steps = try emulator.map { try Self.steps(packed.blob, blob, $0) } ?? []
    let owners = blob.operatorOfEachStep
    let program = packed.planned.program
    for (index, step) in program.steps.enumerated() {
      guard let weights = step.operands[Operands.weights] else { continue }
      let name = program.tensors[weights].name
      let constants = [Operands.weights, Operands.groupScales, Operands.groupZeros].compactMap { blob.operand(index, $0) }
      bytes[name] = constants.reduce(0) { $0 + Int(blob.tensors[$1].byteCount) }
      guard emulator != nil else { continue }
      instructions[name, default: 0] += zip(owners, steps).reduce(0) { $0 + ($1.0 == index ? $1.1 : 0) }
    }
  }

  /// What each step of one run takes on the board.
  private static func steps(_ blob: [UInt8], _ description: BlobDescription, _ emulator: Emulator) throws -> [Int] {
    let result = try emulator.run(blob: blob, samples: [try Model(blob).zeroSample], stepByStep: true)
    guard let steps = result.callInstructions.first, steps.count == description.operatorOfEachStep.count else {
      throw PackError(.mismatch, "\(emulator.board.name) has not made the steps that the blob has")
    }
    return steps
  }
}
