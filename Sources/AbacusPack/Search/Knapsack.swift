/// The multiple-choice knapsack: one choice for each layer, so that losses add up to as little as possible and no cost
/// exceeds its limit.
enum Knapsack {
  struct Choice: Sendable {
    var loss: Double
    /// As many as there are limits; none is negative.
    var costs: [Int]
  }

  /// Steps that a limit is divided into: with one cost, and with several. A cost is rounded up to whole steps, so that a
  /// solution is never dearer than it looks, and at most one step a layer cheaper. Limits below that are met exactly.
  private static let steps = (single: 1 << 16, several: 1 << 10)

  /// A choice of the layers so far that none other beats.
  private struct State {
    var loss: Double
    /// Costs, in steps.
    var costs: [Int]
    var choice: Int
    /// Index among the states before this layer.
    var previous: Int
  }

  /// The index of each layer's choice; nil where nothing fits. Of equal losses the lower costs win, then the lower indices.
  ///
  /// By dynamic programming over the layers, with those states only that no other beats in loss and in all costs.
  static func solve(_ layers: [[Choice]], limits: [Int]) -> [Int]? {
    let count = limits.count == 1 ? steps.single : steps.several
    let units = limits.map { max(($0 + count - 1) / count, 1) }
    let most = zip(limits, units).map { $0 / $1 }
    let rounded = layers.map { $0.map { zip($0.costs, units).map { ($0 + $1 - 1) / $1 } } }
    // What the layers from each on cost at least.
    var least = [[Int]](repeating: limits.map { _ in 0 }, count: layers.count + 1)
    for layer in layers.indices.reversed() {
      for cost in limits.indices {
        guard let cheapest = rounded[layer].map({ $0[cost] }).min() else { return nil }
        least[layer][cost] = least[layer + 1][cost] + cheapest
      }
    }
    var states = [[State(loss: 0, costs: limits.map { _ in 0 }, choice: 0, previous: 0)]]
    for (layer, choices) in layers.enumerated() {
      var next: [State] = []
      for (index, state) in states[layer].enumerated() {
        for (choice, costs) in rounded[layer].enumerated() {
          let sums = zip(state.costs, costs).map(+)
          guard limits.indices.allSatisfy({ sums[$0] + least[layer + 1][$0] <= most[$0] }) else { continue }
          next.append(State(loss: state.loss + choices[choice].loss, costs: sums, choice: choice, previous: index))
        }
      }
      if next.isEmpty { return nil }
      states.append(unbeaten(next))
    }
    guard var best = states.last?.indices.min(by: { isBefore(states.last![$0], states.last![$1]) }) else { return nil }
    var result = [Int](repeating: 0, count: layers.count)
    for layer in layers.indices.reversed() {
      let state = states[layer + 1][best]
      (result[layer], best) = (state.choice, state.previous)
    }
    return result
  }

  private static func isBefore(_ a: State, _ b: State) -> Bool {
    if a.loss != b.loss { return a.loss < b.loss }
    return a.costs.lexicographicallyPrecedes(b.costs)
  }

  /// Those than which no other has at most the loss and at most each cost.
  ///
  /// With rising first cost, and of equal ones with rising others and loss, a state can only be beaten by one before it. Those
  /// are kept as a staircase: the second cost rises and the loss falls.
  private static func unbeaten(_ states: [State]) -> [State] {
    let order = states.indices.sorted { a, b in
      if states[a].costs != states[b].costs { return states[a].costs.lexicographicallyPrecedes(states[b].costs) }
      return (states[a].loss, a) < (states[b].loss, b)
    }
    var kept: [State] = []
    var stairs: [(cost: Int, loss: Double)] = []
    for index in order {
      let state = states[index]
      let cost = state.costs.count > 1 ? state.costs[1] : 0
      // The last stair that is no higher.
      var (low, high) = (0, stairs.count)
      while low < high {
        let middle = (low + high) / 2
        if stairs[middle].cost <= cost { low = middle + 1 } else { high = middle }
      }
      if low > 0, stairs[low - 1].loss <= state.loss { continue }
      kept.append(state)
      var end = low
      while end < stairs.count, stairs[end].loss >= state.loss { end += 1 }
      let start = low > 0 && stairs[low - 1].cost == cost ? low - 1 : low
      stairs.replaceSubrange(start..<end, with: [(cost, state.loss)])
    }
    return kept
  }
}
