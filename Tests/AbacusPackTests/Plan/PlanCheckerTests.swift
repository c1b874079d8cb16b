import AbacusFormat
import Testing

@testable import AbacusPack

/// What a plan must not do is found by replaying it.
@Suite struct PlanCheckerTests {
  private func plan(_ test: TestGraph) throws -> PlannedProgram { try Packer.pack(test.graph).planned }

  /// Any two tensors that are there at the same time, laid on each other.
  @Test func overwrittenTensorsAreFound() throws {
    var tried = 0
    for seed in 0..<120 {
      let planned = try plan(TestGraph(chainOf: seed))
      let program = planned.program
      for step in program.steps.indices.dropFirst() {
        // What an earlier step has made lies where the model's input of a later one was.
        guard let made = program.steps[step - 1].operands[Operands.output] else { continue }
        for (slot, kept) in program.steps[step].operands where slot != Operands.output && kept != made {
          guard case .buffer = program.tensors[kept].storage, program.location(of: kept)?.buffer != program.location(of: made)?.buffer
          else { continue }
          var broken = planned
          broken.offsets[made] = planned.offsets[kept]
          tried += 1
          #expect(throws: PackError.self, "seed \(seed), step \(step)") { try PlanChecker.check(broken) }
        }
      }
    }
    #expect(tried > 20)
  }

  /// A distance is as small as can be: four bytes less, or in an order of their own, do not pass.
  @Test func smallerDistancesAreFound() throws {
    var (tried, found) = (0, 0)
    for seed in 0..<60 {
      let planned = try plan(TestGraph(chainOf: seed))
      let program = planned.program
      for (stage, _) in planned.overlapping where stage.count == 1 {
        let step = program.steps[stage.lowerBound]
        guard let sweep = WindowSweep(step, in: program), step.unitsDescending == nil, let distance = sweep.distanceBelow,
          let input = step.operands[Operands.input], let output = step.operands[Operands.output],
          let from = planned.offsets[input], distance.bytes > 4
        else { continue }
        // The output alone moves, so that other steps may lose something as well.
        var broken = planned
        broken.offsets[output] = from - distance.bytes + distance.multiple
        tried += 1
        if (try? PlanChecker.check(broken)) == nil { found += 1 }
      }
    }
    // Alignment and rows of whole pixels leave some to spare.
    #expect(tried > 60 && 10 * found > 8 * tried, "\(found) of \(tried)")
  }

  @Test func ascendingInsteadOfDescendingIsFound() throws {
    var tried = 0
    for seed in 0..<120 {
      let planned = try plan(TestGraph(chainOf: seed))
      for index in planned.program.steps.indices where planned.program.steps[index].unitsDescending != nil {
        // In one call there is no difference.
        guard planned.program.steps[index].unitsDescending! < planned.program.steps[index].units else { continue }
        var broken = planned
        broken.program.steps[index].unitsDescending = nil
        tried += 1
        #expect(throws: PackError.self, "seed \(seed)") { try PlanChecker.check(broken) }
      }
    }
    #expect(tried > 5)
  }

  @Test func scratchOverResultsIsFound() throws {
    for seed in 0..<40 {
      let planned = try plan(TestGraph(chainOf: seed))
      for step in planned.program.steps {
        guard let scratch = step.operands[Operands.scratch], let output = step.operands[Operands.output],
          let input = step.operands[Operands.input]
        else { continue }
        for tensor in [output, input] {
          var broken = planned
          broken.offsets[scratch] = planned.offsets[tensor]
          #expect(throws: PackError.self) { try PlanChecker.check(broken) }
        }
      }
    }
  }

  /// Steps that run before what they need.
  @Test func wrongOrdersAreFound() throws {
    for seed in 0..<20 {
      let planned = try plan(TestGraph(chainOf: seed))
      for index in planned.program.steps.indices.dropFirst() {
        let made = planned.program.steps[index - 1].operands[Operands.output]
        guard planned.program.steps[index].operands.contains(where: { $0.key != Operands.output && $0.value == made })
        else { continue }
        var broken = planned
        broken.program.steps.swapAt(index - 1, index)
        broken.order.swapAt(index - 1, index)
        #expect(throws: PackError.self) { try PlanChecker.check(broken) }
      }
    }
  }

  @Test func memoryKnowsWhoWroteIt() {
    var (memory, plain) = (TaggedMemory(), [Int?](repeating: nil, count: 64))
    var generator = SeededGenerator(state: 5)
    for _ in 0..<500 {
      let start = Int.random(in: 0..<64, using: &generator)
      let range = start..<Int.random(in: start...64, using: &generator)
      let tag = 100 * Int.random(in: 0...3, using: &generator) + start
      memory.write(range, tag: tag)
      for byte in range { plain[byte] = tag + byte - start }
      for (before, run) in zip(memory.runs, memory.runs.dropFirst()) {
        #expect(before.end < run.start || (before.end == run.start && before.tag + before.end - before.start != run.tag))
      }
      #expect((0..<64).allSatisfy { byte in
        var one = TaggedMemory()
        if let tag = plain[byte] { one.write(byte + 7..<byte + 8, tag: tag) }
        return (one.firstDifference(byte + 7..<byte + 8, from: memory, distance: 7) == nil) == (plain[byte] != nil)
      })
    }
  }
}
