import AbacusFormat
import Testing

@testable import AbacusPack

@Suite struct FullyConnectedTests {
  private func layer(
    _ seed: Int, rows: Int, depth: Int, channels: Int, _ style: WeightStyle,
    _ activation: Activation = .none
  ) -> TestGraph {
    var test = TestGraph(seed: seed)
    let input = test.input([rows, depth])
    let (weights, bias, scale) = test.weights(
      for: input, [channels, depth], axis: 0, depth: depth, style: style)
    test.output(
      .fullyConnected(activation), [input, weights, bias], [rows, channels], scale: scale,
      zeroPoint: test.random(-20...20))
    return test
  }

  @Test(arguments: 1...3)
  func smallShapes(rows: Int) throws {
    for depth in [1, 2, 3, 4, 5, 7, 8, 16, 17, 33] {
      for channels in 1...5 {
        for (index, style) in WeightStyle.all.enumerated() {
          let test = layer(depth * 100 + channels * 10 + index, rows: rows, depth: depth, channels: channels, style)
          try Execution.check(test, "\(rows) x \(depth) to \(channels), \(style)")
        }
      }
    }
  }

  @Test func channelsFarApartHaveShiftsOfTheirOwn() throws {
    let far = try Packer.pack(
      layer(1, rows: 1, depth: 8, channels: 4, WeightStyle(spread: 1e12)).graph)
    #expect(far.planned.program.steps[0].operands[Operands.shifts] != nil)
    let near = try Packer.pack(layer(1, rows: 1, depth: 8, channels: 4, WeightStyle()).graph)
    #expect(near.planned.program.steps[0].operands[Operands.shifts] == nil)
  }

  @Test(arguments: [Activation.relu, .relu6, .reluN1To1])
  func fusedActivations(activation: Activation) throws {
    for seed in 0..<40 {
      try Execution.check(
        layer(seed, rows: 2, depth: 12, channels: 7, WeightStyle.all[seed % 6], activation), "\(seed)")
    }
  }

  @Test func blockedWeightsGiveTheSameBits() throws {
    for seed in 0..<60 {
      var shape = TestGraph(seed: seed + 500)
      let test = layer(
        seed, rows: shape.random(1...3), depth: shape.random(1...37), channels: shape.random(1...9),
        WeightStyle.all[seed % 6])
      try expectBlockedLayoutsAgree(test)
    }
  }

  @Test func inputOfHigherRank() throws {
    var test = TestGraph(seed: 4)
    let input = test.input([2, 3, 5])
    let (weights, bias, scale) = test.weights(for: input, [4, 5], axis: 0, depth: 5, style: WeightStyle())
    test.output(.fullyConnected(.none), [input, weights, bias], [2, 3, 4], scale: scale)
    try Execution.check(test)
  }

  @Test func runTimeWeights() throws {
    for seed in 0..<60 {
      var test = TestGraph(seed: seed)
      let (rows, depth, channels) = (test.random(1...3), test.random(1...19), test.random(1...6))
      let input = test.input([rows, depth])
      let weights = test.input([channels, depth])
      let scales = [input, weights].map { test.graph.tensors[$0].quantization!.scales[0] }
      let bias =
        seed % 2 == 0
        ? nil
        : test.constant(
          [channels], Quantization(scale: scales[0] * scales[1], zeroPoint: 0),
          codes: (0..<channels).map { 500 * $0 - 900 }, type: .int32)
      test.output(
        .fullyConnected(seed % 3 == 0 ? .relu : .none), [input, weights, bias], [rows, channels],
        scale: scales[0] * scales[1] * Double(depth).squareRoot() * 90, zeroPoint: test.random(-9...9))
      try Execution.check(test, "\(seed)")
    }
  }

  /// Every extreme at once: the largest sums that codes can make.
  @Test func saturatingSums() throws {
    for (code, weight) in [(127, 127), (-128, 127), (127, -127), (-128, -128)] {
      var test = TestGraph(seed: 1)
      let input = test.input([2, 300], scale: 0.1, zeroPoint: -128, codes: [Int](repeating: code, count: 600))
      let weights = test.constant(
        [3, 300], Quantization(scale: 0.1, zeroPoint: 0), codes: [Int](repeating: weight, count: 900))
      for (scale, zeroPoint) in [(1000.0, 5), (0.001, -128), (0.5, 127)] {
        test.output(.fullyConnected(.none), [input, weights], [2, 3], scale: scale, zeroPoint: zeroPoint)
      }
      try Execution.check(test, "\(code) \(weight)")
    }
  }

  @Test func accumulatorsThatDoNotFitAreRefused() throws {
    var test = TestGraph(seed: 1)
    let input = test.input([1, 140_000], scale: 0.1, zeroPoint: 0)
    let weights = test.constant(
      [1, 140_000], Quantization(scale: 0.1, zeroPoint: 0), codes: [Int](repeating: 127, count: 140_000))
    test.output(.fullyConnected(.none), [input, weights], [1, 1], scale: 100)
    #expect(throws: PackError.self) { try Packer.pack(test.graph) }
    do {
      _ = try Packer.pack(test.graph)
    } catch let error as PackError {
      #expect(error.kind == .unsupported && error.description.contains("32 bits"))
    }
  }

  @Test func weightsOfAnotherWidthAreRefused() {
    var test = TestGraph(seed: 1)
    let input = test.input([1, 2])
    let weights = test.constant([1, 2], Quantization(scale: 0.1, zeroPoint: 0), codes: [300, -300], type: .int16)
    test.output(.fullyConnected(.none), [input, weights], [1, 1], scale: 1)
    #expect(throws: PackError.self) { try Packer.pack(test.graph) }
  }
}

/// All block sizes of the weight layout compute what row-major weights do, bit by bit.
func expectBlockedLayoutsAgree(_ test: TestGraph, sourceLocation: SourceLocation = #_sourceLocation) throws {
  let plain = try Execution.check(test, sourceLocation: sourceLocation)
  for rows in [1, 2, 4] {
    for columns in [1, 4, 16] where (rows, columns) != (1, 1) {
      var options = PackOptions()
      options.blockRows = rows
      options.blockColumns = columns
      let blocked = try Execution.run(test.graph, test.inputCodes, options: options)
      #expect(blocked == plain, "blocks of \(rows) x \(columns)", sourceLocation: sourceLocation)
    }
  }
  var options = PackOptions()
  options.pairsChannels = true
  let paired = try Execution.run(test.graph, test.inputCodes, options: options)
  #expect(paired == plain, "pairs", sourceLocation: sourceLocation)
}
