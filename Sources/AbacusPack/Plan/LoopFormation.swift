import AbacusFormat

/// Gathers steps that work row by row into loops, so that what passes between them need not exist as
/// a whole.
///
/// Steps with equally many units belong together where each reads of the other only the share of its
/// own unit. A step that reads all of a tensor (attention, of its keys and values) must come after
/// the whole of it: such an edge separates two *levels*. Steps of one level and one number of units
/// become a loop. Where it saves memory, a step moves to the level of those that use its result, and a
/// cheap step whose result is used on several levels is computed on each.
struct LoopFormation {
  private var program: Program
  private var dependencies: [[Int]]
  private var consumers: [[Int]] = []
  private var levels: [Int]

  /// - Parameter unitsInLoop: how many units pass through a loop at a time.
  static func form(_ program: Program, unitsInLoop: Int) -> Program {
    var formation = LoopFormation(program)
    guard formation.program.steps.contains(where: { $0.isRowWise }) else { return program }
    formation.assignLevels()
    formation.delayLevels()
    formation.repeatCheapSteps()
    return formation.sorted(unitsInLoop: unitsInLoop) ?? program
  }

  private init(_ program: Program) {
    self.program = program
    dependencies = Lifetimes.dependencies(of: program)
    levels = program.steps.map { _ in 0 }
    adoptUnits()
    consumers = Self.consumers(dependencies)
  }

  private static func consumers(_ dependencies: [[Int]]) -> [[Int]] {
    var result = dependencies.map { _ in [Int]() }
    for (step, needs) in dependencies.enumerated() {
      for need in needs { result[need].append(step) }
    }
    return result
  }

  /// Steps that take any number of units take that of the rows that they read or give.
  private mutating func adoptUnits() {
    func adopt(_ step: Int, from other: Int) {
      let units = program.steps[other].units
      guard program.steps[step].takesAnyUnits, program.steps[step].units == 1, units > 1,
        let output = program.steps[step].operands[Operands.output], program.tensors[output].elementCount % units == 0
      else { return }
      program.steps[step].units = units
    }
    for step in program.steps.indices {
      for need in dependencies[step] { adopt(step, from: need) }
    }
    for step in program.steps.indices.reversed() {
      for need in dependencies[step] { adopt(need, from: step) }
    }
  }

  // MARK: Edges

  /// `step` reads of what `source` writes only the shares of its own units.
  private func isRowEdge(_ source: Int, _ step: Int) -> Bool {
    let (first, second) = (program.steps[source], program.steps[step])
    guard first.isRowWise, second.isRowWise, first.units == second.units,
      let output = first.operands[Operands.output], let written = program.location(of: output)
    else { return false }
    return second.operands.allSatisfy { slot, operand in
      guard let read = program.location(of: operand), read.buffer == written.buffer else { return true }
      return second.rowSlots.contains(slot) && read.offset == written.offset
        && program.tensors[operand].byteCount == program.tensors[output].byteCount
    }
  }

  /// `step` reads all of what a step with rows writes.
  private func readsWhole(_ step: Int) -> Bool {
    program.steps[step].isRowWise
      && dependencies[step].contains { program.steps[$0].isRowWise && !isRowEdge($0, step) }
  }

  /// What `step` writes are keys or values, say: a step that works row by row, be it for a single row,
  /// reads all of them.
  private func isReadWhole(_ step: Int) -> Bool {
    guard let output = program.steps[step].operands[Operands.output], let written = program.location(of: output)
    else { return false }
    return consumers[step].contains { index in
      let consumer = program.steps[index]
      return consumer.rowSlots.contains(Operands.output)
        && consumer.operands.contains { slot, operand in
          !consumer.rowSlots.contains(slot) && program.location(of: operand)?.buffer == written.buffer
        }
    }
  }

  // MARK: Levels

  /// As early as possible; but what is read as a whole begins a new level behind an attention, so that
  /// the keys and values of one block of a network are not alive together with those of the next.
  private mutating func assignLevels() {
    var isBehindWhole = program.steps.map { _ in false }
    for step in program.steps.indices {
      let isRowWise = program.steps[step].isRowWise
      for need in dependencies[step] {
        let sameLevel = program.steps[need].isRowWise ? isRowWise && isRowEdge(need, step) : true
        levels[step] = max(levels[step], levels[need] + (sameLevel ? 0 : 1))
      }
      guard isRowWise else { continue }
      isBehindWhole[step] =
        readsWhole(step)
        || dependencies[step].contains { levels[$0] == levels[step] && isBehindWhole[$0] && isRowEdge($0, step) }
      if isReadWhole(step) && isBehindWhole[step] && !readsWhole(step) {
        levels[step] += 1
        isBehindWhole[step] = false
      }
    }
  }

  /// Moves steps to the level of those that use their result.
  private mutating func delayLevels() {
    for step in program.steps.indices.reversed() {
      guard let target = consumers[step].map({ levels[$0] }).min(), target > levels[step],
        canMove(step, to: target)
      else { continue }
      levels[step] = target
      moveSources(of: step, to: target)
    }
  }

  private func canMove(_ step: Int, to target: Int) -> Bool {
    let level = levels[step]
    return program.steps[step].isRowWise && !isReadWhole(step)
      && consumers[step].allSatisfy { isRowEdge(step, $0) && (levels[$0] >= target || levels[$0] == level) }
      && dependencies[step].allSatisfy { need in
        levels[need] < level || program.steps[need].isCheap
          || (isRowEdge(need, step) && consumers[need].allSatisfy { $0 == step || levels[$0] >= target }
            && canMove(need, to: target))
      }
  }

  private mutating func moveSources(of step: Int, to target: Int) {
    for need in dependencies[step] where levels[need] < target && !program.steps[need].isCheap {
      if consumers[need].allSatisfy({ levels[$0] >= target }) && canMove(need, to: target) {
        levels[need] = target
        moveSources(of: need, to: target)
      }
    }
  }

  /// A cheap step whose result is used on later levels is computed there once more.
  private mutating func repeatCheapSteps() {
    for step in program.steps.indices.reversed() where program.steps[step].isCheap && program.steps[step].isRowWise {
      guard consumers[step].allSatisfy({ isRowEdge(step, $0) }) else { continue }
      let used = Set(consumers[step].map { levels[$0] }).sorted()
      guard let first = used.first else { continue }
      levels[step] = first
      for level in used.dropFirst() { repeatStep(step, on: level) }
    }
  }

  private mutating func repeatStep(_ step: Int, on level: Int) {
    guard let output = program.steps[step].operands[Operands.output], let old = program.location(of: output) else { return }
    var tensor = program.tensors[output]
    tensor.storage = .buffer(program.addBuffer(bytes: tensor.byteCount), offset: 0)
    let copy = program.addTensor(tensor)
    var again = program.steps[step]
    again.operands[Operands.output] = copy
    let index = program.steps.count
    program.steps.append(again)
    levels.append(level)
    dependencies.append(dependencies[step])
    consumers.append([])
    for consumer in consumers[step] where levels[consumer] == level {
      for (slot, operand) in program.steps[consumer].operands where program.location(of: operand)?.buffer == old.buffer {
        program.steps[consumer].operands[slot] = copy
      }
      dependencies[consumer] = dependencies[consumer].map { $0 == step ? index : $0 }
      consumers[index].append(consumer)
    }
    consumers[step].removeAll { levels[$0] == level }
    for need in dependencies[index] { consumers[need].append(index) }
  }

  // MARK: Order

  /// Steps by level, those with rows last, and within a loop in the order of what they need.
  private func sorted(unitsInLoop: Int) -> Program? {
    var result = program
    let depth = depths()
    func key(_ step: Int) -> [Int] {
      let isRowWise = program.steps[step].isRowWise
      return [levels[step], isRowWise ? 1 : 0, isRowWise ? program.steps[step].units : 0, depth[step], step]
    }
    let order = program.steps.indices.sorted { key($0).lexicographicallyPrecedes(key($1)) }
    result.steps = order.map { program.steps[$0] }
    var loop = 0
    var start = 0
    while start < order.count {
      func sharesLoop(_ place: Int) -> Bool {
        let (a, b) = (order[start], order[place])
        return levels[a] == levels[b] && program.steps[b].isRowWise && program.steps[a].units == program.steps[b].units
      }
      let end = order.indices.dropFirst(start + 1).first { !sharesLoop($0) } ?? order.count
      if program.steps[order[start]].isRowWise && end > start + 1 {
        for place in start..<end {
          result.steps[place].loop = loop
          result.steps[place].unitsInLoop = min(unitsInLoop, result.steps[place].units)
        }
        loop += 1
      }
      start = end
    }
    return loop > 0 ? result : nil
  }

  /// Longest chain of steps on the same level before each; repeated steps stand behind their users in
  /// the list, so the list's order does not tell.
  private func depths() -> [Int] {
    var known: [Int?] = program.steps.map { _ in nil }
    func depth(_ step: Int) -> Int {
      if let depth = known[step] { return depth }
      let result = (dependencies[step].filter { levels[$0] == levels[step] }.map { depth($0) + 1 }.max() ?? 0)
      known[step] = result
      return result
    }
    return program.steps.indices.map(depth)
  }
}

extension Program.Step {
  /// Part of a loop, if it finds company.
  fileprivate var isRowWise: Bool { units > 1 && rowSlots.contains(Operands.output) }
}
