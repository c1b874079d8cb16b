import AbacusFormat

/// Bytes from the beginning of one block to that of another.
struct Distance: Equatable, Sendable {
  /// The least there may be; itself a multiple.
  let bytes: Int
  /// Greater distances are multiples of this, as long as the blocks overlap.
  let multiple: Int

  /// - Parameter multiple: of the alignment of tensors besides.
  init(atLeast bytes: Int, multipleOf multiple: Int) {
    self.multiple = multiple % 4 == 0 ? multiple : multiple % 2 == 0 ? 2 * multiple : 4 * multiple
    self.bytes = (max(bytes, 0) + self.multiple - 1) / self.multiple * self.multiple
  }

  /// The least that is no smaller than a number.
  func next(_ number: Int) -> Int {
    max(bytes, (number + multiple - 1) / multiple * multiple)
  }

  /// The greatest that is no greater than a number.
  func last(_ number: Int) -> Int? {
    number < bytes ? nil : number / multiple * multiple
  }
}

/// Two things that live at the same time during one stage only: what it reads for the last time, and what
/// it writes. The second may take the memory of the first where it is read already.
struct Overlap<Place: Hashable & Sendable>: Sendable {
  var input: Place
  var output: Place
  /// How far the output begins below the input.
  var below: Distance?
  /// How far it begins above, where the units run in descending order.
  var above: Distance?

  /// Bytes that both need together, at least.
  func span(input: Int, output: Int) -> Int {
    min(
      input + output, below.map { max(output, $0.bytes + input) } ?? .max,
      above.map { max(input, $0.bytes + output) } ?? .max)
  }

  /// The same between other names of the two.
  func between<Other: Hashable & Sendable>(input: Other, output: Other) -> Overlap<Other> {
    Overlap<Other>(input: input, output: output, below: below, above: above)
  }
}

extension Overlap where Place == Program.BufferIndex {
  /// What a stage allows. Whether inputs live on is not asked.
  ///
  /// - Parameter isPossible: false for buffers, input and output, of which it need not be found out.
  static func of(
    _ stage: Range<Int>, in program: Program,
    where isPossible: (Program.BufferIndex, Program.BufferIndex) -> Bool = { _, _ in true }
  ) -> [Overlap] {
    if program.steps[stage.lowerBound].loop == nil {
      return stage.compactMap { Overlap(program.steps[$0], in: program) }
    }
    let isOverImages = stage.contains { WindowSweep(program.steps[$0], in: program) != nil }
    return isOverImages ? LoopAccesses(program, stage).overlaps(where: isPossible) : []
  }

  /// What a single step with a window allows.
  private init?(_ step: Program.Step, in program: Program) {
    guard step.loop == nil, let sweep = WindowSweep(step, in: program),
      let input = step.operands[Operands.input].flatMap(program.location),
      let outputTensor = step.operands[Operands.output], let output = program.location(of: outputTensor),
      input.buffer != output.buffer, input.offset == 0, output.offset == 0,
      alignedSize(program.buffers[output.buffer].bytes) == alignedSize(program.tensors[outputTensor].byteCount)
    else { return nil }
    self.init(
      input: input.buffer, output: output.buffer, below: sweep.distanceBelow,
      above: sweep.unitsDescending(step).map { sweep.distanceAbove(unitsOfCall: $0) })
  }
}

/// When a loop over images reads and writes the tensors that exist as a whole.
private struct LoopAccesses {
  private let program: Program
  private let calls: [Call]
  private let stage: Range<Int>

  init(_ program: Program, _ stage: Range<Int>) {
    self.program = program
    self.stage = stage
    calls = program.calls(of: stage)
  }

  /// Buffers that the loop reads, against those that it writes.
  func overlaps(where isPossible: (Program.BufferIndex, Program.BufferIndex) -> Bool) -> [Overlap<Program.BufferIndex>] {
    let written = Set(stage.compactMap { program.steps[$0].operands[Operands.output] }.compactMap(buffer))
    let read = Set(
      stage.flatMap { program.steps[$0].operands.filter { $0.key != Operands.output }.values }.compactMap(buffer)
    ).subtracting(written)
    return written.sorted().flatMap { output in
      read.sorted().filter { isPossible($0, output) }.compactMap { input in
        guard let bytes = distance(from: output, to: input), let multiple = multiple(from: output, to: input)
        else { return nil }
        return Overlap(input: input, output: output, below: Distance(atLeast: bytes, multipleOf: multiple), above: nil)
      }
    }
  }

  /// What distances are multiples of: of a depthwise convolution's pixels, say, where it makes one of the other. Nil
  /// where the two must not overlap.
  private func multiple(from output: Program.BufferIndex, to input: Program.BufferIndex) -> Int? {
    for index in stage {
      let step = program.steps[index]
      guard step.operands[Operands.input].flatMap(buffer) == input,
        step.operands[Operands.output].flatMap(buffer) == output, let sweep = WindowSweep(step, in: program)
      else { continue }
      return sweep.multipleBelow
    }
    return 1
  }

  /// The buffer that a tensor is all of.
  private func buffer(_ tensor: Program.TensorIndex) -> Program.BufferIndex? {
    guard program.tensors[tensor].lines == nil, let (buffer, offset) = program.location(of: tensor), offset == 0,
      alignedSize(program.buffers[buffer].bytes) == alignedSize(program.tensors[tensor].byteCount)
    else { return nil }
    return buffer
  }

  /// How far the output must begin below the input, so that no call overwrites what it or a later one reads.
  /// An element may be overwritten by what is made of it.
  private func distance(from output: Program.BufferIndex, to input: Program.BufferIndex) -> Int? {
    var (distance, needed) = (0, Int.max)
    for call in calls.reversed() where !call.units.isEmpty {
      let step = program.steps[call.step]
      let slots = step.operands.filter { $0.key != Operands.output && program.location(of: $0.value)?.buffer == input }
      if slots.values.contains(where: { buffer($0) == nil }) { return nil }
      let first = slots.keys.map { program.read(by: step, $0, call.units).lowerBound }.min()
      if step.operands[Operands.output].flatMap(buffer) == output, let range = program.hull(writtenBy: step, call.units) {
        if needed < .max { distance = max(distance, range.upperBound - needed) }
        let isInPlace = step.opcode.isElementwise && slots.keys.allSatisfy(step.inPlaceSlots.contains)
        if let first { distance = max(distance, (isInPlace ? range.lowerBound : range.upperBound) - first) }
      }
      needed = min(needed, first ?? .max)
    }
    return distance
  }
}
