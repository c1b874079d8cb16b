import AbacusFormat

/// Chooses which consecutive steps become loops over rows of images.
///
/// What is alive beside a stage does not depend on the loops elsewhere, so each possible loop is measured
/// by itself, and a sum over the stages finds the cheapest choice below any number of bytes.
struct LoopSearch {
  /// Steps that are one stage, alone or as a loop.
  private struct Candidate {
    let range: Range<Int>
    /// Nil for a step by itself.
    let rowsInRound: Int?
    let bytes: Int
    let cost: Int
  }

  private let program: Program
  /// Candidates by their first step.
  private var candidates: [[Candidate]]

  /// Longest loop, and the rows that its last step may make in a round.
  private static let longest = 10
  private static let rowsInRound = [1, 2, 3, 6]

  /// - Parameter program: in the order in which its steps need the least memory by themselves.
  init(_ program: Program) {
    self.program = program
    let alone = MemoryModel(program).bytesInOrder()
    let stages = Stages(program).ranges
    candidates = program.steps.map { _ in [] }
    for (stage, bytes) in zip(stages, alone) {
      candidates[stage.lowerBound] = [Candidate(range: stage, rowsInRound: nil, bytes: bytes, cost: 0)]
    }
    let most = alone.max() ?? 0
    for (position, stage) in stages.enumerated() where stage.count == 1 {
      for end in stages.indices.dropFirst(position + 1).prefix(Self.longest - 1) {
        guard let loop = WindowLoop(program, stage.lowerBound..<stages[end].upperBound) else { continue }
        // A loop is of use only where memory is short.
        if alone[position...end].allSatisfy({ 2 * $0 < most }) { continue }
        candidates[stage.lowerBound] += Self.rowsInRound.compactMap { measured(loop, rowsInRound: $0) }
      }
    }
  }

  private func measured(_ loop: WindowLoop, rowsInRound: Int) -> Candidate? {
    guard let formed = loop.formed(rowsInRound: rowsInRound, number: 0) else { return nil }
    let model = MemoryModel(formed)
    guard let stage = model.stages.firstIndex(of: loop.range) else { return nil }
    return Candidate(
      range: loop.range, rowsInRound: rowsInRound, bytes: model.bytesInOrder()[stage], cost: LoopCost(formed, loop.range).total)
  }

  // MARK: Choice

  /// Every number of bytes that some choice needs, smallest first.
  var thresholds: [Int] { Set(candidates.joined().map(\.bytes)).sorted() }

  /// The cheapest choice of which no stage needs more bytes: the program, and what its loops cost in
  /// multiply-accumulates. Nil where there is none.
  func choice(below bytes: Int) -> (program: Program, cost: Int)? {
    var best: [(cost: Int, last: Candidate?)?] = program.steps.map { _ in nil } + [nil]
    best[0] = (0, nil)
    for start in candidates.indices {
      guard let before = best[start]?.cost else { continue }
      for candidate in candidates[start] where candidate.bytes <= bytes {
        let cost = before + candidate.cost
        let end = candidate.range.upperBound
        if let known = best[end]?.cost, known <= cost { continue }
        best[end] = (cost, candidate)
      }
    }
    guard let cost = best[program.steps.count]?.cost else { return nil }
    var result = program
    var end = program.steps.count
    while let candidate = best[end]?.last {
      if let rows = candidate.rowsInRound {
        let number = (result.steps.compactMap(\.loop).max() ?? -1) + 1
        result = WindowLoop(result, candidate.range)?.formed(rowsInRound: rows, number: number) ?? result
      }
      end = candidate.range.lowerBound
    }
    return (result, cost)
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
      case .convolution, .codedConvolution:
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
