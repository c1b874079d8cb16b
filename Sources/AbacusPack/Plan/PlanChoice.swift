import AbacusFormat

/// One thing that a plan does to need less memory.
public struct PlanChoice: Sendable, Encodable {
  /// Operators of the blob that it is about.
  public let operators: [Int]
  public let text: String
  /// Bytes that their tensors would need more without it. Not all of them need make the arena smaller.
  public let savedBytes: Int
}

/// A plan that a model could have: memory against work that is done more than once.
public struct PlanAlternative: Sendable, Encodable {
  /// First and last operator, of the model without patches, of the stage that runs patch by patch; empty where none does.
  public let stage: [Int]
  /// Patches of the stage's output, rows and columns; empty where there are none.
  public let grid: [Int]
  public let arenaBytes: Int
  /// Multiply-accumulates that are done more than once, in percent of the model's.
  public let recomputedPercent: Double
  public let blobBytes: Int
  public let isTaken: Bool

  init(_ planned: PlannedProgram, blobBytes: Int, isTaken: Bool = false) {
    let patching = planned.program.patching
    stage = patching.map { [$0.operators.lowerBound, $0.operators.upperBound - 1] } ?? []
    grid = patching.map { [$0.grid.rows, $0.grid.columns] } ?? []
    arenaBytes = planned.plan.arenaBytes
    let (recomputed, all) = (patching?.recomputed ?? 0, Int(planned.program.multiplyAccumulates))
    recomputedPercent = all > recomputed ? 100 * Double(recomputed) / Double(all - recomputed) : 0
    self.blobBytes = blobBytes
    self.isTaken = isTaken
  }
}

extension PlannedProgram {
  /// Patches, loops over rows of images, outputs that lie over their inputs, and scratch that is left out, in the order of the operators.
  public var choices: [PlanChoice] {
    let loops = Stages(program).ranges.compactMap(lines)
    let shared = overlapping.map { stage, overlap in
      let (input, output) = (plan.blocks[overlap.input], plan.blocks[overlap.output])
      let isDescending = program.steps[stage.lowerBound].unitsDescending != nil
      return PlanChoice(
        operators: Array(stage), text: "output over input" + (isDescending ? ", last rows first" : ""),
        savedBytes: min(input.end, output.end) - max(input.offset, output.offset))
    }
    let slow = program.steps.enumerated().filter { $0.element.droppedScratch > 0 }.map { index, step in
      PlanChoice(operators: [index], text: "no scratch: slower", savedBytes: step.droppedScratch)
    }
    return (patches + loops + shared + slow).sorted { $0.operators[0] < $1.operators[0] }
  }

  private var patches: [PlanChoice] {
    guard let patching = program.patching else { return [] }
    let numbers = program.steps.indices.filter { program.steps[$0].patch != nil }
    let perPatch = Dictionary(grouping: numbers) { program.steps[$0].patch ?? 0 }.values.map { steps in
      Set(steps.compactMap { program.steps[$0].operands[Operands.output] }).reduce(0) { sum, tensor in
        sum + (program.tensors[tensor].name.isEmpty ? program.tensors[tensor].byteCount : 0)
      }
    }
    let grid = "\(patching.grid.rows) x \(patching.grid.columns)"
    return [
      PlanChoice(
        operators: numbers, text: "\(grid) patches, one after the other",
        savedBytes: patching.bytesBetween - (perPatch.max() ?? 0))
    ]
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
