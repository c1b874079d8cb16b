import AbacusFormat

/// One thing that a plan does to need less memory.
public struct PlanChoice: Sendable, Encodable {
  /// Operators of the blob that it is about.
  public let operators: [Int]
  public let text: String
  /// Bytes that their tensors would need more without it. Not all of them need make the arena smaller.
  public let savedBytes: Int
}

extension PlannedProgram {
  /// Loops over rows of images, and outputs that lie over their inputs, in the order of the operators.
  public var choices: [PlanChoice] {
    let loops = Stages(program).ranges.compactMap(lines)
    let shared = overlapping.map { stage, overlap in
      let (input, output) = (plan.blocks[overlap.input], plan.blocks[overlap.output])
      let isDescending = program.steps[stage.lowerBound].unitsDescending != nil
      return PlanChoice(
        operators: Array(stage), text: "output over input" + (isDescending ? ", last rows first" : ""),
        savedBytes: min(input.end, output.end) - max(input.offset, output.offset))
    }
    return (loops + shared).sorted { $0.operators[0] < $1.operators[0] }
  }

  private func lines(_ stage: Range<Int>) -> PlanChoice? {
    let tensors = stage.compactMap { program.steps[$0].operands[Operands.output] }.map { program.tensors[$0] }
    let saved = tensors.reduce(0) { sum, tensor in
      sum + (tensor.lines.map { tensor.byteCount - $0.count * tensor.rowBytes } ?? 0)
    }
    if saved == 0 { return nil }
    let rows = program.steps[stage.upperBound - 1].unitsInLoop
    return PlanChoice(
      operators: Array(stage), text: "row by row, \(rows) in a round", savedBytes: saved)
  }
}
