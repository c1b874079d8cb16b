import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// The inner loops of this machine's vector instructions, and of AArch64's, compute what plain loops do, byte by byte, with
/// weights in rows and in quads.
@Suite struct VectorLoopsTests {
  /// Those that this CPU has.
  static let sets = VectorInstructions.allCases.filter { $0 != .common && $0.isHere }

  @Test(arguments: [PackOptions.WeightOrder.rows, .quads]) func layers(_ order: PackOptions.WeightOrder) throws {
    for seed in 0..<48 {
      #expect(throws: Never.self, "seed \(seed)") { try check(TestGraph(vectorsOf: seed), order, "seed \(seed), \(order)") }
    }
  }

  /// Every number of channels and rows around the sizes of vectors and tiles.
  @Test(arguments: [PackOptions.WeightOrder.rows, .quads]) func remainders(_ order: PackOptions.WeightOrder) throws {
    for channels in [1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 80, 127, 128, 129, 144] {
      var test = TestGraph(seed: channels)
      for rows in [1, 2, 3, 4, 5, 7, 8, 9, 11, 17] { test.addDense(rows: rows, depth: 4 * test.random(1...20), channels: channels) }
      try check(test, order, "\(channels) channels, \(order)")
    }
  }

  /// Extremes of weights and activations, whose sums are the greatest.
  @Test(arguments: [PackOptions.WeightOrder.rows, .quads]) func extremes(_ order: PackOptions.WeightOrder) throws {
    for code in [-128, 127] {
      var test = TestGraph(seed: 1)
      test.addDense(rows: 5, depth: 256, channels: 20)
      test.inputCodes = test.inputCodes.map { $0.map { _ in code } }
      try check(test, order, "\(code), \(order)")
    }
  }

  /// AArch64 has SDOT.
  @Test(arguments: [PackOptions.WeightOrder.rows, .quads]) func layersOnAArch64(_ order: PackOptions.WeightOrder) throws {
    let emulator = try Emulator(board: try Board.named("aarch64-virt"))
    var options = PackOptions()
    options.weightOrder = order
    for seed in 0..<16 {
      let test = TestGraph(vectorsOf: seed)
      let blob = try Packer.pack(test.graph, options: options).blob
      let plain = try Model(blob, vectors: .common)
      let sample = zip(plain.inputs, test.inputCodes).map { $0.type.bytes(of: $1) }
      #expect(try emulator.run(blob: blob, samples: [sample]).outputs == [try plain(sample)], "seed \(seed), \(order)")
    }
  }

  /// What a CPU does not have is refused.
  @Test func setsOfOtherMachines() throws {
    let blob = try Packer.pack(TestGraph(vectorsOf: 0).graph).blob
    for set in VectorInstructions.allCases where !set.isHere {
      #expect(throws: Status.badArgument) { try Model(blob, vectors: set) }
    }
  }

  private func check(
    _ test: TestGraph, _ order: PackOptions.WeightOrder, _ comment: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    var options = PackOptions()
    options.weightOrder = order
    let blob = try Packer.pack(test.graph, options: options).blob
    let plain = try Model(blob, vectors: .common)
    let sample = zip(plain.inputs, test.inputCodes).map { $0.type.bytes(of: $1) }
    let expected = try plain(sample)
    for set in Self.sets {
      let model = try Model(blob, vectors: set)
      #expect(try model(sample) == expected, "\(set): \(comment)", sourceLocation: sourceLocation)
      #expect(model.guardsAreIntact, "\(set): \(comment)", sourceLocation: sourceLocation)
      // In the smallest steps, too.
      var stepwise = options
      stepwise.multiplyAccumulatesPerStep = 1
      let steps = try Model(try Packer.pack(test.graph, options: stepwise).blob, vectors: set)
      for (index, bytes) in sample.enumerated() { try steps.setInput(index, bytes) }
      while try steps.step() {}
      let outputs = try steps.outputs.indices.map { try steps.output($0) }
      #expect(outputs == expected, "\(set): \(comment), in steps", sourceLocation: sourceLocation)
    }
  }
}

extension TestGraph {
  /// One layer of each kind that has loops in vectors, of sizes that leave remainders.
  fileprivate init(vectorsOf seed: Int) {
    self.init(seed: seed)
    addDense(rows: random(1...20), depth: pick([1, 3, 4, 16, 27, 64, 100, 129]), channels: random(1...150))
    addWideConvolution(isPointwise: false)
    addWideConvolution(isPointwise: true)
    addDepthwise(
      channels: random(1...70), size: pick([[3, 3], [3, 3], [3, 3], [1, 5], [5, 1], [2, 4]]), padding: random(0...3))
    addPool()
    addWideSum()
  }

  fileprivate mutating func addDense(rows: Int, depth: Int, channels: Int) {
    let input = input([rows, depth])
    let (weights, bias, scale) = weights(for: input, [channels, depth], axis: 0, depth: depth, style: pick(WeightStyle.all))
    output(
      .fullyConnected(pick([.none, .relu])), [input, weights, bias], [rows, channels], scale: scale, zeroPoint: pick([-128, -5]))
  }

  private mutating func addWideConvolution(isPointwise: Bool) {
    let size = [random(1...3), random(1...4)]
    let window =
      isPointwise
      ? WindowAttributes(size: [1, 1])
      : WindowAttributes(
        size: size, strides: [random(1...2), random(1...2)], dilations: pick([[1, 1], [1, 1], [2, 1], [1, 2]]),
        padBefore: size.map { random(0...$0 - 1) }, padAfter: size.map { random(0...$0 - 1) })
    let image = [random(6...8), random(7...30)]
    guard let extents = window.outputExtents(of: image) else { return }
    let (batch, depth, channels) = (random(1...2), pick([1, 3, 4, 8, 16, 20]), pick([1, 8, 15, 16, 17, 32, 33, 40, 64, 70]))
    let input = input([batch] + image + [depth])
    let (weights, bias, scale) = weights(
      for: input, [channels] + window.size + [depth], axis: 0, depth: window.size[0] * window.size[1] * depth,
      style: pick(WeightStyle.all))
    output(
      .convolution(window, groups: 1, pick([.none, .relu])), [input, weights, bias], [batch] + extents + [channels],
      scale: scale, zeroPoint: random(-20...20))
  }

  private mutating func addPool() {
    let window = WindowAttributes(size: [random(1...3), random(1...5)], strides: [random(1...2), random(1...2)])
    let image = [random(3...6), random(5...9)]
    guard let extents = window.outputExtents(of: image) else { return }
    let channels = random(1...40)
    let scale = scale()
    let input = input([1] + image + [channels], scale: scale)
    let zeroPoint = graph.tensors[input].quantization?.zeroPoints[0] ?? 0
    for kind in [PoolKind.average, .max] {
      output(.pool(kind, window, .none), [input], [1] + extents + [channels], scale: scale, zeroPoint: Int(zeroPoint))
    }
  }

  private mutating func addWideSum() {
    let shape = [1, random(1...5), random(1...90)]
    let (a, b) = (input(shape), input(shape))
    output(.binary(.add, pick([.none, .relu])), [a, b], shape, scale: scale(0.08), zeroPoint: random(-60...60))
  }
}
