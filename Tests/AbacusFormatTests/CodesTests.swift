import Testing

@testable import AbacusFormat

/// Numbers that are in every blob ever written: they never change.
@Suite struct CodesTests {
  @Test func opcodes() {
    let symbols = (1...Opcode.count).map { Opcode(rawValue: $0).map { "\($0.symbol)" } }
    #expect(
      symbols == [
        "fully_connected", "convolution", "depthwise_convolution", "matrix_multiply", "add", "multiply",
        "squared_difference", "maximum", "minimum", "prelu", "max_pool", "average_pool", "reduce",
        "copy", "gather", "softmax", "table", "requantize", "project", "normalize", "activation",
        "attention", "rotary", "append", "embed", "add_wide", "multiply_wide", "softmax_wide",
        "coded_project", "coded_convolution", "sparse_project",
      ])
    #expect(Opcode(rawValue: 0) == nil && Opcode(rawValue: Opcode.count + 1) == nil)
  }

  @Test func elementTypes() {
    #expect((1...6).map { ElementType(rawValue: $0)?.bits } == [8, 8, 16, 32, 4, 2])
    #expect(ElementType(rawValue: 0) == nil && ElementType(rawValue: 7) == nil)
    #expect(ElementType.int8.rawValue == 1 && ElementType.uint8.rawValue == 2)
    #expect(ElementType.int16.rawValue == 3 && ElementType.int32.rawValue == 4)
  }

  @Test func placementsLayoutsAndVariants() {
    #expect([Placement.arena, .constant, .state].map(\.rawValue) == [1, 2, 3])
    #expect([Layout.plain, .blocked, .twoOfFour, .blockSparse, .paired, .codes].map(\.rawValue) == [0, 1, 2, 3, 4, 5])
    #expect([CodeGrid.symmetric, .odd, .offset].map(\.rawValue) == [1, 2, 3])
    #expect([ReduceVariant.sum, .maximum, .minimum].map(\.rawValue) == [0, 1, 2])
    #expect([CopyVariant.part, .filled].map(\.rawValue) == [0, 1])
  }

  @Test func sections() {
    #expect(
      [Section.tensors, .operators, .parameters, .boundary, .constants, .names, .metadata, .reserved]
        .map(\.rawValue) == Array(0..<Section.count))
  }

  @Test func operandSlots() {
    #expect(
      [
        Operands.output, Operands.input, Operands.second, Operands.weights, Operands.channels,
        Operands.shifts, Operands.scratch,
      ] == Array(0..<7))
    #expect([Operands.values, Operands.mask, Operands.position] == [3, 7, 8])
    #expect([Operands.groupScales, Operands.groupZeros] == [9, 10])
    #expect([Operands.groupCounts, Operands.groupIndices] == [11, 12])
    #expect(Limits.maximumOperands == 14)
  }
}
