import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Layers that run row by row: the same codes from lines of images that never exist as a whole.
@Suite struct LoopSearchTests {
  /// The smallest plan, whatever it costs, of convolutions, depthwise ones, pools and sums.
  @Test(arguments: [false, true])
  func smallestPlansKeepTheCodes(pairs: Bool) throws {
    var options = PackOptions()
    options.pairsChannels = pairs
    var (smaller, lines) = (0, 0)
    for seed in 0..<30 {
      let test = TestGraph(chainOf: 300 + seed)
      let packed = try Packer.packSmallest(test.graph, options: options)
      let wanted = try Execution.run(test.keepingAll.graph, test.inputCodes)
      let model = try Model(packed.blob)
      #expect(try model(test.inputCodes.map { ElementType.int8.bytes(of: $0) }) == [ElementType.int8.bytes(of: wanted.last!)])
      for (input, codes) in test.inputCodes.enumerated() { try model.setInput(input, ElementType.int8.bytes(of: codes)) }
      while try model.step() {}
      #expect(try model.output(0) == ElementType.int8.bytes(of: wanted.last!), "seed \(seed), in steps")
      #expect(model.guardsAreIntact)
      let usual = try Packer.pack(test.graph, options: options).planned.plan.arenaBytes
      #expect(packed.planned.plan.arenaBytes <= usual)
      if packed.planned.plan.arenaBytes < usual { smaller += 1 }
      lines += packed.planned.program.tensors.count { $0.lines != nil }
    }
    #expect(smaller > 10 && lines > 20)
  }

  @Test(arguments: BoardTests.boards)
  func boardsKeepTheCodes(_ name: String) throws {
    let board = try Board.named(name)
    let emulator = try Emulator(board: board)
    for seed in 0..<10 {
      let test = TestGraph(chainOf: 500 + seed)
      var options = PackOptions()
      options.pairsChannels = board.wantsPairs || seed % 5 == 0
      let packed = try Packer.packSmallest(test.graph, options: options)
      let wanted = try Execution.run(test.keepingAll.graph, test.inputCodes)
      let sample = test.inputCodes.map { ElementType.int8.bytes(of: $0) }
      let result = try emulator.run(blob: packed.blob, samples: [sample])
      #expect(result.outputs == [[ElementType.int8.bytes(of: wanted.last!)]], "seed \(seed)")
      #expect(result.stackBytes <= emulator.board.stackBytes)
    }
  }

  /// Two convolutions and a sum: by hand, lines of five rows (three of them above the next round's) and two.
  @Test func linesOfAResidualBlock() throws {
    let program = try Lowering.lower(SampleBlobs.residual().graph, options: PackOptions())
    let formed = try #require(WindowLoop(program, 0..<3)?.formed(rowsInRound: 2, number: 0))
    #expect(formed.steps.prefix(3).map(\.unitsInLoop) == [2, 2, 2] && formed.steps.prefix(3).map(\.delay) == [1, 2, 2])
    let lines = formed.steps.prefix(3).map { formed.tensors[$0.operands[Operands.output]!].lines }
    #expect(lines[0] == Program.Lines(rowsPerRound: 2, behind: 3, count: 4))
    #expect(lines[1] == Program.Lines(rowsPerRound: 2, behind: 2, count: 2) && lines[2] == nil)
    #expect(formed.steps[2].units == 12 && formed.steps[2].rounds == 7)
    // What the input still has to give: the sum's own row.
    let overlap = try #require(Overlap.of(0..<3, in: formed).first)
    #expect(overlap.below?.bytes == 0)
  }

  /// Limits are kept, the cheapest plan is taken, and choices are told.
  @Test func limits() throws {
    let graph = SampleBlobs.residual().graph
    let smallest = try Packer.packSmallest(graph)
    var options = PackOptions()
    options.ramLimit = 1 << 20
    let ample = try Packer.pack(graph, options: options)
    #expect(ample.planned.program.steps.allSatisfy { $0.loop == nil })
    #expect(smallest.planned.plan.arenaBytes < ample.planned.plan.arenaBytes)
    #expect(smallest.planned.choices.contains { $0.operators == [0, 1, 2] && $0.savedBytes > 0 })
    options.ramLimit = smallest.planned.plan.arenaBytes + smallest.planned.stackBytes - 1
    #expect(throws: PackError.self) { try Packer.pack(graph, options: options) }
  }

  /// A dense layer of one long row, whose scratch is twice the row.
  @Test func scratchIsLeftOut() throws {
    var test = TestGraph(seed: 3)
    let input = test.input([1, 2000])
    let (weights, bias, scale) = test.weights(for: input, [4, 2000], axis: 0, depth: 2000, style: WeightStyle())
    test.output(.fullyConnected(.none), [input, weights, bias], [1, 4], scale: scale)
    var options = PackOptions()
    options.pairsChannels = true
    let usual = try Packer.pack(test.graph, options: options)
    let smallest = try Packer.packSmallest(test.graph, options: options)
    #expect(usual.planned.plan.arenaBytes >= 6000 && smallest.planned.plan.arenaBytes < 2100)
    #expect(smallest.planned.choices.contains { $0.operators == [0] && $0.savedBytes == 4000 })
    let sample = test.inputCodes.map { ElementType.int8.bytes(of: $0) }
    #expect(try Model(smallest.blob)(sample) == Model(usual.blob)(sample))
  }
}
