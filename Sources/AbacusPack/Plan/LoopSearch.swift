import AbacusFormat

/// Chooses which consecutive steps become loops over rows of images, and which do without the scratch that makes them fast.
///
/// What is alive beside a stage does not depend on the loops elsewhere, so each possible loop is measured
/// by itself, and a sum over the stages finds the cheapest choice below any number of bytes.
struct LoopSearch {
  /// Steps that are one stage, alone or as a loop.
  private struct Candidate {
    let range: Range<Int>
    /// Nil for a step by itself.
    let rowsInRound: Int?
    /// Steps do without the scratch that they only need to be fast.
    var dropsScratch = false
    let bytes: Int
    let cost: Int
  }

  let program: Program
  let surroundings: Surroundings
  /// Candidates by their first step.
  private var candidates: [[Candidate]]

  /// Longest loop, and the rows that its last step may make in a round.
  private static let longest = 16
  private static let rowsInRound = [1, 2, 3, 6]

  /// - Parameters:
  ///   - program: in the order in which its steps need the least memory by themselves.
  ///   - isForSmallest: only loops of single rows, which need the least memory.
  init(_ program: Program, isForSmallest: Bool = false) {
    self.program = program
    surroundings = Surroundings(program)
    let alone = MemoryModel(program).bytesInOrder()
    let stages = Stages(program).ranges
    candidates = program.steps.map { _ in [] }
    for (stage, bytes) in zip(stages, alone) {
      candidates[stage.lowerBound] = [Candidate(range: stage, rowsInRound: nil, bytes: bytes, cost: 0)]
    }
    for index in stages.map(\.lowerBound) {
      if let slow = withoutScratch(index) { candidates[index].append(slow) }
    }
    let most = alone.max() ?? 0
    for (position, stage) in stages.enumerated() where stage.count == 1 {
      for end in stages.indices.dropFirst(position + 1).prefix(Self.longest - 1) {
        guard let loop = WindowLoop(program, stage.lowerBound..<stages[end].upperBound) else { continue }
        // A loop is of use only where memory is short.
        if alone[position...end].allSatisfy({ 2 * $0 < most }) { continue }
        candidates[stage.lowerBound] += Self.rowsInRound.prefix(isForSmallest ? 1 : Self.rowsInRound.count).compactMap { measured(loop, rowsInRound: $0) }
      }
    }
  }

  /// A step that is no loop without the scratch in which it widens rows.
  private func withoutScratch(_ index: Int) -> Candidate? {
    guard program.steps[index].loop == nil, program.steps[index].mayDropScratch(in: program) else { return nil }
    var slow = program
    slow.dropScratch(of: index)
    let bytes = MemoryModel(surroundings.isolated(index..<index + 1, of: slow)).bytesInOrder()[0]
    return Candidate(
      range: index..<index + 1, rowsInRound: nil, dropsScratch: true, bytes: surroundings.bytes(beside: index..<index + 1) + bytes,
      cost: LoopCost.withoutScratch(program.steps[index]))
  }

  private func measured(_ loop: WindowLoop, rowsInRound: Int) -> Candidate? {
    guard let formed = loop.formed(rowsInRound: rowsInRound, number: 0) else { return nil }
    let bytes = MemoryModel(surroundings.isolated(loop.range, of: formed)).bytesInOrder()[0]
    return Candidate(
      range: loop.range, rowsInRound: rowsInRound, bytes: surroundings.bytes(beside: loop.range) + bytes,
      cost: LoopCost(formed, loop.range).total)
  }

  // MARK: Choice

  /// Every number of bytes that some choice needs, smallest first.
  var thresholds: [Int] { Set(candidates.joined().map(\.bytes)).sorted() }

  /// The fewest bytes with which some choice gets from the first step to each, and from each to the last.
  var leastBytes: (before: [Int], behind: [Int]) {
    var before = [0] + program.steps.map { _ in Int.max }
    var behind = program.steps.map { _ in Int.max } + [0]
    for candidate in candidates.joined() where before[candidate.range.lowerBound] < .max {
      let (start, end) = (candidate.range.lowerBound, candidate.range.upperBound)
      before[end] = min(before[end], max(before[start], candidate.bytes))
    }
    for candidate in candidates.joined().reversed() where behind[candidate.range.upperBound] < .max {
      let (start, end) = (candidate.range.lowerBound, candidate.range.upperBound)
      behind[start] = min(behind[start], max(behind[end], candidate.bytes))
    }
    return (before, behind)
  }

  /// The cheapest choice of which no stage needs more bytes: the program, and what its loops cost in
  /// multiply-accumulates. Nil where there is none.
  func choice(below bytes: Int) -> (program: Program, cost: Int)? {
    guard let (chosen, cost) = cheapest(0..<program.steps.count, below: bytes) else { return nil }
    var result = program
    for candidate in chosen {
      if candidate.dropsScratch { result.dropScratch(of: candidate.range.lowerBound) }
      guard let rows = candidate.rowsInRound else { continue }
      let number = (result.steps.compactMap(\.loop).max() ?? -1) + 1
      result = WindowLoop(result, candidate.range)?.formed(rowsInRound: rows, number: number) ?? result
    }
    return (result, cost)
  }

  /// What the loops of some steps cost at least where none of their stages needs more bytes; nil where that cannot be.
  func cost(of range: Range<Int>, below bytes: Int) -> Int? { cheapest(range, below: bytes)?.cost }

  /// The cheapest candidates one after the other that are all of some steps, the last first.
  private func cheapest(_ range: Range<Int>, below bytes: Int) -> (chosen: [Candidate], cost: Int)? {
    var best: [Int: (cost: Int, last: Candidate?)] = [range.lowerBound: (0, nil)]
    for start in range {
      guard let before = best[start]?.cost else { continue }
      for candidate in candidates[start] where candidate.bytes <= bytes && candidate.range.upperBound <= range.upperBound {
        let cost = before + candidate.cost
        let end = candidate.range.upperBound
        if let known = best[end]?.cost, known <= cost { continue }
        best[end] = (cost, candidate)
      }
    }
    guard let cost = best[range.upperBound]?.cost else { return nil }
    var chosen: [Candidate] = []
    while let candidate = best[chosen.last?.range.lowerBound ?? range.upperBound]?.last { chosen.append(candidate) }
    return (chosen, cost)
  }
}

/// What a loop over rows costs beside the same steps one after the other, in multiply-accumulates. An
/// estimate: loops are compared with it, nothing is measured.
struct LoopCost {
  private(set) var total = 0

  private static let call = 500
  /// Pixels that kernels take at once: a common multiple of 2, 3 and 4.
  private static let pixels = 12
  /// Of a line of a depthwise convolution, whatever its length, and of the weights of one channel.
  private static let line = 40

  /// What a step costs more whose rows are not widened first: so many instructions a product.
  static func withoutScratch(_ step: Program.Step) -> Int { 7 * Int(step.multiplyAccumulates) }

  /// What a convolution or pool of such extents costs besides its work, if a single call makes it.
  static func ofCall(
    _ opcode: Opcode, multiplyAccumulates: Int, height: Int, width: Int, channels: Int, inputBytes: Int
  ) -> Int {
    switch opcode {
    case .convolution:
      let padded = (height * width + pixels - 1) / pixels * pixels
      return call + multiplyAccumulates * (padded - height * width) / (height * width)
    case .depthwiseConvolution: return call + 2 * inputBytes + line * channels * (min(height, width) + 1)
    default: return call
    }
  }

  init(_ program: Program, _ range: Range<Int>) {
    let rounds = program.steps[range.upperBound - 1].rounds
    for index in range {
      let step = program.steps[index]
      total += rounds * Self.call
      if let output = step.operands[Operands.output], let lines = program.tensors[output].lines {
        total += rounds * (lines.behind - step.delay) * program.tensors[output].rowBytes
      }
      guard let sweep = WindowSweep(step, in: program) else { continue }
      switch step.opcode {
      case .convolution:
        let width = step.unitsInLoop * sweep.output.width
        let padded = (width + Self.pixels - 1) / Self.pixels * Self.pixels
        total += Int(step.multiplyAccumulates) * (padded - width) / width
      case .depthwiseConvolution:
        // Rows that are gathered anew in each round, and more, shorter lines.
        let calls = (step.units - 1) / step.unitsInLoop + 1
        let lines = min(step.unitsInLoop, sweep.output.width) + 1
        let whole = min(step.units, sweep.output.width) + 1
        total += 2 * calls * sweep.input.rowBytes + Self.line * sweep.output.channels * (calls * lines - whole)
      default: break
      }
    }
  }
}

extension Program {
  fileprivate mutating func dropScratch(of step: Int) {
    guard let scratch = steps[step].operands.removeValue(forKey: Operands.scratch) else { return }
    steps[step].droppedScratch = tensors[scratch].byteCount
  }
}

extension Program.Step {
  /// Scratch only makes it faster: rows of a dense layer or of a convolution of single pixels, widened for weights in pairs.
  fileprivate func mayDropScratch(in program: Program) -> Bool {
    guard operands[Operands.scratch] != nil, let weights = operands[Operands.weights],
      program.tensors[weights].layout == .paired
    else { return false }
    if opcode == .fullyConnected { return true }
    return opcode == .convolution && WindowSweep(self, in: program)?.isPointwise == true
  }
}
