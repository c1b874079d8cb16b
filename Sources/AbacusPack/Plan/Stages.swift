/// What of a program is ordered as a whole: single steps, and loops.
struct Stages {
  /// Steps of each stage, consecutive in the program.
  private(set) var ranges: [Range<Int>] = []
  /// The stage of each step.
  private(set) var stageOfStep: [Int] = []
  /// For each root buffer that only ever holds the block that one loop is at: how many bytes that is.
  private(set) var blockBytes: [Program.BufferIndex: Int] = [:]

  init(_ program: Program) {
    for index in program.steps.indices {
      if let loop = program.steps[index].loop, index > 0, program.steps[index - 1].loop == loop {
        ranges[ranges.count - 1] = ranges[ranges.count - 1].lowerBound..<index + 1
      } else {
        ranges.append(index..<index + 1)
      }
      stageOfStep.append(ranges.count - 1)
    }
    blockBytes = Self.blocks(program, stageOfStep)
  }

  /// A buffer is a block if every step that touches it is in the same loop and looks only at the
  /// shares of its units.
  private static func blocks(_ program: Program, _ stageOfStep: [Int]) -> [Program.BufferIndex: Int] {
    var whole = Set((program.inputs + program.outputs + program.states).compactMap { program.location(of: $0)?.buffer })
    var stage: [Program.BufferIndex: Int] = [:]
    var bytes: [Program.BufferIndex: Int] = [:]
    for (index, step) in program.steps.enumerated() {
      for (slot, operand) in step.operands {
        guard let (buffer, offset) = program.location(of: operand) else { continue }
        if let lines = program.tensors[operand].lines {
          stage[buffer] = stageOfStep[index]
          bytes[buffer] = lines.count * program.tensors[operand].rowBytes
          continue
        }
        let isShare = step.loop != nil && step.rowSlots.contains(slot) && offset == 0
        if !isShare || stage[buffer, default: stageOfStep[index]] != stageOfStep[index] { whole.insert(buffer) }
        stage[buffer] = stageOfStep[index]
        bytes[buffer] = max(bytes[buffer] ?? 0, program.tensors[operand].byteCount / step.units * step.unitsInLoop)
      }
    }
    return bytes.filter { !whole.contains($0.key) }
  }
}
