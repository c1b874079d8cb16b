/// What is alive around some consecutive steps of a program, in the order that they have: it does not depend on how
/// these are executed, nor on how others are.
struct Surroundings {
  private let program: Program
  /// First and last step that touches each root buffer, from before the first to behind the last.
  private var lifetimes: [Program.BufferIndex: ClosedRange<Int>] = [:]
  /// A tensor in each.
  private var tensors: [Program.BufferIndex: Program.TensorIndex] = [:]

  init(_ program: Program) {
    self.program = program
    for tensor in program.inputs { touch(tensor, -1) }
    for (index, step) in program.steps.enumerated() {
      for operand in step.operands.values.sorted() { touch(operand, index) }
    }
    for tensor in program.states { touch(tensor, -1) }
    for tensor in program.outputs + program.states { touch(tensor, program.steps.count) }
  }

  private mutating func touch(_ tensor: Program.TensorIndex, _ step: Int) {
    guard let buffer = program.location(of: tensor)?.buffer else { return }
    let known = lifetimes[buffer] ?? step...step
    lifetimes[buffer] = min(known.lowerBound, step)...max(known.upperBound, step)
    if tensors[buffer] == nil { tensors[buffer] = tensor }
  }

  /// Bytes that are there from before the steps until after them and that none of them touches.
  func bytes(beside range: Range<Int>) -> Int {
    let touched = Set(range.flatMap { program.steps[$0].operands.values }.compactMap { program.location(of: $0)?.buffer })
    return lifetimes.reduce(0) { sum, entry in
      let (buffer, life) = entry
      let isThere = life.lowerBound < range.lowerBound && life.upperBound >= range.upperBound
      return isThere && !touched.contains(buffer) ? sum + alignedSize(program.buffers[buffer].bytes) : sum
    }
  }

  /// The steps by themselves, with what they find as inputs and what they leave as outputs.
  func isolated(_ range: Range<Int>, of formed: Program) -> Program {
    var result = formed
    result.steps = Array(formed.steps[range])
    let touched = Set(result.steps.flatMap { $0.operands.values }.compactMap { result.location(of: $0)?.buffer }).sorted()
    func tensors(_ isOutside: (ClosedRange<Int>) -> Bool) -> [Program.TensorIndex] {
      touched.filter { lifetimes[$0].map(isOutside) ?? false }.compactMap { self.tensors[$0] }
    }
    result.inputs = tensors { $0.lowerBound < range.lowerBound }
    result.outputs = tensors { $0.upperBound >= range.upperBound }
    result.states = []
    return result
  }
}
