import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// A program put together by hand, past the lowering of graphs.
struct HandProgram: Sendable {
  var program = Program()

  private mutating func tensor(_ shape: [Int], _ type: ElementType, _ name: String) -> Program.TensorIndex {
    let bytes = shape.reduce(1, *) * Int(type.bits) / 8
    let buffer = program.addBuffer(bytes: bytes)
    return program.addTensor(
      Program.Tensor(
        name: name, shape: shape, type: type, scale: 1, zeroPoint: 0, storage: .buffer(buffer, offset: 0)))
  }

  mutating func input(_ shape: [Int], _ type: ElementType = .int8) -> Program.TensorIndex {
    let index = tensor(shape, type, "input")
    program.inputs.append(index)
    return index
  }

  mutating func output(_ shape: [Int], _ type: ElementType = .int8) -> Program.TensorIndex {
    let index = tensor(shape, type, "output")
    program.outputs.append(index)
    return index
  }

  /// A tensor between two steps.
  mutating func intermediate(_ shape: [Int], _ type: ElementType = .int8) -> Program.TensorIndex {
    tensor(shape, type, "intermediate")
  }

  /// Working memory of one step.
  mutating func scratch(_ shape: [Int], _ type: ElementType) -> Program.TensorIndex {
    program.addTensor(
      Program.Tensor(name: "scratch", shape: shape, type: type, scale: nil, zeroPoint: 0, storage: .scratch))
  }

  mutating func constant(_ shape: [Int], _ type: ElementType, _ bytes: [UInt8]) -> Program.TensorIndex {
    program.addTensor(
      Program.Tensor(
        name: "constant", shape: shape, type: type, scale: nil, zeroPoint: 0, storage: .constant(bytes)))
  }

  mutating func step<Parameters: BitwiseCopyable>(
    _ opcode: Opcode, variant: UInt8 = 0, _ operands: [Int: Program.TensorIndex], _ parameters: Parameters,
    units: Int
  ) {
    var step = Program.Step(opcode, origin: "by hand")
    step.variant = variant
    step.operands = operands
    step.parameters = littleEndianBytes(parameters)
    step.units = units
    program.steps.append(step)
  }

  func blob() throws -> [UInt8] {
    try BlobWriter.write(PlannedProgram(program), options: PackOptions(), metadata: [])
  }

  func run(_ inputs: [[Int]]) throws -> [[Int]] {
    let model = try Model(try blob())
    for (index, codes) in inputs.enumerated() {
      try model.setInput(index, model.inputs[index].type.bytes(of: codes))
    }
    try model.run()
    #expect(model.guardsAreIntact)
    return try model.outputs.indices.map { model.outputs[$0].type.codes(of: try model.output($0)) }
  }
}
