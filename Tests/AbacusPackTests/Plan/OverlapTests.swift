import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Results that lie over what they are made of.
@Suite struct OverlapTests {
  /// A chain whose results share memory gives the codes of one that keeps them all.
  @Test(arguments: [false, true])
  func sharingKeepsTheCodes(pairs: Bool) throws {
    var options = PackOptions()
    options.pairsChannels = pairs
    var (overlapping, smaller) = (0, 0)
    for seed in 0..<60 {
      let test = TestGraph(chainOf: seed)
      let packed = try Packer.pack(test.graph, options: options)
      overlapping += packed.planned.overlapping.count
      let wanted = try Execution.run(test.keepingAll.graph, test.inputCodes)
      for bySteps in [false, true] {
        let codes = try Execution.run(test.graph, test.inputCodes, options: options, bySteps: bySteps)
        #expect(codes == [wanted.last!], "seed \(seed)")
      }
      let sum = packed.planned.plan.blocks.map(\.bytes).reduce(0, +)
      if packed.planned.plan.arenaBytes < sum { smaller += 1 }
    }
    #expect(overlapping > 50 && smaller > 50)
  }

  /// Layers of a keyword spotter: depthwise convolutions begin below, pointwise ones above what they read.
  static func keywordLayers() -> TestGraph {
    var test = TestGraph(seed: 9)
    let shape = [1, 25, 5, 64]
    var last = test.input(shape, scale: 0.03, zeroPoint: 0)
    let same = WindowAttributes(size: [3, 3], padBefore: [1, 1], padAfter: [1, 1])
    for _ in 0..<2 {
      let depthwise = test.weights(for: last, [1, 3, 3, 64], axis: 3, depth: 9, style: WeightStyle())
      last = test.add(
        .depthwiseConvolution(same, multiplier: 1, .none), [last, depthwise.0, depthwise.1], shape, scale: 0.03)
      let pointwise = test.weights(for: last, [64, 1, 1, 64], axis: 0, depth: 64, style: WeightStyle())
      last = test.add(
        .convolution(WindowAttributes(size: [1, 1]), groups: 1, .none), [last, pointwise.0, pointwise.1], shape, scale: 0.03)
    }
    test.graph.outputs = [last]
    return test
  }

  @Test func rowsInBothOrders() throws {
    let test = Self.keywordLayers()
    for pairs in [false, true] {
      var options = PackOptions()
      options.pairsChannels = pairs
      let planned = try Packer.pack(test.graph, options: options).planned
      #expect(planned.program.steps.compactMap(\.unitsDescending) == [3, 3] && planned.overlapping.count == 4)
      #expect(planned.plan.arenaBytes < 10_000)
      let wanted = try Execution.run(test.keepingAll.graph, test.inputCodes)
      #expect(try Execution.run(test.graph, test.inputCodes, options: options) == [wanted.last!])
      #expect(try Execution.run(test.graph, test.inputCodes, options: options, bySteps: true) == [wanted.last!])
    }
  }

  /// The same chains on boards, whose kernels go through memory in ways of their own.
  @Test(arguments: BoardTests.boards)
  func boardsKeepTheCodes(_ name: String) throws {
    let board = try Board.named(name)
    let emulator = try Emulator(board: board)
    for seed in 0..<16 {
      let test = seed == 0 ? Self.keywordLayers() : TestGraph(chainOf: 1000 + seed)
      let wanted = try Execution.run(test.keepingAll.graph, test.inputCodes)
      var options = PackOptions()
      options.pairsChannels = board.wantsPairs || seed % 5 == 0
      let blob = try Packer.pack(test.graph, options: options).blob
      let sample = test.inputCodes.map { ElementType.int8.bytes(of: $0) }
      let result = try emulator.run(blob: blob, samples: [sample])
      #expect(result.outputs == [[ElementType.int8.bytes(of: wanted.last!)]], "seed \(seed)")
    }
  }

  private func sweep(
    _ operation: (WindowAttributes) -> Operation, image: [Int], size: Int, stride: Int = 1, channels: Int,
    outputs: Int
  ) throws -> (WindowSweep, Program.Step) {
    var test = TestGraph(seed: 1)
    let window = WindowAttributes(
      size: [size, size], strides: [stride, stride], padBefore: [size / 2, size / 2], padAfter: [size / 2, size / 2])
    let input = test.input([1] + image + [channels])
    let isDepthwise = if case .depthwiseConvolution = operation(window) { true } else { false }
    let (weights, bias, scale) = test.weights(
      for: input, isDepthwise ? [1, size, size, channels] : [outputs, size, size, channels], axis: isDepthwise ? 3 : 0,
      depth: size * size * channels, style: WeightStyle())
    test.output(
      operation(window), [input, weights, bias], [1] + window.outputExtents(of: image)! + [outputs], scale: scale)
    let program = try Lowering.lower(test.graph, options: PackOptions())
    return (try #require(WindowSweep(program.steps[0], in: program)), program.steps[0])
  }

  /// By hand: while a row is written the row before may still be read.
  @Test func distances() throws {
    let convolution = { (window: WindowAttributes) in Operation.convolution(window, groups: 1, .none) }
    let depthwise = { (window: WindowAttributes) in Operation.depthwiseConvolution(window, multiplier: 1, .none) }
    // Two rows of 12 pixels, of 4 bytes.
    #expect(try sweep(convolution, image: [10, 12], size: 1, channels: 4, outputs: 4).0.distanceBelow?.bytes == 96)
    // Three where the window begins a row above.
    #expect(try sweep(convolution, image: [10, 12], size: 3, channels: 4, outputs: 4).0.distanceBelow?.bytes == 144)
    // The output grows twice as fast: all of it, less all but two rows of the input.
    #expect(
      try sweep(convolution, image: [10, 12], size: 1, channels: 4, outputs: 8).0.distanceBelow?.bytes == 960 - 8 * 48)
    // Rows of three pixels: eight pixels before one are in the third row before.
    #expect(try sweep(convolution, image: [10, 3], size: 1, channels: 4, outputs: 4).0.distanceBelow?.bytes == 36)
    // Channel by channel, with lines along columns: rows on rows.
    let narrow = try sweep(depthwise, image: [25, 5], size: 3, channels: 64, outputs: 64).0
    #expect(narrow.distanceBelow == Distance(atLeast: 960, multipleOf: 320))
    // Rows of another length do not lie on rows.
    #expect(try sweep(depthwise, image: [25, 5], size: 3, stride: 2, channels: 64, outputs: 64).0.distanceBelow == nil)
    // From below: one call of the last rows reads up to a row above them.
    let (above, step) = try sweep(convolution, image: [10, 12], size: 3, channels: 4, outputs: 4)
    #expect(above.distanceAbove(unitsOfCall: 2).bytes == 3 * 48)
    #expect(above.unitsDescending(step) == 10)
  }

  /// The first windows lie in the padding: the output may begin where the input does, if the last rows come first.
  @Test func windowsInPadding() throws {
    var test = TestGraph(seed: 188)
    let window = WindowAttributes(size: [1, 3], strides: [1, 3], dilations: [2, 2], padBefore: [6, 5], padAfter: [4, 3])
    let input = test.input([1, 7, 10, 8], scale: 0.03)
    let (weights, bias, scale) = test.weights(for: input, [33, 1, 3, 8], axis: 0, depth: 24, style: WeightStyle())
    let extents = try #require(window.outputExtents(of: [7, 10]))
    test.output(.convolution(window, groups: 1, .none), [input, weights, bias], [1] + extents + [33], scale: scale)
    let packed = try Packer.pack(test.graph)
    let step = packed.planned.program.steps[0]
    #expect(step.unitsDescending != nil && packed.planned.overlapping.count == 1)
    #expect(Set(packed.planned.plan.blocks.prefix(2).map(\.offset)) == [0])
    // By itself, with the input beside the output.
    var kept = test.graph
    kept.outputs.append(input)
    let sample = test.inputCodes.map { ElementType.int8.bytes(of: $0) }
    #expect(try Model(packed.blob)(sample)[0] == Model(try Packer.pack(kept).blob)(sample)[0])
  }

  /// Every distance that rules allow, and no other.
  @Test func offsetsFollowDistances() {
    let below = Distance(atLeast: 10, multipleOf: 6)
    #expect(below.bytes == 12 && below.multiple == 12)
    #expect(below.next(0) == 12 && below.next(13) == 24 && below.last(11) == nil && below.last(35) == 24)
  }
}
