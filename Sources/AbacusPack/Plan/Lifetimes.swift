/// Which steps touch which buffers: what the order and the placement of a program are decided on.
struct Lifetimes {
  /// Root buffers and how many bytes each occupies, aligned.
  private(set) var sizes: [Program.BufferIndex: Int] = [:]
  /// Root buffers that each step reads or writes.
  private(set) var touched: [[Program.BufferIndex]] = []
  /// Steps that touch each root buffer.
  private(set) var users: [Program.BufferIndex: [Int]] = [:]
  /// Buffers that hold something before the first step, and after the last.
  private(set) var entering: Set<Program.BufferIndex> = []
  private(set) var leaving: Set<Program.BufferIndex> = []
  /// Bytes of working memory of each step.
  private(set) var scratch: [Int] = []
  /// Steps whose results each step needs.
  private(set) var dependencies: [[Int]] = []

  init(_ program: Program) {
    func root(_ tensor: Program.TensorIndex) -> Program.BufferIndex? { program.location(of: tensor)?.buffer }
    entering = Set(program.inputs.compactMap(root))
    leaving = Set(program.outputs.compactMap(root))
    for buffer in entering.union(leaving) { sizes[buffer] = alignedSize(program.buffers[buffer].bytes) }
    for (index, step) in program.steps.enumerated() {
      var buffers: [Program.BufferIndex] = []
      var working = 0
      for operand in step.operands.values {
        if case .scratch = program.tensors[operand].storage {
          working += alignedSize(program.tensors[operand].byteCount)
        } else if let buffer = root(operand), !buffers.contains(buffer) {
          buffers.append(buffer)
        }
      }
      for buffer in buffers {
        sizes[buffer] = alignedSize(program.buffers[buffer].bytes)
        users[buffer, default: []].append(index)
      }
      touched.append(buffers.sorted())
      scratch.append(working)
    }
    dependencies = Self.dependencies(of: program)
  }

  /// A step depends on the steps that write what it reads. Steps that write different parts of one
  /// buffer (a concatenation) depend on none of each other, unless one fills the whole first.
  private static func dependencies(of program: Program) -> [[Int]] {
    var writers: [Program.BufferIndex: [(step: Int, range: Range<Int>)]] = [:]
    var result: [[Int]] = []
    for (index, step) in program.steps.enumerated() {
      var needs: Set<Int> = []
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

  private static func isFilled(_ step: Program.Step) -> Bool { step.opcode == .copy && step.variant == 1 }

  /// First and last step at which each buffer is live, in the given order of steps.
  func intervals(order: [Int]) -> [Program.BufferIndex: ClosedRange<Int>] {
    var position = [Int](repeating: 0, count: order.count)
    for (place, step) in order.enumerated() { position[step] = place }
    return sizes.keys.reduce(into: [:]) { result, buffer in
      let places = (users[buffer] ?? []).map { position[$0] }
      let first = entering.contains(buffer) ? 0 : places.min() ?? 0
      let last = leaving.contains(buffer) ? max(order.count - 1, 0) : places.max() ?? 0
      result[buffer] = first...max(first, last)
    }
  }
}

/// A size rounded up to the alignment of tensors.
func alignedSize(_ bytes: Int) -> Int { (bytes + 3) & ~3 }
