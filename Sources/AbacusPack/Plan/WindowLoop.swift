import AbacusFormat

/// Consecutive steps over images of one model run that become a loop over their rows, so that the images
/// between them exist as a few lines only.
///
/// In each round the last step makes some rows. Every other step makes, in the same round, as many rows as
/// keep it as far ahead as the windows of the steps after it reach.
struct WindowLoop {
  /// How a step goes over the rows of an image that it reads: `stride` further with each of its own rows,
  /// `reach` at a time, from `padding` before the first on.
  private struct Rows {
    var stride = 1
    var padding = 0
    var reach = 1
  }

  /// A step of the loop that reads what another one makes.
  private struct Reader {
    let step: Int
    let rows: Rows
  }

  private let program: Program
  let range: Range<Int>
  private let readers: [Int: [Reader]]

  /// Nil where steps are among them that do not go over rows of images, or whose rows do not go together.
  init?(_ program: Program, _ range: Range<Int>) {
    self.program = program
    self.range = range
    var readers: [Int: [Reader]] = [:]
    var makers: [Program.TensorIndex: Int] = [:]
    for index in range {
      guard program.steps[index].loop == nil, let output = Self.output(program.steps[index], in: program) else { return nil }
      for (slot, operand) in program.steps[index].operands {
        guard let maker = makers[operand], slot != Operands.output,
          let rows = Self.rows(program.steps[index], slot, in: program)
        else { continue }
        if let copy = RowCopy(program.steps[index], in: program), !copy.source.isWholeHeight { return nil }
        readers[maker, default: []].append(Reader(step: index, rows: rows))
      }
      makers[output] = index
    }
    self.readers = readers
    // Only the last step's rows leave the loop without being read in it.
    if range.dropLast().contains(where: { readers[$0] == nil }) { return nil }
  }

  /// The image that a step makes row by row.
  private static func output(_ step: Program.Step, in program: Program) -> Program.TensorIndex? {
    guard let output = step.operands[Operands.output], case .buffer = program.tensors[output].storage else { return nil }
    let tensor = program.tensors[output]
    guard tensor.shape.count == 4, tensor.shape[0] == 1, tensor.shape[1] > 1, tensor.type == .int8 else { return nil }
    if WindowSweep(step, in: program) != nil || RowCopy(step, in: program) != nil { return output }
    return isElementwise(step, in: program) ? output : nil
  }

  /// Every operand in the arena has the shape of the output.
  static func isElementwise(_ step: Program.Step, in program: Program) -> Bool {
    guard step.opcode.isElementwise else { return false }
    let shape = step.operands[Operands.output].map { program.tensors[$0].shape }
    return [Operands.input, Operands.second].compactMap { step.operands[$0] }.allSatisfy { operand in
      guard case .buffer = program.tensors[operand].storage else { return false }
      return program.tensors[operand].shape == shape && program.tensors[operand].type == .int8
    }
  }

  private static func rows(_ step: Program.Step, _ slot: Int, in program: Program) -> Rows? {
    guard let sweep = WindowSweep(step, in: program) else { return Rows() }
    if slot != Operands.input { return nil }
    return Rows(
      stride: Int(sweep.window.strideHeight), padding: Int(sweep.window.padTop),
      reach: (Int(sweep.window.height) - 1) * Int(sweep.window.dilationHeight) + 1)
  }

  // MARK: Forming

  /// The program with the loop, in which the last step makes so many rows in a round. Nil where that does not work
  /// out.
  func formed(rowsInRound: Int, number: Int) -> Program? {
    guard let pace = pace(rowsInRound: rowsInRound) else { return nil }
    var result = program
    // How many rounds the step that is furthest ahead begins before the last.
    let start = range.map { (pace[$0]!.lead + pace[$0]!.units - 1) / pace[$0]!.units }.max() ?? 0
    for index in range {
      let (units, lead) = pace[index]!
      result.steps[index].loop = number
      result.steps[index].unitsInLoop = units
      result.steps[index].delay = start * units - lead
      guard result.steps[index].delay <= Limits.maximumDelay else { return nil }
      result.steps[index].takeRows(of: result)
    }
    for index in range.dropLast() {
      let output = program.steps[index].operands[Operands.output]!
      if isInternal(output) {
        result.tensors[output].lines = lines(index, in: result)
      } else if result.steps[range.upperBound - 1].rounds < result.steps[index].rounds {
        return nil
      }
    }
    return result
  }

  /// Units of each step in a round, and how many rows it is ahead.
  private func pace(rowsInRound: Int) -> [Int: (units: Int, lead: Int)]? {
    var pace = [range.upperBound - 1: (units: rowsInRound, lead: 0)]
    for index in range.dropLast().reversed() {
      for reader in readers[index] ?? [] {
        guard let (units, lead) = pace[reader.step] else { return nil }
        let mine = (
          units: units * reader.rows.stride,
          lead: max((lead - 1) * reader.rows.stride - reader.rows.padding + reader.rows.reach, 0)
        )
        if let known = pace[index], known.units != mine.units { return nil }
        pace[index] = (mine.units, max(mine.lead, pace[index]?.lead ?? 0))
      }
      if let units = pace[index]?.units, units > Int(UInt8.max) { return nil }
    }
    return pace
  }

  /// Only steps of the loop look at the tensor, and all at the whole of it.
  private func isInternal(_ tensor: Program.TensorIndex) -> Bool {
    guard let (buffer, offset) = program.location(of: tensor), offset == 0,
      program.buffers[buffer].bytes == program.tensors[tensor].byteCount
    else { return false }
    func isPart(_ other: Program.TensorIndex) -> Bool { program.location(of: other)?.buffer == buffer }
    if (program.inputs + program.outputs + program.states).contains(where: isPart) { return false }
    return program.steps.indices.allSatisfy { index in
      program.steps[index].operands.values.allSatisfy { !isPart($0) || ($0 == tensor && range.contains(index)) }
    }
  }

  /// The rows that must exist of what a step makes; nil where that is all of them.
  private func lines(_ index: Int, in program: Program) -> Program.Lines? {
    let (step, output) = (program.steps[index], program.steps[index].operands[Operands.output]!)
    let users = [Reader(step: index, rows: Rows())] + (readers[index] ?? [])
    let behind = users.map { program.steps[$0.step].delay * $0.rows.stride + $0.rows.padding }
    let ahead = users.map { (program.steps[$0.step].unitsInLoop - 1) * $0.rows.stride + $0.rows.reach }
    let most = behind.max() ?? 0
    let count = zip(behind, ahead).map { most - $0 + $1 }.max() ?? 0
    if count >= program.tensors[output].shape[1] || most > Int(UInt16.max) - 1 { return nil }
    return Program.Lines(rowsPerRound: step.unitsInLoop, behind: most, count: count)
  }
}

extension Program.Step {
  /// A unit becomes a row of the output's image.
  fileprivate mutating func takeRows(of program: Program) {
    guard WindowSweep(self, in: program) == nil, opcode != .copy, let output = operands[Operands.output] else { return }
    let tensor = program.tensors[output]
    units = tensor.shape[1]
    rowSlots = Set(operands.keys.filter { $0 <= Operands.second })
    if opcode != .table { setRows(units, of: tensor.rowBytes) }
  }

  /// Lets an operator with two inputs of the output's shape go over rows of so many elements.
  mutating func setRows(_ rows: Int, of elements: Int) {
    var parameters = self.parameters(BinaryParameters.self)
    parameters.setLoops(
      LoopNest(
        extents: [1, 1, 1, 1, rows, elements], strides: [[0, 0, 0, 0, elements, 1], [0, 0, 0, 0, elements, 1]]))
    self.parameters = littleEndianBytes(parameters)
  }
}
