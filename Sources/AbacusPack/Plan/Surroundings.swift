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

extension Program {
  /// The same without tensors and buffers that nothing uses.
  var compacted: Program {
    var result = Program()
    result.name = name
    var known: [TensorIndex: TensorIndex] = [:]
    var buffers: [BufferIndex: BufferIndex] = [:]
    func moved(_ index: TensorIndex) -> TensorIndex {
      if let place = known[index] { return place }
      var tensor = tensors[index]
      if let (buffer, offset) = location(of: index) {
        let place = buffers[buffer] ?? result.addBuffer(bytes: self.buffers[buffer].bytes)
        buffers[buffer] = place
        tensor.storage = .buffer(place, offset: offset)
      }
      known[index] = result.addTensor(tensor)
      return result.tensors.count - 1
    }
    result.inputs = inputs.map(moved)
    result.outputs = outputs.map(moved)
    result.states = states.map(moved)
    result.steps = steps.map { step in
      var step = step
      for (slot, operand) in step.operands.sorted(by: { $0.key < $1.key }) { step.operands[slot] = moved(operand) }
      return step
    }
    return result
  }
}
