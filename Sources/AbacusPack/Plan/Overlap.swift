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
  /// What a stage of one step with a window allows. Whether the input lives on is not asked.
  init?(_ step: Program.Step, in program: Program) {
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
