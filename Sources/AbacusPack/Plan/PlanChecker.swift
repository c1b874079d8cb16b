import AbacusFormat

/// Proves a plan by replaying it: every byte of the arena knows which byte of which result it holds, and
/// every read must find what it would find if nothing shared memory.
///
/// What kernels read and write, and in which order, is what `AbacusFormat.docc` demands of them (Order of
/// memory accesses).
struct PlanChecker {
  private let planned: PlannedProgram
  private var program: Program { planned.program }
  /// For each step and operand slot, the bytes of its buffer as the step has to find them.
  private let expected: [[Int: TaggedMemory]]
  /// What is left at the end.
  private let final: [Program.BufferIndex: TaggedMemory]
  /// Tag of the first byte that each step writes; what scratch holds has tags of its own.
  private let firstTag: [Int]
  private var arena = TaggedMemory()

  /// - Throws: `PackError` that names the step that reads what is not there any more.
  static func check(_ planned: PlannedProgram) throws {
    var checker = PlanChecker(planned)
    try checker.replay()
  }

  private init(_ planned: PlannedProgram) {
    self.planned = planned
    var reference = Reference(planned)
    reference.execute()
    (expected, final, firstTag) = (reference.expected, reference.memory, reference.firstTag)
  }

  private mutating func replay() throws {
    let separate = planned.separate
    for tensor in program.inputs + program.states {
      guard let offset = planned.offsets[tensor] else { continue }
      arena.write(offset..<offset + program.tensors[tensor].byteCount, tag: Reference.firstTag(ofInput: tensor))
    }
    for stage in Stages(program).ranges {
      for call in program.calls(of: stage) { try execute(call) }
    }
    for tensor in program.outputs + program.states {
      guard let place = separate.location(of: tensor), let memory = final[place.buffer] else { continue }
      try find(tensor, 0..<program.tensors[tensor].byteCount, memory, "the end of the run")
    }
  }

  private mutating func execute(_ call: Call) throws {
    let step = program.steps[call.step]
    moveLines(call)
    if call.units.isEmpty { return }
    let scratch = step.operands.values.filter { if case .scratch = program.tensors[$0].storage { true } else { false } }
    var junk = TaggedMemory()
    for tensor in scratch {
      guard let offset = planned.offsets[tensor] else { continue }
      let range = offset..<offset + program.tensors[tensor].byteCount
      junk.write(range, tag: -1 - range.upperBound)
      arena.write(range, tag: -1 - range.upperBound)
    }
    try checkReads(call, call.units) { _ in true }
    if let sweep = WindowSweep(step, in: program) {
      try writeRows(call, sweep)
    } else {
      try writeAll(call)
    }
    for run in junk.runs where arena.firstDifference(run.start..<run.end, from: junk, distance: 0) != nil {
      throw error(call, "its output lies over its scratch")
    }
  }

  /// As the session moves them before each round.
  private mutating func moveLines(_ call: Call) {
    guard call.round > 0, let output = program.steps[call.step].operands[Operands.output],
      let lines = program.tensors[output].lines, let before = planned.address(of: output, round: call.round - 1),
      let now = planned.address(of: output, round: call.round)
    else { return }
    let (first, end) = (lines.firstRow(inRound: call.round), call.units.lowerBound)
    let rowBytes = program.tensors[output].rowBytes
    if first >= end || now == before { return }
    arena.move(before + first * rowBytes..<before + end * rowBytes, by: now - before)
  }

  // MARK: Writes

  /// Rows of pixels one after the other. While pixels of a row are written, the row before and the pixels
  /// shortly before may still be read.
  private mutating func writeRows(_ call: Call, _ sweep: WindowSweep) throws {
    guard let output = program.steps[call.step].operands[Operands.output] else { return }
    for unit in call.units {
      for pixel in unit * sweep.output.width..<(unit + 1) * sweep.output.width {
        write(output, pixel * sweep.output.channels..<(pixel + 1) * sweep.output.channels, call)
        let behind = pixel - WindowSweep.pixelsBehind
        if behind >= call.units.lowerBound * sweep.output.width {
          try checkRead(call, Operands.input, sweep.bytes(readBy: behind))
        }
      }
      try checkReads(call, max(unit - 1, call.units.lowerBound)..<unit + 1) { $0 == Operands.input }
    }
    if !sweep.keepsChannelsApart(below: distance(call.step)) {
      throw error(call, "it makes one channel after the other, and its pixels do not lie on pixels")
    }
  }

  /// How far the input begins behind the output; nil where they do not overlap.
  private func distance(_ index: Int) -> Int? {
    let step = program.steps[index]
    guard let input = step.operands[Operands.input], let output = step.operands[Operands.output],
      let from = planned.offsets[input], let to = planned.offsets[output], !planned.isBlock.contains(input),
      !planned.isBlock.contains(output), from < to + program.tensors[output].byteCount,
      to < from + program.tensors[input].byteCount
    else { return nil }
    return from - to
  }

  /// Everything that the call writes, in any order. Only an input in whose place the output lies, element
  /// for element, may be gone afterwards.
  private mutating func writeAll(_ call: Call) throws {
    let step = program.steps[call.step]
    guard let output = step.operands[Operands.output] else { return }
    for range in program.written(by: step, call.units) { write(output, range, call) }
    try checkReads(call, call.units) { slot in
      guard step.inPlaceSlots.contains(slot), let input = step.operands[slot], let from = planned.offsets[input],
        let to = planned.offsets[output]
      else { return true }
      // Element after element, what is behind may be overwritten.
      return step.opcode.isElementwise && program.tensors[input].lines == nil ? from < to : from != to
    }
  }

  private mutating func write(_ tensor: Program.TensorIndex, _ range: Range<Int>, _ call: Call) {
    guard let offset = planned.address(of: tensor, round: call.round) else { return }
    arena.write(
      offset + range.lowerBound..<offset + range.upperBound, tag: firstTag[planned.order[call.step]] + range.lowerBound)
  }

  // MARK: Reads

  /// What units read of those operands that are asked for.
  private func checkReads(_ call: Call, _ units: Range<Int>, _ isAsked: (Int) -> Bool) throws {
    let step = program.steps[call.step]
    for (slot, operand) in step.operands where slot != Operands.output && isAsked(slot) {
      guard case .buffer = program.tensors[operand].storage else { continue }
      try checkRead(call, slot, program.read(by: step, slot, units))
    }
  }

  private func checkRead(_ call: Call, _ slot: Int, _ range: Range<Int>) throws {
    guard let operand = program.steps[call.step].operands[slot],
      let memory = expected[planned.order[call.step]][slot]
    else { return }
    try find(operand, range, memory, "\(program.steps[call.step].origin), units \(call.units)", round: call.round)
  }

  /// Throws unless bytes of a tensor are what they have to be.
  private func find(
    _ tensor: Program.TensorIndex, _ range: Range<Int>, _ memory: TaggedMemory, _ reader: String, round: Int = 0
  ) throws {
    guard let address = planned.address(of: tensor, round: round), let place = planned.separate.location(of: tensor)
    else { return }
    let bytes = address + range.lowerBound..<address + range.upperBound
    if let byte = arena.firstDifference(bytes, from: memory, distance: address - place.offset) {
      throw PackError(
        .malformed,
        "internal error: the plan does not hold: \(reader): byte \(byte - address) of "
          + "\"\(program.tensors[tensor].name)\", at \(byte) of the arena, is overwritten before it is read")
    }
  }

  private func error(_ call: Call, _ message: String) -> PackError {
    PackError(.malformed, "internal error: the plan does not hold: \(program.steps[call.step].origin): \(message)")
  }
}

/// The program with every buffer by itself, its steps as they come: what each finds, and leaves.
private struct Reference {
  private let program: Program
  private(set) var memory: [Program.BufferIndex: TaggedMemory] = [:]
  private(set) var expected: [[Int: TaggedMemory]] = []
  private(set) var firstTag: [Int] = []

  /// No tensor is as large as the distance of two first tags.
  static func firstTag(ofInput tensor: Program.TensorIndex) -> Int { tensor << 32 }

  init(_ planned: PlannedProgram) {
    program = planned.separate
    for tensor in program.inputs + program.states {
      guard let (buffer, offset) = program.location(of: tensor) else { continue }
      memory[buffer, default: TaggedMemory()].write(
        offset..<offset + program.tensors[tensor].byteCount, tag: Self.firstTag(ofInput: tensor))
    }
  }

  mutating func execute() {
    for (index, step) in program.steps.enumerated() {
      expected.append(
        step.operands.compactMapValues { program.location(of: $0).flatMap { memory[$0.buffer] ?? TaggedMemory() } })
      firstTag.append((program.tensors.count + index) << 32)
      guard let output = step.operands[Operands.output], let (buffer, offset) = program.location(of: output)
      else { continue }
      for range in program.written(by: step, 0..<step.units) {
        memory[buffer, default: TaggedMemory()].write(
          offset + range.lowerBound..<offset + range.upperBound, tag: firstTag[index] + range.lowerBound)
      }
    }
  }
}
