import AbacusFormat

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
    let measured = try emulator?.operatorInstructions(of: packed.blob)
    let program = packed.planned.program
    for (index, step) in program.steps.enumerated() {
      guard let weights = step.operands[Operands.weights] else { continue }
      let name = program.tensors[weights].name
      let constants = [Operands.weights, Operands.groupScales, Operands.groupZeros].compactMap { blob.operand(index, $0) }
      bytes[name] = constants.reduce(0) { $0 + Int(blob.tensors[$1].byteCount) }
      if let measured { instructions[name, default: 0] += measured[index] }
    }
  }
}
