import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// State tensors: initial values at open and at reset. No importer makes them, so the blob is
/// patched: the output of a table operator becomes a state.
@Suite struct StateTests {
  private static let table = (0..<256).map { UInt8(truncatingIfNeeded: 255 - $0) }

  /// A blob whose output is a state with the given initial constant.
  private static func blob(initial: (BlobDescription) -> UInt16) throws -> [UInt8] {
    var program = HandProgram()
    let input = program.input([256])
    let output = program.output([256])
    program.program.tensors[output].zeroPoint = -3
    let constant = program.constant([256], .int8, table)
    var step = Program.Step(.table, origin: "by hand")
    step.operands = [Operands.input: input, Operands.output: output, Operands.weights: constant]
    program.program.steps.append(step)
    var blob = try program.blob()
    let description = try BlobDescription(blob, name: "state")
    let record = HostileBlobTests.section(blob, .tensors).lowerBound + description.outputs[0] * TensorRecord.bytes
    blob[record + 1] = Placement.state.rawValue
    blob.replaceSubrange(record + 46..<record + 48, with: littleEndianBytes(initial(description)))
    return HostileBlobTests.repaired(blob)
  }

  private func expectInitialValue(_ model: Model, _ initial: [UInt8]) throws {
    #expect(try model.output(0) == initial)
    _ = try model([(0..<256).map { UInt8(truncatingIfNeeded: $0 * 7) }])
    #expect(try model.output(0) != initial)
    try model.reset()
    #expect(try model.output(0) == initial)
    #expect(model.guardsAreIntact)
  }

  @Test func withoutAConstantItIsRealZero() throws {
    let model = try Model(try Self.blob { _ in TensorRecord.none })
    try expectInitialValue(model, [UInt8](repeating: UInt8(bitPattern: -3), count: 256))
  }

  @Test func withAConstantItIsThat() throws {
    let blob = try Self.blob { UInt16($0.operand(0, Operands.weights)!) }
    try expectInitialValue(try Model(blob), Self.table)
  }

  @Test func theConstantMustBeOne() throws {
    let blob = try Self.blob { UInt16($0.inputs[0]) }
    #expect(throws: Status.corrupt) { try Model(blob) }
    let beyond = try Self.blob { UInt16($0.tensors.count) }
    #expect(throws: Status.corrupt) { try Model(beyond) }
  }
}
