import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

extension HandProgram {
  /// The same program as one loop over blocks of units; what goes from step to step exists only as
  /// blocks. All steps have equally many units.
  ///
  /// - Parameter rowSlots: of each step, the operands that its table calls *rows*.
  func looped(unitsInLoop: Int, rowSlots: [Set<Int>]) -> HandProgram {
    var copy = self
    for (index, slots) in rowSlots.enumerated() {
      copy.program.steps[index].loop = 0
      copy.program.steps[index].unitsInLoop = unitsInLoop
      copy.program.steps[index].rowSlots = slots
    }
    return copy
  }

  /// Runs the program as it is, in the smallest steps, and in loops of every size: the same codes.
  ///
  /// - Returns: the codes of the outputs.
  @discardableResult
  func runInLoops(
    _ inputs: [[Int]], rowSlots: [Set<Int>], sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> [[Int]] {
    let wanted = try run(inputs)
    let units = program.steps[0].units
    for unitsInLoop in Set([1, 2, 3, units - 1, units]) where (1...units).contains(unitsInLoop) {
      let loop = looped(unitsInLoop: unitsInLoop, rowSlots: rowSlots)
      let blob = BlobEditor(try loop.blob())
      let isLoop = (1..<program.steps.count).allSatisfy {
        blob.record($0).flags == OperatorRecord.Flags.continuesLoop && blob.record($0).unitsPerStep == unitsInLoop
      }
      #expect(isLoop, sourceLocation: sourceLocation)
      #expect(try loop.run(inputs) == wanted, "\(unitsInLoop) units", sourceLocation: sourceLocation)
    }
    return wanted
  }

  /// Puts copies between the first input, the one step of a program and its output.
  mutating func surroundFirstStep(units: Int) {
    let (input, output) = (program.inputs[0], program.outputs[0])
    let inner = (
      input: intermediate(program.tensors[input].shape, program.tensors[input].type),
      output: intermediate(program.tensors[output].shape, program.tensors[output].type)
    )
    program.steps[0].operands[Operands.input] = inner.input
    program.steps[0].operands[Operands.output] = inner.output
    for (from, to) in [(input, inner.input), (inner.output, output)] {
      let type = program.tensors[from].type
      step(
        .requantize, [Operands.input: from, Operands.output: to],
        RequantizeParameters(inputZeroPoint: 0, multiplier: 2, stage: OutputStage(type)), units: units)
    }
    program.steps.swapAt(0, 1)
  }

  /// A state that counts tokens, which begins at `position`.
  mutating func position(_ position: Int) -> Program.TensorIndex {
    let buffer = program.addBuffer(bytes: 4)
    // A state without an initial value begins at its zero point.
    let index = program.addTensor(
      Program.Tensor(
        name: "position", shape: [1], type: .int32, scale: 1, zeroPoint: position,
        storage: .buffer(buffer, offset: 0)))
    program.states.append(index)
    return index
  }

  mutating func constant(_ shape: [Int], _ type: ElementType, codes: [Int]) -> Program.TensorIndex {
    constant(shape, type, type.bytes(of: codes))
  }
}
