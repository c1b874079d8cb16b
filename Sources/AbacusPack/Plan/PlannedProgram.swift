import AbacusFormat

/// A program in its final order with every run-time tensor at its place.
public struct PlannedProgram {
  public internal(set) var program: Program
  public let plan: ArenaPlan
  /// True where no order of the steps and no placement needs a smaller arena.
  public let isOptimal: Bool
  /// No order of the steps needs less; 0 where not all orders are known.
  public let lowerBound: Int
  public let inPlaceSteps: Int
  /// Steps, and loops of steps, whose output lies over parts of their input.
  let overlapping: [(stage: Range<Int>, overlap: Overlap<Int>)]
  /// Upper bound for the stack of open, run and step, in bytes.
  public var stackBytes: Int { Int(Limits.stackBytes) }
  /// The program before memory was shared, and the step of it that each step was.
  let separate: Program
  var order: [Int]
  /// Offset in the arena of each run-time tensor, scratch included.
  var offsets: [Program.TensorIndex: Int]
  /// Tensors of which only the block exists that a loop is at.
  let isBlock: Set<Program.TensorIndex>

  /// Orders the steps, shares memory in place, places what remains.
  init(_ lowered: Program) {
    let search = StepOrder(lowered)
    separate = lowered
    order = search.order
    var program = lowered
    program.steps = order.map { lowered.steps[$0] }
    inPlaceSteps = program.mergeInPlace()

    let lifetimes = Lifetimes(program)
    let blockBytes = lifetimes.stages.blockBytes
    let sizes = lifetimes.sizes.merging(blockBytes.mapValues(alignedSize)) { $1 }
    let intervals = lifetimes.intervals(of: program)
    var blocks: [ArenaPlan.Block] = []
    var blockOfBuffer: [Program.BufferIndex: Int] = [:]
    var blockOfScratch: [Program.TensorIndex: Int] = [:]
    for (buffer, bytes) in sizes.sorted(by: { $0.key < $1.key }) {
      blockOfBuffer[buffer] = blocks.count
      blocks.append(
        ArenaPlan.Block(
          name: PlannedProgram.name(of: buffer, in: program), bytes: bytes,
          live: intervals[buffer] ?? 0...0))
    }
    for (index, step) in program.steps.enumerated() {
      for operand in step.operands.values.sorted() {
        guard case .scratch = program.tensors[operand].storage else { continue }
        blockOfScratch[operand] = blocks.count
        blocks.append(
          ArenaPlan.Block(
            name: program.tensors[operand].name, bytes: alignedSize(program.tensors[operand].byteCount),
            live: index...index))
      }
    }
    let overlaps = lifetimes.stages.ranges.flatMap { stage in
      Overlap.of(stage, in: program).compactMap { overlap -> (stage: Range<Int>, overlap: Overlap<Int>)? in
        guard let input = blockOfBuffer[overlap.input], let output = blockOfBuffer[overlap.output],
          blocks[input].live.upperBound == stage.upperBound - 1, blocks[output].live.lowerBound == stage.lowerBound,
          !lifetimes.leaving.contains(overlap.input), !lifetimes.entering.contains(overlap.output)
        else { return nil }
        return (stage, overlap.between(input: input, output: output))
      }
    }
    let plan = ArenaPlan(blocks, overlaps: overlaps.map(\.overlap))
    self.plan = plan
    overlapping = overlaps.filter { plan.overlaps($0.overlap) }
    for (stage, overlap) in overlapping where plan.isAbove(overlap) {
      let step = program.steps[stage.lowerBound]
      program.steps[stage.lowerBound].unitsDescending = WindowSweep(step, in: program)?.unitsDescending(step)
    }
    lowerBound = search.isOptimal ? search.peak : 0
    isOptimal = search.isOptimal && plan.arenaBytes <= search.peak
    self.program = program
    var offsets: [Program.TensorIndex: Int] = [:]
    for index in program.tensors.indices {
      if let block = blockOfScratch[index] {
        offsets[index] = plan.blocks[block].offset
      } else if let (buffer, offset) = program.location(of: index), let block = blockOfBuffer[buffer] {
        offsets[index] = plan.blocks[block].offset + offset
      }
    }
    self.offsets = offsets
    isBlock = Set(
      program.tensors.indices.filter { program.location(of: $0).map { blockBytes[$0.buffer] != nil } ?? false })
  }

  /// Where byte 0 of a tensor is, or would be if all of it existed.
  func address(of tensor: Program.TensorIndex, round: Int) -> Int? {
    guard let offset = offsets[tensor] else { return nil }
    if let lines = program.tensors[tensor].lines {
      return offset - lines.firstRow(inRound: round) * program.tensors[tensor].rowBytes
    }
    guard isBlock.contains(tensor), let step = program.steps.first(where: { $0.operands.values.contains(tensor) })
    else { return offset }
    return offset - step.units(inRound: round).lowerBound * (program.tensors[tensor].byteCount / step.units)
  }

  /// The largest tensor in a buffer gives it its name.
  private static func name(of buffer: Program.BufferIndex, in program: Program) -> String {
    program.tensors.indices.filter { program.location(of: $0)?.buffer == buffer }
      .max { program.tensors[$0].byteCount < program.tensors[$1].byteCount }
      .map { program.tensors[$0].name } ?? "buffer \(buffer)"
  }
}
