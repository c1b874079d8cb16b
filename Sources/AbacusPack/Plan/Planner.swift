/// From a program to its plan: what is kept whole, and what exists row by row.
enum Planner {
  /// Part of all multiply-accumulates that loops may cost where no memory limit asks for more.
  private static let freeShare = 200

  /// - Throws: `PackError` where no plan keeps the limit; it names the smallest.
  static func plan(_ program: Program, ramLimit: Int? = nil) throws -> PlannedProgram {
    var ordered = program
    ordered.steps = StepOrder(program).order.map { program.steps[$0] }
    let search = LoopSearch(ordered)
    let planned = try ramLimit.map { try fitting(search, $0) } ?? cheap(search, program)
    try PlanChecker.check(planned)
    return planned
  }

  /// The smallest that costs next to nothing.
  private static func cheap(_ search: LoopSearch, _ program: Program) -> PlannedProgram {
    let budget = Int(program.multiplyAccumulates) / freeShare
    let choice = search.thresholds.lazy.compactMap(search.choice).first { $0.cost <= budget }
    return PlannedProgram(choice?.program ?? program)
  }

  /// The cheapest that fits. What placement adds to the most that is alive at once is not known before, so
  /// several are tried.
  private static func fitting(_ search: LoopSearch, _ limit: Int) throws -> PlannedProgram {
    var smallest = Int.max
    let possible = search.thresholds.filter { search.choice(below: $0) != nil }
    for threshold in possible.reversed() where threshold <= limit || threshold == possible.first {
      guard let choice = search.choice(below: threshold) else { continue }
      let planned = PlannedProgram(choice.program)
      let bytes = planned.plan.arenaBytes + planned.stackBytes
      if bytes <= limit { return planned }
      smallest = min(smallest, bytes)
    }
    throw PackError(
      .doesNotFit, "arena and stack need at least \(smallest) bytes of RAM, in the smallest plan; \(limit) are allowed")
  }
}
