import Collections

/// The order of steps that keeps the least memory alive at once. Loops stay together.
struct StepOrder {
  /// Steps of the program in their new order.
  private(set) var order: [Int]
  /// Most bytes alive at once in that order, scratch included, where every step works in place that can.
  private(set) var peak: Int
  /// True where no other order has a lower peak.
  private(set) var isOptimal: Bool

  /// States that the search looks at before it settles for the best order known.
  static let stateLimit = 50_000

  init(_ program: Program) {
    let model = MemoryModel(program)
    let source = Array(model.stages.indices)
    let known = model.peak(of: source)
    order = Array(program.steps.indices)
    peak = known
    isOptimal = program.steps.isEmpty
    if isOptimal { return }
    guard let best = Self.search(model, below: known) else { return }
    isOptimal = true
    if best.peak < known {
      order = best.path.flatMap { model.stages[$0] }
      peak = best.peak
    }
  }

  /// Searches the sets of executed stages, lowest peak first. What is alive after a set of stages does
  /// not depend on their order, so each set is visited once. Nil where the limit ends the search.
  private static func search(_ model: MemoryModel, below known: Int) -> State? {
    var queue: Heap<State> = [State(done: [], last: nil, live: model.initialBytes, peak: model.initialBytes)]
    var best: [Set<Int>: Int] = [:]
    var visited = 0
    while let state = queue.popMax() {
      if state.done.count == model.stages.count { return state }
      visited += 1
      if visited > stateLimit { return nil }
      for stage in model.stages.indices where model.isReady(stage, after: state.done) {
        let next = model.execute(stage, after: state)
        if next.peak > known || best[next.done, default: .max] <= next.peak { continue }
        best[next.done] = next.peak
        queue.insert(next)
      }
    }
    return nil
  }

  /// A set of executed stages, and how it was reached.
  final class State: Comparable {
    let done: Set<Int>
    let last: (stage: Int, before: State)?
    let live: Int
    let peak: Int

    init(done: Set<Int>, last: (stage: Int, before: State)?, live: Int, peak: Int) {
      self.done = done
      self.last = last
      self.live = live
      self.peak = peak
    }

    var path: [Int] {
      var stages: [Int] = []
      var state = self
      while let (stage, before) = state.last {
        stages.append(stage)
        state = before
      }
      return stages.reversed()
    }

    /// Lower peaks first; then those that have come further; then the earlier stage of the source.
    static func < (a: State, b: State) -> Bool {
      if a.peak != b.peak { return a.peak > b.peak }
      if a.done.count != b.done.count { return a.done.count < b.done.count }
      return (a.last?.stage ?? 0) > (b.last?.stage ?? 0)
    }

    static func == (a: State, b: State) -> Bool { a === b }
  }
}

/// Bytes alive before, during and after stages.
struct MemoryModel {
  private typealias Saving = (source: Int, output: Int, bytes: Int)
  private let lifetimes: Lifetimes
  private let savings: [[Saving]]

  init(_ program: Program) {
    let lifetimes = Lifetimes(program)
    self.lifetimes = lifetimes
    savings = lifetimes.stages.ranges.map {
      Self.inPlaceSavings(program, $0, lifetimes.stages) + Self.overlapSavings(program, $0, lifetimes)
    }
  }

  /// Steps of each stage.
  var stages: [Range<Int>] { lifetimes.stages.ranges }

  /// Pairs of buffers of which the second may take the place of the first. Within a loop a chain of
  /// such pairs counts as one: only its ends are buffers of their own.
  private static func inPlaceSavings(_ program: Program, _ range: Range<Int>, _ stages: Stages) -> [Saving] {
    var result: [Saving] = []
    var originOfBlock: [Int: Int] = [:]
    for step in program.steps[range] {
      guard let output = step.operands[0], let target = program.location(of: output), target.offset == 0,
        program.buffers[target.buffer].bytes == program.tensors[output].byteCount
      else { continue }
      for slot in step.inPlaceSlots {
        guard let input = step.operands[slot], let found = program.location(of: input)?.buffer,
          found != target.buffer
        else { continue }
        let source = originOfBlock[found] ?? found
        if stages.blockBytes[source] != nil { continue }
        if stages.blockBytes[target.buffer] != nil {
          originOfBlock[target.buffer] = source
        } else {
          result.append((source, target.buffer, alignedSize(program.tensors[output].byteCount)))
        }
      }
    }
    return result
  }

  /// Pairs of buffers of which the second may lie over parts of the first.
  private static func overlapSavings(_ program: Program, _ range: Range<Int>, _ lifetimes: Lifetimes) -> [Saving] {
    let overlaps = Overlap.of(range, in: program) { input, output in
      !lifetimes.leaving.contains(input) && !lifetimes.entering.contains(output)
    }
    return overlaps.map { overlap in
      let (input, output) = (lifetimes.sizes[overlap.input] ?? 0, lifetimes.sizes[overlap.output] ?? 0)
      return (overlap.input, overlap.output, input + output - overlap.span(input: input, output: output))
    }
  }

  var initialBytes: Int { lifetimes.entering.reduce(0) { $0 + (lifetimes.sizes[$1] ?? 0) } }

  func isReady(_ stage: Int, after done: Set<Int>) -> Bool {
    !done.contains(stage) && lifetimes.dependencies[stage].allSatisfy(done.contains)
  }

  func execute(_ stage: Int, after state: StepOrder.State) -> StepOrder.State {
    let (next, during) = step(stage, after: state)
    return StepOrder.State(done: next.done, last: (stage, state), live: next.live, peak: max(state.peak, during))
  }

  /// Bytes that each stage needs in the order of the program.
  func bytesInOrder() -> [Int] {
    var state = StepOrder.State(done: [], last: nil, live: initialBytes, peak: initialBytes)
    return stages.indices.map { stage in
      let during = step(stage, after: state).during
      state = execute(stage, after: state)
      return during
    }
  }

  private func step(_ stage: Int, after state: StepOrder.State) -> (next: (done: Set<Int>, live: Int), during: Int) {
    let done = state.done.union([stage])
    var during = state.live + lifetimes.scratch[stage]
    var after = state.live
    for buffer in lifetimes.touched[stage] {
      let size = lifetimes.sizes[buffer] ?? 0
      let users = lifetimes.users[buffer] ?? []
      if !lifetimes.entering.contains(buffer) && !users.contains(where: state.done.contains) {
        during += size
        after += size
      }
      if isDead(buffer, after: done) { after -= size }
    }
    let possible = savings[stage].filter { candidate in
      isDead(candidate.source, after: done) && !lifetimes.entering.contains(candidate.output)
        && !(lifetimes.users[candidate.output] ?? []).contains(where: state.done.contains)
    }
    during -= possible.map(\.bytes).max() ?? 0
    return ((done, after), during)
  }

  private func isDead(_ buffer: Int, after done: Set<Int>) -> Bool {
    !lifetimes.leaving.contains(buffer) && (lifetimes.users[buffer] ?? []).allSatisfy(done.contains)
  }

  func peak(of order: [Int]) -> Int {
    var state = StepOrder.State(done: [], last: nil, live: initialBytes, peak: initialBytes)
    for stage in order { state = execute(stage, after: state) }
    return state.peak
  }
}
