import AbacusFormat

/// Which stages of a program may run patch by patch, in which grids, and what that takes: bytes of the arena against
/// multiply-accumulates that are done more than once.
///
/// Within a patch there may be loops over rows, as elsewhere. The arena of a candidate is an estimate until it is
/// placed; that of one with equal patches is found out once for all of them.
struct PatchSearch {
  /// A stage and its grid.
  struct Candidate {
    let stage: PatchStage
    let grid: PatchGrid
    /// No plan of it needs fewer.
    let boundBytes: Int
    /// Multiply-accumulates that are done more than once, and what copies cost in such.
    let cost: Int
  }

  /// A candidate that has been looked at.
  struct Option {
    let candidate: Candidate
    let program: Program
    /// The fewest bytes that its stages need.
    let bytes: Int
    /// Estimated cost below the limit; nil where that is too low.
    let cost: Int?
  }

  private let search: LoopSearch
  private let limit: Int
  private let beside: (before: [Int], behind: [Int])

  /// Rows and columns of grids.
  private static let counts = [1, 2, 3, 4, 6, 8]
  private static let mostPatches = 24
  /// Candidates that are looked at closely.
  private static let mostOptions = 160
  /// Part of the fewest bytes known by which others may be above them.
  private static let slack = 32
  /// Multiply-accumulates that moving a byte costs as much as.
  private static let copiedByte = 4

  /// - Parameter limit: bytes of the arena that are allowed.
  init(_ search: LoopSearch, limit: Int) {
    self.search = search
    self.limit = limit
    beside = search.leastBytes
  }

  /// Candidates that need fewer bytes than any with fewer multiply-accumulates, or little more, and those within the limit
  /// that may be the cheapest; in the order of what they compute again.
  ///
  /// - Parameter smallest: bytes of the arena without patches.
  func options(below smallest: Int) -> [Option] {
    var options: [Option] = []
    var (fewest, cheapest) = (smallest, Int.max)
    let candidates = candidates(below: smallest)
    let progress = ProgressLine("looking for patches", total: candidates.count)
    for (index, candidate) in candidates.enumerated() where options.count < Self.mostOptions {
      progress.advance(to: index)
      let mayBeCheapest = candidate.boundBytes <= limit && candidate.cost < cheapest
      // Placement adds more to some than to others.
      let enough = min(fewest + fewest / Self.slack, smallest)
      guard candidate.boundBytes < enough || mayBeCheapest, let option = option(candidate) else { continue }
      if option.bytes >= enough && option.cost == nil { continue }
      options.append(option)
      fewest = min(fewest, option.bytes)
      cheapest = min(cheapest, option.cost ?? .max)
    }
    return options
  }

  // MARK: Candidates

  private func candidates(below smallest: Int) -> [Candidate] {
    var result: [Candidate] = []
    for stage in PatchStage.all(in: search.program) {
      let boundary = [stage.input, stage.output].compactMap { search.program.location(of: $0)?.buffer }
      // First and last image are there as a whole.
      let whole = boundary.reduce(search.surroundings.bytes(beside: stage.range)) {
        $0 + alignedSize(search.program.buffers[$1].bytes)
      }
      let bound = max(beside.before[stage.range.lowerBound], beside.behind[stage.range.upperBound])
      if max(bound, whole) >= smallest { continue }
      let shape = search.program.tensors[stage.output].shape
      for rows in Self.counts where rows <= shape[1] {
        for columns in Self.counts where columns <= shape[2] && (2...Self.mostPatches).contains(rows * columns) {
          let grid = PatchGrid(rows: rows, columns: columns)
          guard let (cost, bytes) = measure(stage, grid), max(bound, whole + bytes) < smallest else { continue }
          result.append(Candidate(stage: stage, grid: grid, boundBytes: max(bound, whole + bytes), cost: cost))
        }
      }
    }
    return result.sorted { a, b in (a.cost, a.boundBytes) < (b.cost, b.boundBytes) }
  }

  /// What a stage in patches costs, and the bytes that the largest needs beside the whole images in any plan. Nil where as
  /// much as the whole model would be computed twice.
  private func measure(_ stage: PatchStage, _ grid: PatchGrid) -> (cost: Int, bytes: Int)? {
    let program = search.program
    var (total, cost, bytes) = (0, 0, 0)
    for patch in grid.regions(of: program.tensors[stage.output].shape) {
      guard let regions = stage.regions(for: patch, in: program), let input = regions[stage.input] else { return nil }
      for index in stage.range {
        guard let made = program.steps[index].operands[Operands.output], let region = regions[made] else { return nil }
        let work = Int(program.steps[index].multiplyAccumulates) / Region.whole(program.tensors[made].shape).pixels
        total += work * region.pixels
        cost += callCost(index, regions)
        bytes = max(bytes, fewestBytes(index, stage, regions))
      }
      if grid.columns > 1 {
        let copied =
          input.pixels * program.tensors[stage.input].shape[3] + patch.pixels * program.tensors[stage.output].shape[3]
        cost += Self.copiedByte * copied
      }
    }
    for index in stage.range {
      total -= Int(program.steps[index].multiplyAccumulates)
      cost -= callCost(index, [:])
    }
    if total > Int(program.multiplyAccumulates) { return nil }
    return (max(total + cost, 0), bytes)
  }

  /// Of a step, what a call costs besides its work; for all of its images where there are no regions.
  private func callCost(_ index: Int, _ regions: [Program.TensorIndex: Region]) -> Int {
    let step = search.program.steps[index]
    func region(_ slot: Int) -> (Region, channels: Int)? {
      guard let tensor = step.operands[slot] else { return nil }
      let shape = search.program.tensors[tensor].shape
      return (regions[tensor] ?? Region.whole(shape), shape[3])
    }
    guard let (made, channels) = region(Operands.output), let (read, depth) = region(Operands.input) else { return 0 }
    let whole = Region.whole(search.program.tensors[step.operands[Operands.output]!].shape)
    return LoopCost.ofCall(
      step.opcode, multiplyAccumulates: Int(step.multiplyAccumulates) / whole.pixels * made.pixels, height: made.rows.count,
      width: made.columns.count, channels: channels, inputBytes: read.pixels * depth)
  }

  /// A step needs what a window reaches of its input, a row of its output and its scratch, whatever the plan.
  private func fewestBytes(
    _ index: Int, _ stage: PatchStage, _ regions: [Program.TensorIndex: Region]
  ) -> Int {
    let program = search.program
    let step = program.steps[index]
    func rows(_ tensor: Program.TensorIndex?, _ count: Int) -> Int {
      guard let tensor, tensor != stage.input, tensor != stage.output, let region = regions[tensor] else { return 0 }
      return min(count, region.rows.count) * region.columns.count * program.tensors[tensor].shape[3]
    }
    let reach = WindowSweep(step, in: program).map { Int(($0.window.height - 1) * $0.window.dilationHeight) + 1 }
    var bytes = rows(step.operands[Operands.input], reach ?? 1) + rows(step.operands[Operands.output], 1)
    if step.opcode == .convolution, let scratch = step.operands[Operands.scratch] {
      bytes += program.tensors[scratch].byteCount
    }
    return bytes
  }

  // MARK: Options

  private func option(_ candidate: Candidate) -> Option? {
    guard let program = PatchRewriting.rewritten(search.program, candidate.stage, candidate.grid) else { return nil }
    let surroundings = Surroundings(program)
    var known: [[[Int]]: (bytes: Int, cost: Int?)] = [:]
    var bytes = candidate.boundBytes
    var cost: Int? = candidate.cost
    for range in patches(of: program) {
      let shapes = range.flatMap { program.steps[$0].operands.sorted { $0.key < $1.key }.map { program.tensors[$0.value].shape } }
      if known[shapes] == nil {
        let patch = surroundings.isolated(range, of: program).compacted
        let beside = surroundings.bytes(beside: range)
        let least = LoopSearch(patch, isForSmallest: true).leastBytes.before[range.count] + beside
        let cost = least <= limit ? LoopSearch(patch).cost(of: 0..<range.count, below: limit - beside) : nil
        known[shapes] = (least, cost)
      }
      bytes = max(bytes, known[shapes]?.bytes ?? .max)
      cost = sum(cost, known[shapes]?.cost)
    }
    cost = sum(cost, search.cost(of: 0..<candidate.stage.range.lowerBound, below: limit))
    cost = sum(cost, search.cost(of: candidate.stage.range.upperBound..<search.program.steps.count, below: limit))
    return Option(candidate: candidate, program: program, bytes: bytes, cost: cost)
  }

  private func sum(_ a: Int?, _ b: Int?) -> Int? {
    guard let a, let b else { return nil }
    return a + b
  }

  /// Steps of each patch.
  private func patches(of program: Program) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    for index in program.steps.indices where program.steps[index].patch != nil {
      if let last = ranges.last, program.steps[index].patch == program.steps[last.lowerBound].patch {
        ranges[ranges.count - 1] = last.lowerBound..<index + 1
      } else {
        ranges.append(index..<index + 1)
      }
    }
    return ranges
  }
}
