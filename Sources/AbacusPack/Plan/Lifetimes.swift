import AbacusFormat

/// Which stages touch which buffers: what the order and the placement of a program are decided on.
///
/// A buffer that only holds the block that a loop is at counts as working memory of that loop.
struct Lifetimes {
  let stages: Stages
  /// Root buffers and how many bytes each occupies, aligned.
  private(set) var sizes: [Program.BufferIndex: Int] = [:]
  /// Root buffers that each stage reads or writes.
  private(set) var touched: [[Program.BufferIndex]] = []
  /// Stages that touch each root buffer.
  private(set) var users: [Program.BufferIndex: [Int]] = [:]
  /// Buffers that hold something before the first step, and after the last.
  private(set) var entering: Set<Program.BufferIndex> = []
  private(set) var leaving: Set<Program.BufferIndex> = []
  /// Bytes of working memory of each stage.
  private(set) var scratch: [Int] = []
  /// Stages whose results each stage needs.
  private(set) var dependencies: [[Int]] = []

  init(_ program: Program) {
    stages = Stages(program)
    func roots(_ tensors: [Program.TensorIndex]) -> Set<Program.BufferIndex> {
      Set(tensors.compactMap { program.location(of: $0)?.buffer })
    }
    entering = roots(program.inputs + program.states)
    leaving = roots(program.outputs + program.states)
    for buffer in entering.union(leaving) { sizes[buffer] = alignedSize(program.buffers[buffer].bytes) }
    for (index, range) in stages.ranges.enumerated() {
      let operands = range.flatMap { program.steps[$0].operands.values }
      let buffers = roots(operands).filter { stages.blockBytes[$0] == nil }.sorted()
      for buffer in buffers {
        sizes[buffer] = alignedSize(program.buffers[buffer].bytes)
        users[buffer, default: []].append(index)
      }
      touched.append(buffers)
      scratch.append(Self.workingMemory(program, range, stages))
    }
    dependencies = Self.dependencies(of: stages, Self.dependencies(of: program))
  }

  /// Most bytes of scratch and blocks alive at once while a stage runs.
  private static func workingMemory(_ program: Program, _ range: Range<Int>, _ stages: Stages) -> Int {
    let live = blockIntervals(program, range, stages)
    return range.map { index in
      let working = program.steps[index].operands.values.reduce(0) { sum, operand in
        guard case .scratch = program.tensors[operand].storage else { return sum }
        return sum + alignedSize(program.tensors[operand].byteCount)
      }
      return live.filter { $0.value.contains(index) }
        .reduce(working) { $0 + alignedSize(stages.blockBytes[$1.key] ?? 0) }
    }.max() ?? 0
  }

  /// First and last step of a loop that touches each of its blocks; all of the loop for lines that stay
  /// from round to round.
  static func blockIntervals(
    _ program: Program, _ range: Range<Int>, _ stages: Stages
  ) -> [Program.BufferIndex: ClosedRange<Int>] {
    var result: [Program.BufferIndex: ClosedRange<Int>] = [:]
    for index in range {
      for operand in program.steps[index].operands.values {
        guard let buffer = program.location(of: operand)?.buffer, stages.blockBytes[buffer] != nil else { continue }
        let stays = program.tensors[operand].lines.map { $0.behind > program.steps[index].delay } ?? false
        let first = program.steps[index].operands[Operands.output] == operand && stays ? range : index..<index + 1
        let known = result[buffer] ?? first.lowerBound...first.upperBound - 1
        result[buffer] = known.lowerBound...max(known.upperBound, index)
      }
    }
    return result
  }

  /// A step depends on the steps that write what it reads. Steps that write different parts of one
  /// buffer (a concatenation) depend on none of each other, unless one fills the whole first. Patches of a
  /// stage come one after the other.
  static func dependencies(of program: Program) -> [[Int]] {
    var writers: [Program.BufferIndex: [(step: Int, range: Range<Int>)]] = [:]
    var result: [[Int]] = []
    var lastOfPatches: Int?
    for (index, step) in program.steps.enumerated() {
      var needs: Set<Int> = []
      if step.patch != nil {
        if let lastOfPatches { needs.insert(lastOfPatches) }
        lastOfPatches = index
      }
      for (slot, operand) in step.operands {
        guard let (buffer, offset) = program.location(of: operand) else { continue }
        let range = offset..<offset + program.tensors[operand].byteCount
        for writer in writers[buffer] ?? [] where writer.step != index && writer.range.overlaps(range) {
          // Parts of one concatenation share the output tensor but not its elements.
          if slot == 0 && program.steps[writer.step].operands[0] == operand && !isFilled(program.steps[writer.step]) {
            continue
          }
          needs.insert(writer.step)
        }
      }
      if let output = step.operands[0], let (buffer, offset) = program.location(of: output) {
        writers[buffer, default: []].append(
          (index, offset..<offset + program.tensors[output].byteCount))
      }
      result.append(needs.sorted())
    }
    return result
  }

  private static func dependencies(of stages: Stages, _ steps: [[Int]]) -> [[Int]] {
    stages.ranges.enumerated().map { index, range in
      Set(range.flatMap { steps[$0].map { stages.stageOfStep[$0] } }).subtracting([index]).sorted()
    }
  }

  private static func isFilled(_ step: Program.Step) -> Bool { step.opcode == .copy && step.variant == 1 }

  /// First and last step at which each buffer, block or not, is live. The order of the steps must be
  /// final.
  func intervals(of program: Program) -> [Program.BufferIndex: ClosedRange<Int>] {
    let end = max(program.steps.count - 1, 0)
    var result: [Program.BufferIndex: ClosedRange<Int>] = [:]
    for buffer in sizes.keys {
      let used = (users[buffer] ?? []).map { stages.ranges[$0] }
      let first = entering.contains(buffer) ? 0 : used.map(\.lowerBound).min() ?? 0
      let last = leaving.contains(buffer) ? end : (used.map(\.upperBound).max() ?? 1) - 1
      result[buffer] = first...max(first, last)
    }
    for range in stages.ranges {
      result.merge(Self.blockIntervals(program, range, stages)) { $1 }
    }
    return result
  }
}

/// A size rounded up to the alignment of tensors.
func alignedSize(_ bytes: Int) -> Int { (bytes + 3) & ~3 }
