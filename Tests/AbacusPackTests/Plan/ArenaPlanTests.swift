import Testing

@testable import AbacusPack

@Suite struct ArenaPlanTests {
  private func plan(_ blocks: [(bytes: Int, live: ClosedRange<Int>)]) -> ArenaPlan {
    ArenaPlan(
      blocks.enumerated().map { ArenaPlan.Block(name: "\($0.offset)", bytes: $0.element.bytes, live: $0.element.live) })
  }

  /// No two blocks that live at the same time share a byte, all lie inside, nothing was changed.
  private func expectSound(
    _ plan: ArenaPlan, _ blocks: [(bytes: Int, live: ClosedRange<Int>)],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(plan.blocks.map(\.bytes) == blocks.map(\.bytes), sourceLocation: sourceLocation)
    #expect(plan.blocks.map(\.live) == blocks.map(\.live), sourceLocation: sourceLocation)
    for (index, a) in plan.blocks.enumerated() {
      #expect(a.offset >= 0 && a.end <= plan.arenaBytes, sourceLocation: sourceLocation)
      for b in plan.blocks[..<index] where a.live.overlaps(b.live) {
        #expect(a.end <= b.offset || b.end <= a.offset, "\(a) and \(b)", sourceLocation: sourceLocation)
      }
    }
    let alive = (0...100).map { step in blocks.filter { $0.live.contains(step) }.reduce(0) { $0 + $1.bytes } }
    #expect(plan.lowerBound == alive.max(), sourceLocation: sourceLocation)
    #expect(plan.arenaBytes >= plan.lowerBound, sourceLocation: sourceLocation)
  }

  @Test func smallCases() {
    #expect(plan([]).arenaBytes == 0 || plan([]).arenaBytes == Int.max)
    for (blocks, best) in [
      ([(16, 0...0)], 16), ([(16, 0...1), (8, 1...2)], 24), ([(16, 0...0), (8, 1...1)], 16),
      // A chain: neighbours live together.
      ([(100, 0...1), (60, 1...2), (80, 2...3), (20, 3...4)], 160),
      // One long-lived block and short ones that take turns beside it.
      ([(40, 0...9), (10, 0...2), (20, 3...5), (30, 6...9)], 70),
      // First fit by size leaves a hole here; the optimum needs another order.
      ([(8, 0...1), (4, 0...3), (12, 2...3), (4, 1...2), (8, 3...4)], 24),
      // Stairs.
      ([(4, 0...1), (4, 1...2), (4, 2...3), (4, 3...4), (4, 4...5)], 8),
    ] as [([(Int, ClosedRange<Int>)], Int)] {
      let named = blocks.map { (bytes: $0.0, live: $0.1) }
      let plan = plan(named)
      expectSound(plan, named)
      #expect(plan.arenaBytes == best, "\(blocks)")
      #expect(plan.isOptimal == (best == plan.lowerBound))
    }
  }

  @Test func randomCasesAreSound() {
    var generator = SeededGenerator(state: 11)
    for count in 1...40 {
      let blocks = (0..<count).map { _ -> (bytes: Int, live: ClosedRange<Int>) in
        let first = Int.random(in: 0...20, using: &generator)
        return (
          4 * Int.random(in: 1...64, using: &generator),
          first...first + Int.random(in: 0...6, using: &generator)
        )
      }
      expectSound(plan(blocks), blocks)
    }
  }

  /// Against every placement order of few blocks: first fit in some order is an optimum.
  @Test func fewBlocksArePlacedOptimally() {
    var generator = SeededGenerator(state: 12)
    let orders = RealTensor.indices([5, 5, 5, 5, 5]).filter { Set($0).count == 5 }
    for _ in 0..<40 {
      let blocks = (0..<5).map { _ -> (bytes: Int, live: ClosedRange<Int>) in
        let first = Int.random(in: 0...5, using: &generator)
        return (
          4 * Int.random(in: 1...9, using: &generator),
          first...first + Int.random(in: 0...3, using: &generator)
        )
      }
      let best = orders.map { firstFit(blocks, $0) }.min()
      #expect(plan(blocks).arenaBytes == best, "\(blocks)")
    }
  }

  private func firstFit(_ blocks: [(bytes: Int, live: ClosedRange<Int>)], _ order: [Int]) -> Int {
    var placed: [(start: Int, end: Int, live: ClosedRange<Int>)] = []
    for index in order {
      let block = blocks[index]
      let rivals = placed.filter { $0.live.overlaps(block.live) }
      let starts = [0] + rivals.map(\.end)
      let start = starts.sorted().first { start in
        rivals.allSatisfy { $0.end <= start || start + block.bytes <= $0.start }
      }!
      placed.append((start, start + block.bytes, block.live))
    }
    return placed.map(\.end).max() ?? 0
  }

  @Test func plansAreDeterministic() {
    let blocks = (0..<30).map { (bytes: 4 * (1 + $0 * 7 % 23), live: $0 * 5 % 17...$0 * 5 % 17 + $0 % 4) }
    #expect(plan(blocks).blocks.map(\.offset) == plan(blocks).blocks.map(\.offset))
  }
}
