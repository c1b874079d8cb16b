import Collections

/// The order of steps that keeps the least memory alive at once.
struct StepOrder {
  private(set) var order: [Int]
  /// Most bytes alive at once in that order, scratch included, where every step works in place that can.
  private(set) var peak: Int
  /// True where no other order has a lower peak.
  private(set) var isOptimal: Bool

  /// States that the search looks at before it settles for the best order known.
  static let stateLimit = 50_000

  /// Searches the sets of executed steps, lowest peak first. What is alive after a set of steps does
  /// not depend on their order, so each set is visited once.
  init(_ program: Program) {
    let model = MemoryModel(program)
    order = Array(program.steps.indices)
    let known = model.peak(of: order)
    peak = known
    isOptimal = program.steps.isEmpty
    if isOptimal { return }
    var queue: Heap<State> = [State(done: [], last: nil, live: model.initialBytes, peak: model.initialBytes)]
    var best: [Set<Int>: Int] = [:]
    var visited = 0
    while let state = queue.popMax() {
      if state.done.count == program.steps.count {
        if state.peak < known {
          order = state.path
          peak = state.peak
        }
        isOptimal = true
        return
      }
      visited += 1
      if visited > Self.stateLimit { return }
      for step in program.steps.indices where model.isReady(step, after: state.done) {
        let next = model.execute(step, after: state)
        if next.peak > known || best[next.done, default: .max] <= next.peak { continue }
        best[next.done] = next.peak
        queue.insert(next)
      }
    }
  }

  /// A set of executed steps, and how it was reached.
  final class State: Comparable {
    let done: Set<Int>
    let last: (step: Int, before: State)?
    let live: Int
    let peak: Int

    init(done: Set<Int>, last: (step: Int, before: State)?, live: Int, peak: Int) {
      self.done = done
      self.last = last
      self.live = live
      self.peak = peak
    }

    var path: [Int] {
      var steps: [Int] = []
      var state = self
      while let (step, before) = state.last {
        steps.append(step)
        state = before
      }
      return steps.reversed()
    }

    /// Lower peaks first; then those that have come further; then the earlier step of the source.
    static func < (a: State, b: State) -> Bool {
      if a.peak != b.peak { return a.peak > b.peak }
      if a.done.count != b.done.count { return a.done.count < b.done.count }
      return (a.last?.step ?? 0) > (b.last?.step ?? 0)
    }

    static func == (a: State, b: State) -> Bool { a === b }
  }
}

/// Bytes alive before, during and after steps.
private struct MemoryModel {
  private let lifetimes: Lifetimes
  private let inPlaceSavings: [[(buffer: Int, output: Int, bytes: Int)]]

  init(_ program: Program) {
    lifetimes = Lifetimes(program)
    inPlaceSavings = program.steps.map { step in
      guard let output = step.operands[0], let target = program.location(of: output), target.offset == 0,
        program.buffers[target.buffer].bytes == program.tensors[output].byteCount
      else { return [] }
      return step.inPlaceSlots.compactMap { slot in
        guard let input = step.operands[slot], let source = program.location(of: input),
          source.buffer != target.buffer
        else { return nil }
        return (source.buffer, target.buffer, alignedSize(program.tensors[output].byteCount))
      }
    }
  }

  var initialBytes: Int { lifetimes.entering.reduce(0) { $0 + (lifetimes.sizes[$1] ?? 0) } }

  func isReady(_ step: Int, after done: Set<Int>) -> Bool {
    !done.contains(step) && lifetimes.dependencies[step].allSatisfy(done.contains)
  }

  func execute(_ step: Int, after state: StepOrder.State) -> StepOrder.State {
    let done = state.done.union([step])
    var during = state.live + lifetimes.scratch[step]
    var after = state.live
    for buffer in lifetimes.touched[step] {
      let size = lifetimes.sizes[buffer] ?? 0
      let users = lifetimes.users[buffer] ?? []
      if !lifetimes.entering.contains(buffer) && !users.contains(where: state.done.contains) {
        during += size
        after += size
      }
      if isDead(buffer, after: done) { after -= size }
    }
    let saving = inPlaceSavings[step].first { candidate in
      isDead(candidate.buffer, after: done)
        && !(lifetimes.users[candidate.output] ?? []).contains(where: state.done.contains)
    }
    during -= saving?.bytes ?? 0
    return StepOrder.State(done: done, last: (step, state), live: after, peak: max(state.peak, during))
  }

  private func isDead(_ buffer: Int, after done: Set<Int>) -> Bool {
    !lifetimes.leaving.contains(buffer) && (lifetimes.users[buffer] ?? []).allSatisfy(done.contains)
  }

  func peak(of order: [Int]) -> Int {
    var state = StepOrder.State(done: [], last: nil, live: initialBytes, peak: initialBytes)
    for step in order { state = execute(step, after: state) }
    return state.peak
  }
}
