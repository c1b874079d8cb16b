import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Rows written into a state at the position that the session has reached.
@Suite struct AppendTests {
  private func program(
    _ type: ElementType, rows: Int, capacity: Int, length: Int, position: Int
  ) -> HandProgram {
    var program = HandProgram()
    let input = program.input([rows, length], type)
    let state = program.output([capacity, length], type)
    program.program.states.append(state)
    program.step(
      .append, [Operands.input: input, Operands.output: state, Operands.position: program.position(position)],
      AppendParameters(rowLength: UInt32(length)), units: rows)
    return program
  }

  private func codes(_ count: Int, _ type: ElementType) -> [Int] {
    (0..<count).map { ($0 * 37 + 11) % 200 * (type == .int16 ? 100 : 1) - 100 }.map { max($0, type.codeRange.lowerBound) }
      .map { min($0, type.codeRange.upperBound) }
  }

  private func expected(_ codes: [Int], capacity: Int, length: Int, position: Int) -> [Int] {
    var state = Array(repeating: 0, count: capacity * length)
    for row in 0..<codes.count / length where (0..<capacity).contains(max(position, 0) + row) {
      let start = (max(position, 0) + row) * length
      state.replaceSubrange(start..<start + length, with: codes[row * length..<(row + 1) * length])
    }
    return state
  }

  /// Rows that would lie outside are dropped.
  @Test(arguments: [ElementType.int8, .int16])
  func everyPosition(type: ElementType) throws {
    for (rows, capacity, length) in [(1, 4, 3), (3, 5, 2), (6, 4, 1)] {
      for position in [-1000, -1, 0, 1, 2, 3, 4, 5, 32767] {
        let codes = codes(rows * length, type)
        #expect(
          try program(type, rows: rows, capacity: capacity, length: length, position: position).run([codes])
            == [expected(codes, capacity: capacity, length: length, position: position)], "\(position)")
      }
    }
  }

  /// A count of tokens that has almost left 32 bits.
  @Test func positionsAtTheEnd() throws {
    for position in [Int(Int32.max), Int(Int32.max) - 1, Int(Int32.min)] {
      var program = program(.int8, rows: 3, capacity: 4, length: 2, position: 0)
      let initial = program.constant([1], .int32, codes: [position])
      let state = program.program.states[1]
      // Named by an operator, so that it is written; the slot means nothing to append.
      program.program.steps[0].operands[13] = initial
      var editor = BlobEditor(try program.blob())
      let (constant, tensor) = (editor.operand(.append, 13), editor.operand(.append, Operands.position))
      editor.tensor(tensor) { $0.auxiliary = UInt16(constant) }
      let model = try Model(editor.sealed())
      try model.setInput(0, ElementType.int8.bytes(of: [1, 2, 3, 4, 5, 6]))
      try model.run()
      let codes = ElementType.int8.codes(of: try model.output(0))
      #expect(codes == (position < 0 ? [1, 2, 3, 4, 5, 6, 0, 0] : Array(repeating: 0, count: 8)))
      #expect(model.guardsAreIntact && state >= 0)
    }
  }

  @Test func loops() throws {
    var program = program(.int8, rows: 7, capacity: 9, length: 3, position: 1)
    let input = program.program.inputs[0]
    let inner = program.intermediate([7, 3])
    program.program.steps[0].operands[Operands.input] = inner
    program.step(
      .requantize, [Operands.input: input, Operands.output: inner],
      RequantizeParameters(inputZeroPoint: 0, multiplier: 2, stage: OutputStage(.int8)), units: 7)
    program.program.steps.reverse()
    let codes = codes(21, .int8)
    let result = try program.runInLoops(
      [codes], rowSlots: [[Operands.input, Operands.output], [Operands.input]])
    #expect(result == [expected(codes, capacity: 9, length: 3, position: 1)])
  }
}
