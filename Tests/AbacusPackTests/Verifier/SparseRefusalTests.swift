import AbacusFormat
import Testing

@testable import AbacusPack

/// Wrong numbers of weights in groups: those that constants hold among them.
@Suite struct SparseRefusalTests {
  @Test(arguments: refusals)
  func refused(refusal: Refusal) throws { refusal.expect(of: try SampleBlobs.groups().blob) }

  private static let refusals: [Refusal] = {
    let opcode = Opcode.sparseProject
    return [
      .missing(opcode, Operands.weights), .missing(opcode, Operands.groupCounts), .missing(opcode, Operands.groupIndices),
      .missing(opcode, Operands.channels),
      .parameters(opcode, SparseProjectParameters.self, "no depth") { $0.depth = 0 },
      .parameters(opcode, SparseProjectParameters.self, "more groups than a byte counts") { $0.depth = 4081 },
      .parameters(opcode, SparseProjectParameters.self, "another depth") { $0.depth -= 1 },
      .parameters(opcode, SparseProjectParameters.self, "depth that wraps") { $0.depth = .max },
      .parameters(opcode, SparseProjectParameters.self, "shift") { $0.project.stage.shift = 63 },
      .operand(opcode, Operands.weights, "weights of 4 bits", .unsupportedOperator) { $0.elementType = ElementType.int4.rawValue },
      .operand(opcode, Operands.weights, "in the arena") { ($0.placement, $0.offset) = (Placement.arena.rawValue, 0) },
      .operand(opcode, Operands.weights, "a group too few") {
        $0.dims[0] -= 1
        $0.byteCount -= UInt32(GroupLayout.size)
      },
      .operand(opcode, Operands.groupIndices, "an index too few") {
        $0.dims[0] -= 1
        $0.byteCount -= 1
      },
      .operand(opcode, Operands.groupCounts, "a channel too few") {
        $0.dims[0] -= 1
        $0.byteCount -= 1
      },
      .operand(opcode, Operands.groupCounts, "counts in the arena") {
        ($0.placement, $0.offset) = (Placement.arena.rawValue, 0)
      },
      .operand(opcode, Operands.groupIndices, "indices in the arena") {
        ($0.placement, $0.offset) = (Placement.arena.rawValue, 0)
      },
      byte(Operands.groupCounts, "a count more") { $0 &+= 1 },
      byte(Operands.groupCounts, "a count less") { $0 &-= 1 },
      byte(Operands.groupIndices, "a group behind the row") { $0 = UInt8(GroupLayout.groups(depth: 40)) },
      byte(Operands.groupIndices, "the furthest group") { $0 = 255 },
      Refusal("variant", .unsupportedOperator) { editor in editor.step(editor.first(opcode)) { $0.variant = 3 } },
    ]
  }()

  /// Changes the last byte of a constant.
  private static func byte(_ slot: Int, _ name: String, _ change: @escaping @Sendable (inout UInt8) -> Void) -> Refusal {
    Refusal(name) { editor in
      let index = editor.operand(.sparseProject, slot)
      let tensor = editor.load(editor.start(.tensors) + index * TensorRecord.bytes, TensorRecord.self)
      editor.edit(.constants, Int(tensor.offset + tensor.byteCount) - 1, UInt8.self, change)
    }
  }
}
