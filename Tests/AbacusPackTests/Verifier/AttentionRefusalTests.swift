import AbacusFormat
import Testing

@testable import AbacusPack

// Wrong parameters and operands of attention and of what surrounds it.

extension Refusal {
  fileprivate static func attention(
    _ name: String, _ change: @escaping @Sendable (inout AttentionParameters) -> Void
  ) -> Refusal {
    parameters(.attention, AttentionParameters.self, name, change)
  }

  fileprivate static func variant(_ opcode: Opcode, _ variant: UInt8) -> Refusal {
    Refusal("\(opcode): variant \(variant)", .unsupportedOperator) { editor in
      editor.step(editor.first(opcode)) { $0.variant = variant }
    }
  }

  /// Takes the last of the first dimension.
  fileprivate static func shorter(_ opcode: Opcode, _ slot: Int) -> Refusal {
    operand(opcode, slot, "slot \(slot) too short") { tensor in
      tensor.byteCount -= tensor.byteCount / tensor.dims[0]
      tensor.dims[0] -= 1
    }
  }

  fileprivate static func exponents<Record: BitwiseCopyable>(
    _ opcode: Opcode, _ variant: UInt8, _ type: Record.Type,
    _ change: @escaping @Sendable (inout Record, (inout ShiftExponentParameters) -> Void) -> Void
  ) -> [Refusal] {
    [
      formParameters(opcode, variant, type, "unit 0") { change(&$0) { $0.unit = 0 } },
      formParameters(opcode, variant, type, "unit") { change(&$0) { $0.unit = 1 << 24 + 1 } },
      formParameters(opcode, variant, type, "negative unit") { change(&$0) { $0.unit = -5 } },
      formParameters(opcode, variant, type, "no octaves") { change(&$0) { $0.octaves = 0 } },
      formParameters(opcode, variant, type, "octaves") { change(&$0) { $0.octaves = 31 } },
      formParameters(opcode, variant, type, "bits of a quotient") { change(&$0) { $0.quotientBits = 17 } },
      formParameters(opcode, variant, type, "one bit") { change(&$0) { $0.quotientBits = 1 } },
      formParameters(opcode, variant, type, "half bit") { change(&$0) { $0.keepsHalfBit = 2 } },
    ]
  }
}

@Suite struct AttentionRefusalTests {
  @Test(arguments: all)
  func refused(refusal: Refusal) throws { refusal.expect(of: try SampleBlobs.attention().blob) }

  static let all: [Refusal] = attentions + rotations + appends + wideBinaries + wideSoftmaxes

  private static let paper = AttentionVariant.paper.rawValue
  private static let online = AttentionVariant.online.rawValue

  private static let attentions: [Refusal] =
    [
      .attention("no heads") { $0.heads = 0 }, .attention("no key/value heads") { $0.keyValueHeads = 0 },
      .attention("heads that do not share evenly") { ($0.heads, $0.keyValueHeads) = (3, 2) },
      .attention("more key/value heads than heads") { $0.keyValueHeads = 4 },
      .attention("no depth") { $0.depth = 0 }, .attention("another depth") { $0.depth = 2 },
      .attention("no depth of values") { $0.valueDepth = 0 },
      .attention("another depth of values") { $0.valueDepth = 5 },
      .attention("no keys") { $0.keys = 0 }, .attention("more keys than there are") { $0.keys = 6 },
      .attention("fewer keys than there are") { $0.keys = 4 }, .attention("too many keys") { $0.keys = 513 },
      .attention("products that wrap") { ($0.heads, $0.keyValueHeads, $0.depth) = (1 << 31, 1 << 31, 8) },
      .attention("causal") { $0.isCausal = 2 }, .attention("no block") { $0.block = 0 },
      .attention("clamp upside down") { ($0.stage.low, $0.stage.high) = (1, 0) },
      .attention("clamp above int8") { $0.stage.high = 128 },
      .attention("zero point") { $0.stage.zeroPoint = -129 },
      .variant(.attention, 3),
      .missing(.attention, Operands.second), .missing(.attention, Operands.values),
      .missing(.attention, Operands.channels), .missing(.attention, Operands.scratch),
      .missing(.attention, Operands.output),
      .shorter(.attention, Operands.second), .shorter(.attention, Operands.channels),
      .shorter(.attention, Operands.scratch), .shorter(.attention, Operands.mask),
      .operand(.attention, Operands.scratch, "scratch of bytes", .unsupportedOperator) {
        ($0.elementType, $0.byteCount) = (1, 5)
      },
      .operand(.attention, Operands.second, "keys of 16 bits", .unsupportedOperator) {
        ($0.elementType, $0.byteCount) = (3, 2 * $0.byteCount)
      },
      .operand(.attention, Operands.mask, "mask of 16 bits", .unsupportedOperator) {
        ($0.elementType, $0.byteCount) = (3, 2 * $0.byteCount)
      },
      .operand(.attention, Operands.position, "position that is no state") { $0.placement = Placement.arena.rawValue },
      .form(.attention, online, "scratch for the block alone") { editor, index in
        editor.tensor(Int(editor.record(index).operands[Operands.scratch])) {
          ($0.dims[0], $0.byteCount) = (5, 20)
        }
      },
      .form(.attention, online, "keys as a block of rows") { editor, index in
        editor.tensor(Int(editor.record(index).operands[Operands.second])) {
          ($0.flags, $0.placement) = (TensorRecord.Flags.blockOfRows, Placement.arena.rawValue)
        }
      },
    ]
    + Refusal.exponents(.attention, paper, AttentionParameters.self) { record, change in change(&record.exponent) }

  private static let rotations: [Refusal] = [
    .parameters(.rotary, RotaryParameters.self, "no heads") { $0.heads = 0 },
    .parameters(.rotary, RotaryParameters.self, "odd depth") { ($0.heads, $0.depth) = (8, 1) },
    .parameters(.rotary, RotaryParameters.self, "no depth") { $0.depth = 0 },
    .parameters(.rotary, RotaryParameters.self, "another depth") { ($0.heads, $0.depth) = (1, 8) },
    .parameters(.rotary, RotaryParameters.self, "rows that wrap") { ($0.heads, $0.depth) = (1 << 31, 1 << 31) },
    .parameters(.rotary, RotaryParameters.self, "no positions") { $0.positions = 0 },
    .parameters(.rotary, RotaryParameters.self, "positions") { $0.positions = 4 },
    .parameters(.rotary, RotaryParameters.self, "order of pairs") { $0.isInterleaved = 2 },
    .parameters(.rotary, RotaryParameters.self, "clamp") { $0.stage.low = -129 },
    .missing(.rotary, Operands.weights), .missing(.rotary, Operands.channels), .missing(.rotary, Operands.input),
    .shorter(.rotary, Operands.weights), .shorter(.rotary, Operands.channels), .shorter(.rotary, Operands.input),
    .operand(.rotary, Operands.weights, "angles of 8 bits", .unsupportedOperator) {
      ($0.elementType, $0.byteCount) = (1, $0.byteCount / 2)
    },
    .operand(.rotary, Operands.position, "position of another type", .unsupportedOperator) {
      ($0.elementType, $0.dims[0]) = (1, 4)
    },
    .operand(.rotary, Operands.position, "more than one position") { ($0.dims[0], $0.byteCount) = (2, 8) },
  ]

  private static let appends: [Refusal] = [
    .parameters(.append, AppendParameters.self, "rows of 0") { $0.rowLength = 0 },
    .parameters(.append, AppendParameters.self, "rows of another length") { $0.rowLength = 7 },
    .parameters(.append, AppendParameters.self, "rows that the state cannot hold") { $0.rowLength = 24 },
    .missing(.append, Operands.input), .missing(.append, Operands.output), .missing(.append, Operands.position),
    .operand(.append, Operands.output, "no state") { $0.placement = Placement.arena.rawValue },
    .operand(.append, Operands.output, "another type", .unsupportedOperator) {
      ($0.elementType, $0.dims[1], $0.byteCount) = (3, $0.dims[1] / 2, $0.byteCount)
    },
  ]

  private static let wideBinaries: [Refusal] =
    [Opcode.addWide, .multiplyWide].flatMap { opcode -> [Refusal] in
      let type = BinaryParameters.self
      return [
        .parameters(opcode, type, "extent") { $0.dims[5] += 1 },
        .parameters(opcode, type, "extent 0") { $0.dims[0] = 0 },
        .parameters(opcode, type, "stride of A") { $0.strideA[5] = 100 },
        .parameters(opcode, type, "stride of B") { $0.strideB[4] = 1 << 31 },
        .parameters(opcode, type, "a block of rows that is broadcast") { $0.strideA[4] = 0 },
        .parameters(opcode, type, "rows of another order") { ($0.strideB[4], $0.strideB[5]) = (1, 3) },
        .parameters(opcode, type, "shift") { $0.stage.shift = 64 },
        .parameters(opcode, type, "inner shift") { $0.innerShift = 0 },
        .parameters(opcode, type, "zero point of A") { $0.zeroPointA = 1 << 15 },
        .parameters(opcode, type, "zero point of B") { $0.zeroPointB = -(1 << 15) - 1 },
        .parameters(opcode, type, "clamp above int16") { $0.stage.high = 1 << 15 },
        .missing(opcode, Operands.second), .missing(opcode, Operands.input), .missing(opcode, Operands.output),
      ]
    } + [
      .parameters(.addWide, BinaryParameters.self, "multiplier of A") { $0.multiplierA = 1 << 30 + 1 },
      .parameters(.addWide, BinaryParameters.self, "multiplier of B") { $0.multiplierB = .min },
      .operand(.addWide, Operands.input, "unsigned", .unsupportedOperator) { $0.elementType = 2 },
      .variant(.addWide, 2), .variant(.multiplyWide, 1),
    ]

  private static let wideSoftmaxes: [Refusal] =
    [
      .parameters(.softmaxWide, SoftmaxWideParameters.self, "row of 0") { $0.rowLength = 0 },
      .parameters(.softmaxWide, SoftmaxWideParameters.self, "row of 4096") { $0.rowLength = 4096 },
      .parameters(.softmaxWide, SoftmaxWideParameters.self, "row of another length") { $0.rowLength = 5 },
      .formParameters(.softmaxWide, 0, SoftmaxWideParameters.self, "negative multiplier") { $0.multiplier = -1 },
      .formParameters(.softmaxWide, 0, SoftmaxWideParameters.self, "shift") { $0.shift = 0 },
      .form(.softmaxWide, 1, "more bits than the output has") { editor, index in
        editor.tensor(Int(editor.record(index).operands[Operands.output])) {
          ($0.elementType, $0.byteCount) = (1, 16)
        }
      },
      .variant(.softmaxWide, 2), .missing(.softmaxWide, Operands.input), .missing(.softmaxWide, Operands.output),
    ]
    + Refusal.exponents(.softmaxWide, 1, SoftmaxWideParameters.self) { record, change in change(&record.exponent) }
    + [
      Refusal("a loop of fewer units than the operators have rows") { editor in
        for index in 0..<Int(editor.header.operatorCount) { editor.step(index) { $0.units = 2 } }
      },
      Refusal("blocks larger than their tensors") { editor in
        for index in 0..<Int(editor.header.operatorCount) { editor.step(index) { $0.unitsPerStep = 3 } }
      },
    ]
}
