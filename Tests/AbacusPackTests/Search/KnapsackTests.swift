import Testing

@testable import AbacusPack

@Suite struct KnapsackTests {
  /// All combinations, one after the other.
  private static func bruteForce(_ layers: [[Knapsack.Choice]], _ limits: [Int]) -> (loss: Double, costs: [Int])? {
    var best: (loss: Double, costs: [Int])?
    func visit(_ layer: Int, _ loss: Double, _ costs: [Int]) {
      guard zip(costs, limits).allSatisfy({ $0 <= $1 }) else { return }
      guard layer < layers.count else {
        if loss < best?.loss ?? .infinity { best = (loss, costs) }
        return
      }
      for choice in layers[layer] { visit(layer + 1, loss + choice.loss, zip(costs, choice.costs).map(+)) }
    }
    visit(0, 0, limits.map { _ in 0 })
    return best
  }

  private static func random(_ generator: inout SplitMix, costs: Int) -> [[Knapsack.Choice]] {
    (0..<1 + generator.next(below: 6)).map { _ in
      (0..<1 + generator.next(below: 4)).map { _ in
        Knapsack.Choice(
          // Whole numbers, so that there are equal losses and sums are exact.
          loss: Double(generator.next(below: 12)), costs: (0..<costs).map { _ in generator.next(below: 30) })
      }
    }
  }

  /// As good as the best of all combinations, and within the limits, with one cost and with two.
  @Test(arguments: [1, 2]) func isExact(costs: Int) {
    var generator = SplitMix(state: UInt64(costs))
    var solved = 0
    for _ in 0..<600 {
      let layers = Self.random(&generator, costs: costs)
      let limits = (0..<costs).map { _ in generator.next(below: 110) }
      let wanted = Self.bruteForce(layers, limits)
      let found = Knapsack.solve(layers, limits: limits)
      #expect((found == nil) == (wanted == nil))
      guard let found, let wanted else { continue }
      solved += 1
      let chosen = zip(layers, found).map { $0[$1] }
      #expect(chosen.reduce(0) { $0 + $1.loss } == wanted.loss)
      for cost in 0..<costs { #expect(chosen.reduce(0) { $0 + $1.costs[cost] } <= limits[cost]) }
    }
    #expect(solved > 200 && solved < 600)
  }

  /// Costs far above the number of steps are rounded up: never over the limit, and next to the best.
  @Test func largeCostsKeepTheLimit() {
    var generator = SplitMix(state: 3)
    for _ in 0..<30 {
      let layers = (0..<8).map { _ in
        (0..<4).map { choice in
          Knapsack.Choice(
            loss: Double(4 - choice) * generator.nextFraction(), costs: [1_000_000 * (choice + 1) + generator.next(below: 999_999), 7_777_777 * choice])
        }
      }
      let limits = [20_000_000, 150_000_000]
      guard let found = Knapsack.solve(layers, limits: limits), let wanted = Self.bruteForce(layers, limits) else {
        Issue.record("nothing was found")
        continue
      }
      let chosen = zip(layers, found).map { $0[$1] }
      #expect(chosen.reduce(0) { $0 + $1.costs[0] } <= limits[0] && chosen.reduce(0) { $0 + $1.costs[1] } <= limits[1])
      // Eight layers lose eight steps of 1,024 at most.
      let tighter = Self.bruteForce(layers, limits.map { $0 - $0 / 128 })
      #expect(chosen.reduce(0) { $0 + $1.loss } <= (tighter?.loss ?? .infinity) && wanted.loss <= chosen.reduce(0) { $0 + $1.loss })
    }
  }

  @Test func tiesGoToTheCheaper() {
    let layer = [Knapsack.Choice(loss: 1, costs: [9]), Knapsack.Choice(loss: 1, costs: [4]), Knapsack.Choice(loss: 1, costs: [4])]
    #expect(Knapsack.solve([layer, layer], limits: [100]) == [1, 1])
    #expect(Knapsack.solve([layer, layer], limits: [7]) == nil)
    #expect(Knapsack.solve([], limits: [7]) == [])
    #expect(Knapsack.solve([[]], limits: [7]) == nil)
  }
}
