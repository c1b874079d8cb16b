import AbacusFormat
import Testing

@testable import AbacusPack

/// Wrong numbers of weights of few bits.
@Suite struct CodedRefusalTests {
  @Test(arguments: both(.codedProject) + both(.codedConvolution) + projection + convolution)
  func refused(refusal: Refusal) throws { refusal.expect(of: try SampleBlobs.codes().blob) }

  /// What all codes are held to.
  private static func both(_ opcode: Opcode) -> [Refusal] {
    let weights = Operands.weights
    return [
      .missing(opcode, weights), .missing(opcode, Operands.channels), .missing(opcode, Operands.input),
      .operand(opcode, weights, "another grid", .unsupportedOperator) { $0.blockColumns = 4 },
      .operand(opcode, weights, "no grid", .unsupportedOperator) { $0.blockColumns = 0 },
      .operand(opcode, weights, "scale of 0") { $0.blockRows = 0 },
      .operand(opcode, weights, "weights of 8 bits") { $0.elementType = ElementType.int8.rawValue },
      .operand(opcode, weights, "unknown type") { $0.elementType = 7 },
      .operand(opcode, weights, "a word too few") { $0.byteCount -= 4 },
      .operand(opcode, weights, "a word too many") { $0.byteCount += 4 },
      .operand(opcode, weights, "bytes beyond the blob") { $0.byteCount = 1 << 30 },
      .operand(opcode, weights, "offset beyond the blob") { $0.offset = .max - 3 },
      .operand(opcode, weights, "unaligned") { $0.offset += 2 },
      .operand(opcode, weights, "in the arena") { $0.placement = Placement.arena.rawValue },
      .operand(opcode, weights, "a block of rows") { $0.flags = TensorRecord.Flags.blockOfRows },
      .operand(opcode, weights, "another rank") { $0.rank = 3 },
      .operand(opcode, weights, "no channels") { $0.dims[0] = 0 },
      .operand(opcode, weights, "no depth") { $0.dims[1] = 0 },
      .operand(opcode, weights, "more channels") { $0.dims[0] += 2 },
      .operand(opcode, weights, "depth that wraps") { $0.dims[1] = .max },
    ]
  }

  private static let projection: [Refusal] = [
    .missing(.codedProject, Operands.groupScales), .missing(.codedProject, Operands.groupZeros),
    .operand(.codedProject, Operands.weights, "groups of 8") { $0.auxiliary = 8 },
    .operand(.codedProject, Operands.weights, "groups of 24") { $0.auxiliary = 24 },
    .operand(.codedProject, Operands.weights, "groups of 144") { $0.auxiliary = 144 },
    .operand(.codedProject, Operands.weights, "groups of 0") { $0.auxiliary = 0 },
    .operand(.codedProject, Operands.weights, "no groups") { $0.auxiliary = TensorRecord.none },
    .operand(.codedProject, Operands.weights, "longer groups") { $0.auxiliary = 32 },
    .operand(.codedProject, Operands.weights, "zero points without their grid") {
      $0.blockColumns = CodeGrid.odd.rawValue
    },
    .operand(.codedProject, Operands.groupScales, "a scale too few") {
      $0.dims[0] -= 1
      $0.byteCount -= 3
    },
    .operand(.codedProject, Operands.groupScales, "signed scales", .unsupportedOperator) {
      $0.elementType = ElementType.int8.rawValue
    },
    .operand(.codedProject, Operands.groupZeros, "unsigned zero points", .unsupportedOperator) {
      $0.elementType = ElementType.uint8.rawValue
    },
    .operand(.codedProject, Operands.groupZeros, "scales in the arena") { $0.placement = Placement.arena.rawValue },
    .operand(.codedProject, Operands.scratch, "scratch in the blob") {
      ($0.placement, $0.offset) = (Placement.constant.rawValue, 0)
    },
    Refusal("variant", .unsupportedOperator) { editor in
      editor.step(editor.first(.codedProject)) { $0.variant = 3 }
    },
  ]

  private static let convolution: [Refusal] = [
    .operand(.codedConvolution, Operands.weights, "groups without scales") { $0.auxiliary = 16 },
    .operand(.codedConvolution, Operands.weights, "a grid with zero points, without them") {
      $0.blockColumns = CodeGrid.offset.rawValue
    },
    .operand(.codedConvolution, Operands.weights, "another window") { $0.dims[2] = 2 },
    .missing(.codedConvolution, Operands.scratch),
    .operand(.codedConvolution, Operands.scratch, "scratch too small") {
      $0.dims[0] -= 4
      $0.byteCount -= 4
    },
    .parameters(.codedConvolution, ConvolutionParameters.self, "zero point of weights") { $0.weightZeroPoint = 1 },
    .parameters(.codedConvolution, ConvolutionParameters.self, "shift") { $0.stage.shift = 63 },
    .parameters(.codedConvolution, ConvolutionParameters.self, "no height") { $0.window.height = 0 },
  ]
}
