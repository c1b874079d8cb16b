import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Stages that run patch by patch: the same codes, from images of which only patches exist.
@Suite struct PatchTests {
  /// Every stage of chains of convolutions, depthwise ones, pools and sums, in grids of all kinds, with and without
  /// loops over the rows of patches.
  @Test(arguments: [false, true])
  func patchesKeepTheCodes(pairs: Bool) throws {
    var options = PackOptions()
    options.pairsChannels = pairs
    var (tried, lineCopies) = (0, 0)
    for seed in 0..<24 {
      let test = TestGraph(chainOf: 700 + seed)
      let wanted = ElementType.int8.bytes(of: try Execution.run(test.keepingAll.graph, test.inputCodes).last!)
      for (index, patched) in try Self.patched(test, options).enumerated() {
        for program in [patched, Self.looped(patched)] {
          let model = try Model(try Self.blob(program, options))
          #expect(
            try model(test.inputCodes.map { ElementType.int8.bytes(of: $0) }) == [wanted], "seed \(seed), stage \(index)")
          #expect(model.guardsAreIntact)
          tried += 1
          lineCopies += program.steps.count { $0.opcode == .copy && $0.loop != nil }
        }
      }
    }
    #expect(tried > 300 && lineCopies > 200, "\(tried), \(lineCopies)")
  }

  @Test(arguments: BoardTests.boards)
  func boardsKeepTheCodes(_ name: String) throws {
    let board = try Board.named(name)
    let emulator = try Emulator(board: board)
    for seed in 0..<8 {
      let test = TestGraph(chainOf: 800 + seed)
      var options = PackOptions()
      options.pairsChannels = board.wantsPairs || seed % 5 == 0
      guard let patched = try Self.patched(test, options).max(by: { $0.steps.count < $1.steps.count }) else { continue }
      let wanted = ElementType.int8.bytes(of: try Execution.run(test.keepingAll.graph, test.inputCodes).last!)
      let sample = test.inputCodes.map { ElementType.int8.bytes(of: $0) }
      for program in [patched, Self.looped(patched)] {
        let result = try emulator.run(blob: try Self.blob(program, options), samples: [sample])
        #expect(result.outputs == [[wanted]], "seed \(seed)")
        #expect(result.stackBytes <= emulator.board.stackBytes)
      }
    }
  }

  /// A residual block of 3 x 3 windows, by hand: the middle patch of three.
  @Test func regionsOfAResidualBlock() throws {
    let program = try Lowering.lower(SampleBlobs.residual().graph, options: PackOptions())
    let stage = try #require(PatchStage.all(in: program).first { $0.range == 0..<3 })
    let shape = program.tensors[stage.output].shape
    let patch = Region(rows: 0..<shape[1], columns: 2..<3)
    let regions = try #require(stage.regions(for: patch, in: program))
    let made = stage.range.compactMap { program.steps[$0].operands[Operands.output] }
    // The sum needs the first convolution's own pixels, the second convolution one more on each side.
    #expect(regions[made[0]] == Region(rows: 0..<shape[1], columns: 1..<4))
    #expect(regions[made[1]] == patch && regions[made[2]] == patch)
  }

  /// Patches share the constants, and padding stays where the border is.
  @Test func constantsAreShared() throws {
    let program = try Lowering.lower(SampleBlobs.residual().graph, options: PackOptions())
    let stage = try #require(PatchStage.all(in: program).first { $0.range == 0..<3 })
    let patched = try #require(PatchRewriting.rewritten(program, stage, PatchGrid(rows: 2, columns: 3)))
    #expect(Set(patched.steps.compactMap(\.patch)) == Set(0..<6))
    func constants(_ program: Program) throws -> Int {
      try BlobDescription(try Self.blob(program, PackOptions()), name: "test").bytes(of: .constants)
    }
    #expect(try constants(patched) == constants(program))
    let convolutions = patched.steps.filter { $0.opcode == .convolution && $0.operands[Operands.weights] == program.steps[0].operands[Operands.weights] }
    let padding = convolutions.map { $0.parameters(ConvolutionParameters.self).window }.map { [$0.padTop, $0.padLeft] }
    #expect(convolutions.count == 6 && padding.contains([1, 1]) && padding.contains([0, 0]))
    #expect(patched.patching?.recomputed == Int(patched.multiplyAccumulates) - Int(program.multiplyAccumulates))
  }

  /// A model whose first images are large, and the input small: with patches it needs less, and says what that costs.
  static func wide() -> TestGraph {
    var test = TestGraph(seed: 4)
    var last = test.input([1, 24, 24, 1], scale: 0.03, zeroPoint: 0)
    var channels = 1
    for (size, stride, outputs) in [(3, 1, 16), (3, 2, 24), (3, 1, 16), (3, 2, 8)] {
      let extent = test.graph.tensors[last].shape[1]
      let window = WindowAttributes(
        size: [size, size], strides: [stride, stride], padBefore: [1, 1], padAfter: [1, 1])
      let (weights, bias, _) = test.weights(
        for: last, [outputs, size, size, channels], axis: 0, depth: size * size * channels, style: WeightStyle())
      let made = (extent + 2 - size) / stride + 1
      last = test.add(
        .convolution(window, groups: 1, .relu), [last, weights, bias], [1, made, made, outputs], scale: 0.03)
      channels = outputs
    }
    test.graph.outputs = [last]
    return test
  }

  @Test func limits() throws {
    let test = Self.wide()
    let smallest = try Packer.packSmallest(test.graph)
    let alternatives = smallest.alternatives
    let taken = try #require(alternatives.last)
    #expect(taken.isTaken && taken.grid.reduce(1, *) > 1 && taken.arenaBytes == smallest.planned.plan.arenaBytes)
    #expect(taken.blobBytes == smallest.blob.count && taken.recomputedPercent > 0)
    #expect(alternatives[0].grid.isEmpty && alternatives[0].recomputedPercent == 0)
    #expect(taken.arenaBytes < alternatives[0].arenaBytes)
    #expect(smallest.planned.choices.contains { $0.text.contains("patches") && $0.savedBytes > 0 })
    let sample = test.inputCodes.map { ElementType.int8.bytes(of: $0) }
    #expect(try Model(smallest.blob)(sample) == Model(try Packer.pack(test.graph).blob)(sample))
    // What fits without computing anything twice is done so.
    var options = PackOptions()
    options.ramLimit = alternatives[0].arenaBytes + smallest.planned.stackBytes
    let whole = try Packer.pack(test.graph, options: options)
    #expect(whole.alternatives.isEmpty && whole.planned.program.patching == nil)
    // Half way down less is computed again than at the bottom.
    options.ramLimit = (alternatives[0].arenaBytes + taken.arenaBytes) / 2 + smallest.planned.stackBytes
    let between = try Packer.pack(test.graph, options: options)
    #expect(between.planned.plan.arenaBytes + between.planned.stackBytes <= options.ramLimit!)
    #expect(try #require(between.alternatives.last).recomputedPercent < taken.recomputedPercent)
  }

  /// A copy among lines whose runs leave their rows is refused.
  @Test func copiesOfLinesAreChecked() throws {
    let program = try Lowering.lower(Self.wide().graph, options: PackOptions())
    let stage = try #require(PatchStage.all(in: program).first { $0.range == 0..<4 })
    let patched = try #require(PatchRewriting.rewritten(program, stage, PatchGrid(rows: 1, columns: 2)))
    // The copy of the first patch and the convolution behind it.
    let looped = try #require(WindowLoop(patched, 0..<2)?.formed(rowsInRound: 1, number: 0))
    #expect(looped.steps[0].opcode == .copy && looped.tensors[looped.steps[0].operands[Operands.output]!].lines != nil)
    let changes: [(inout CopyParameters) -> Void] = [
      { $0.dims[5] += 1 }, { $0.destinationStrides[4] -= 1 }, { $0.destinationOffset += 1 }, { $0.destinationStrides[5] = 2 },
      { $0.dims[4] -= 1; $0.dims[3] = 2 },
    ]
    for (number, change) in changes.enumerated() {
      var broken = PlannedProgram(looped)
      let place = try #require(broken.order.firstIndex(of: 0))
      _ = try Model(try BlobWriter.write(broken, options: PackOptions(), metadata: []))
      var parameters = broken.program.steps[place].parameters(CopyParameters.self)
      change(&parameters)
      broken.program.steps[place].parameters = littleEndianBytes(parameters)
      let blob = try BlobWriter.write(broken, options: PackOptions(), metadata: [])
      #expect(throws: Status.corrupt, "change \(number)") { try Model(blob) }
    }
  }

  // MARK: Support

  /// The program with each of its stages in some grid.
  private static func patched(_ test: TestGraph, _ options: PackOptions) throws -> [Program] {
    let program = try Lowering.lower(test.graph, options: options)
    let grids = [(1, 2), (2, 1), (2, 2), (3, 2), (1, 3), (2, 3), (4, 1)].map { PatchGrid(rows: $0, columns: $1) }
    return PatchStage.all(in: program).enumerated().compactMap { index, stage in
      let (grid, shape) = (grids[index % grids.count], program.tensors[stage.output].shape)
      guard grid.rows <= shape[1], grid.columns <= shape[2] else { return nil }
      return PatchRewriting.rewritten(program, stage, grid)
    }
  }

  /// The same in the loops that need the least memory.
  private static func looped(_ program: Program) -> Program {
    let search = LoopSearch(program)
    return search.choice(below: search.leastBytes.before[program.steps.count])?.program ?? program
  }

  private static func blob(_ program: Program, _ options: PackOptions) throws -> [UInt8] {
    let planned = PlannedProgram(program)
    try PlanChecker.check(planned)
    return try BlobWriter.write(planned, options: options, metadata: [])
  }
}
