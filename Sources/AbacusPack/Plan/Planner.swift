/// From a program to its plan: what is kept whole, what exists row by row, and what is made patch by patch.
enum Planner {
  /// Part of all multiply-accumulates that loops may cost where no memory limit asks for more.
  private static let freeShare = 200
  /// Plans with patches that are placed beside the one that is taken, to be told.
  private static let mostTold = 4
  /// Plans that are placed to find the smallest.
  private static let mostPlaced = 6

  /// The plan that is taken, and where patches were looked for, the plans that there are: without patches first, then
  /// with more and more to compute again and less and less memory.
  struct Result {
    var taken: PlannedProgram
    var alternatives: [PlannedProgram] = []
  }

  /// - Throws: `PackError` where no plan keeps the limit; it names the smallest.
  static func plan(_ program: Program, ramLimit: Int? = nil) throws -> Result {
    var ordered = program
    ordered.steps = StepOrder(program).order.map { program.steps[$0] }
    let search = LoopSearch(ordered)
    let result = try ramLimit.map { try fitting(search, $0) } ?? Result(taken: cheap(search, program))
    for planned in [result.taken] + result.alternatives { try PlanChecker.check(planned) }
    return result
  }

  /// The smallest that costs next to nothing.
  private static func cheap(_ search: LoopSearch, _ program: Program) -> PlannedProgram {
    let budget = Int(program.multiplyAccumulates) / freeShare
    let choice = search.thresholds.lazy.compactMap(search.choice).first { $0.cost <= budget }
    return PlannedProgram(choice?.program ?? program)
  }

  /// The cheapest that fits: one that computes nothing twice, if there is one.
  private static func fitting(_ search: LoopSearch, _ limit: Int) throws -> Result {
    let whole = cheapest(search, limit)
    if whole.ramBytes <= limit { return Result(taken: whole) }
    let arenaLimit = limit - whole.stackBytes
    let options = PatchSearch(search, limit: arenaLimit).options(below: whole.plan.arenaBytes)
    var taken: PlannedProgram?
    for option in options.filter({ $0.cost != nil }).sorted(by: { ($0.cost!, $0.bytes) < ($1.cost!, $1.bytes) }) {
      let planned = cheapest(LoopSearch(option.program), limit)
      if planned.ramBytes > limit { continue }
      taken = planned
      break
    }
    let told = smallest(options, below: whole.plan.arenaBytes)
    let alternatives = [whole] + told
    // Placement may need less than was estimated.
    if let taken = taken ?? told.first(where: { $0.ramBytes <= limit }) { return Result(taken: taken, alternatives: alternatives) }
    let smallest = alternatives.map(\.ramBytes).min() ?? whole.ramBytes
    throw PackError(
      .doesNotFit, "arena and stack need \(smallest) bytes of RAM in the smallest plan that was found; \(limit) are allowed")
  }

  /// The cheapest plan of a program that fits, or else the smallest. What placement adds to the most that is alive at
  /// once is not known before, so several are tried.
  private static func cheapest(_ search: LoopSearch, _ limit: Int) -> PlannedProgram {
    let possible = search.thresholds.filter { search.cost(of: 0..<search.program.steps.count, below: $0) != nil }
    for threshold in possible.reversed() where threshold <= limit {
      guard let planned = plan(search, threshold), planned.ramBytes <= limit else { continue }
      return planned
    }
    var smallest = PlannedProgram(search.program)
    for threshold in possible.prefix(mostPlaced) where threshold < smallest.plan.arenaBytes {
      guard let planned = plan(search, threshold), planned.plan.arenaBytes < smallest.plan.arenaBytes else { continue }
      smallest = planned
    }
    return smallest
  }

  private static func plan(_ search: LoopSearch, _ threshold: Int) -> PlannedProgram? {
    search.choice(below: threshold).map { PlannedProgram($0.program) }
  }

  /// Plans of the options with the fewest bytes, each of which needs fewer than all that compute less again.
  private static func smallest(_ options: [PatchSearch.Option], below bytes: Int) -> [PlannedProgram] {
    let fewest = options.indices.sorted { (options[$0].bytes, $0) < (options[$1].bytes, $1) }.prefix(mostTold)
    var (plans, least) = ([PlannedProgram](), bytes)
    for index in fewest.sorted() {
      let planned = cheapest(LoopSearch(options[index].program), 0)
      if planned.plan.arenaBytes >= least { continue }
      least = planned.plan.arenaBytes
      plans.append(planned)
    }
    return plans
  }
}

extension PlannedProgram {
  /// Arena and stack.
  var ramBytes: Int { plan.arenaBytes + stackBytes }
}
