import AbacusFormat

@testable import AbacusPack

// Wrong parameters and operands of the operators of rows.

extension Refusal {
  /// Changes the first operator with an opcode.
  private static func step(
    _ opcode: Opcode, _ name: String, _ status: AbacusFormat.Status = .corrupt,
    _ change: @escaping @Sendable (inout OperatorRecord) -> Void
  ) -> Refusal {
    Refusal("\(opcode): \(name)", status) { $0.step($0.first(opcode), change) }
  }

  /// Changes variant and parameters of the first operator with an opcode.
  private static func variant<Record: BitwiseCopyable>(
    _ opcode: Opcode, _ variant: UInt8, _: Record.Type, _ name: String,
    _ change: @escaping @Sendable (inout Record) -> Void
  ) -> Refusal {
    Refusal("\(opcode), variant \(variant): \(name)") { editor in
      editor.step(editor.first(opcode)) { $0.variant = variant }
      editor.parameters(opcode, Record.self, change)
    }
  }

  static let rowOperators: [Refusal] = projections + normalizations + activations + embeddings

  private static let projections: [Refusal] = [
    parameters(.project, ProjectParameters.self, "shift 0") { $0.stage.shift = 0 },
    parameters(.project, ProjectParameters.self, "clamp above int16") { $0.stage.high = 32768 },
    step(.project, "variant 3", .unsupportedOperator) { $0.variant = 3 },
    step(.project, "a residual that is not there") { $0.variant = 1 },
    step(.project, "an output of another size") { $0.operands[Operands.output] = $0.operands[Operands.input] },
    step(.project, "blocks larger than the tensors") { $0.unitsPerStep = 3 },
    missing(.project, Operands.weights), missing(.project, Operands.channels), missing(.project, Operands.input),
    operand(.project, Operands.weights, "depth") { ($0.dims[0], $0.dims[1]) = (6, 5) },
    operand(.project, Operands.weights, "rank") { ($0.rank, $0.dims[2]) = (3, 1) },
    operand(.project, Operands.weights, "int32 weights", .unsupportedOperator) { tensor in
      (tensor.elementType, tensor.byteCount) = (4, 4 * tensor.byteCount)
      (tensor.dims[0], tensor.dims[1]) = (1, 1)
      tensor.byteCount = 4
    },
    operand(.project, Operands.channels, "too few channels") {
      $0.dims[0] -= 1
      $0.byteCount -= 8
    },
    operand(.project, Operands.input, "a block of one row") { $0.byteCount /= 2 },
    formParameters(.project, 1, ProjectParameters.self, "residual multiplier") { $0.residualMultiplier = (1 << 30) + 1 },
    formParameters(.project, 1, ProjectParameters.self, "residual zero point") { $0.residualZeroPoint = 32768 },
    formParameters(.project, 2, ProjectParameters.self, "residual shift") { $0.residualShift = 0 },
    formParameters(.project, 2, ProjectParameters.self, "branch shift") { $0.branchShift = 63 },
  ]

  private static let normalizations: [Refusal] = [
    parameters(.normalize, NormalizeParameters.self, "shift 32") { $0.stage.shift = 32 },
    parameters(.normalize, NormalizeParameters.self, "shift 63") { $0.stage.shift = 63 },
    parameters(.normalize, NormalizeParameters.self, "row of 0") { $0.rowLength = 0 },
    parameters(.normalize, NormalizeParameters.self, "another row") { $0.rowLength = 3 },
    parameters(.normalize, NormalizeParameters.self, "row that does not divide") { $0.rowLength = 4 },
    parameters(.normalize, NormalizeParameters.self, "zero point of int16") { $0.inputZeroPoint = 1 },
    parameters(.normalize, NormalizeParameters.self, "epsilon") { $0.epsilonHigh = 1 << 26 },
    variant(.normalize, 1, NormalizeParameters.self, "epsilon") { $0.epsilonHigh = 1 << 14 },
    variant(.normalize, 2, NormalizeParameters.self, "start") { $0.rootStart = 11 },
    variant(.normalize, 2, NormalizeParameters.self, "start 32") { $0.rootStart = 32 },
    step(.normalize, "variant 3", .unsupportedOperator) { $0.variant = 3 },
    step(.normalize, "units") { $0.units = 6 },
    missing(.normalize, Operands.channels),
    operand(.normalize, Operands.channels, "too few") {
      $0.dims[0] -= 1
      $0.byteCount -= 8
    },
    operand(.normalize, Operands.output, "a block of one row") { $0.byteCount = 6 },
    operand(.normalize, Operands.output, "int32", .unsupportedOperator) { $0.elementType = 4 },
  ]

  private static let activations: [Refusal] = [
    parameters(.activation, ActivationParameters.self, "shift") { $0.stage.shift = 0 },
    parameters(.activation, ActivationParameters.self, "input shift") { $0.inputShift = 63 },
    parameters(.activation, ActivationParameters.self, "negative input shift") { $0.inputShift = -1 },
    parameters(.activation, ActivationParameters.self, "zero point of int16") { $0.inputZeroPoint = -1 },
    parameters(.activation, ActivationParameters.self, "row of 0") { $0.rowLength = 0 },
    formParameters(.activation, 1, ActivationParameters.self, "unit 0") { $0.exponent.unit = 0 },
    formParameters(.activation, 1, ActivationParameters.self, "unit") { $0.exponent.unit = (1 << 24) + 1 },
    formParameters(.activation, 1, ActivationParameters.self, "octaves") { $0.exponent.octaves = 31 },
    formParameters(.activation, 1, ActivationParameters.self, "quotient") { $0.exponent.quotientBits = 17 },
    formParameters(.activation, 1, ActivationParameters.self, "half bit") { $0.exponent.keepsHalfBit = 2 },
    formParameters(.activation, 1, ActivationParameters.self, "scaled") { $0.isScaled = 2 },
    formParameters(.activation, 1, ActivationParameters.self, "zero point of int8") { $0.inputZeroPoint = 128 },
    step(.activation, "variant 2", .unsupportedOperator) { $0.variant = 2 },
    missing(.activation, Operands.weights),
    operand(.activation, Operands.weights, "table of 1") { ($0.dims[0], $0.byteCount) = (1, 2) },
    operand(.activation, Operands.weights, "int8 table", .unsupportedOperator) {
      ($0.elementType, $0.byteCount) = (1, $0.dims[0])
    },
    operand(.activation, Operands.output, "a block of one row") { $0.byteCount = 5 },
  ]

  private static let embeddings: [Refusal] = [
    parameters(.embed, EmbedParameters.self, "no entries") { $0.entries = 0 },
    parameters(.embed, EmbedParameters.self, "more entries") { $0.entries = 21 },
    parameters(.embed, EmbedParameters.self, "entries that wrap") { ($0.entries, $0.rowLength) = (1 << 31, 1 << 31) },
    parameters(.embed, EmbedParameters.self, "no elements") { $0.rowLength = 0 },
    parameters(.embed, EmbedParameters.self, "shift") { $0.stage.shift = 63 },
    parameters(.embed, EmbedParameters.self, "zero point") { $0.stage.zeroPoint = 1 << 15 },
    missing(.embed, Operands.weights), missing(.embed, Operands.channels),
    operand(.embed, Operands.channels, "too few multipliers") {
      $0.dims[0] -= 1
      $0.byteCount -= 4
    },
    operand(.embed, Operands.input, "indices of 16 bits", .unsupportedOperator) {
      ($0.elementType, $0.byteCount) = (3, 2 * $0.dims[0])
    },
    step(.embed, "units") { $0.units = 4 },
  ]
}
