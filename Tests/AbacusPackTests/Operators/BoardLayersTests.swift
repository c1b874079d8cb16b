import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Random layers on every board, whose cores have inner loops of their own, in several layouts of weights.
@Suite struct BoardLayersTests {
  @Test(arguments: BoardTests.boards) func computeTheSameBytes(_ name: String) throws {
    let board = try Board.named(name)
    let emulator = try Emulator(board: board)
    for seed in 0..<10 {
      let test = TestGraph(layersOf: seed)
      let host = try Model(try Packer.pack(test.graph).blob)
      let sample = zip(host.inputs, test.inputCodes).map { $0.type.bytes(of: $1) }
      var options = PackOptions()
      options.weightOrder = [.rows, .pairs, board.weightOrder][seed % 3]
      let result = try emulator.run(blob: try Packer.pack(test.graph, options: options).blob, samples: [sample])
      #expect(result.outputs == [try host(sample)], "seed \(seed)")
      #expect(result.stackBytes <= emulator.board.stackBytes, "seed \(seed)")
    }
  }

  /// Longer rows than those of the other graphs, so that every loop goes round several times and leaves a rest.
  @Test(arguments: PairedLayoutTests.boards) func longRowsOnBoards(_ name: String) throws {
    let emulator = try Emulator(board: try Board.named(name))
    var options = PackOptions()
    options.pairsChannels = true
    for seed in 0..<4 {
      let test = TestGraph(longRowsOf: seed)
      let host = try Model(try Packer.pack(test.graph).blob)
      let sample = zip(host.inputs, test.inputCodes).map { $0.type.bytes(of: $1) }
      let result = try emulator.run(blob: try Packer.pack(test.graph, options: options).blob, samples: [sample])
      #expect(result.outputs == [try host(sample)], "seed \(seed)")
    }
  }

  /// Firmware with the forms of a model's kernels only, for every form of a depthwise convolution.
  @Test(arguments: ["mps2-an386", "mps2-an385", "mps3-an547"]) func formsSuffice(_ name: String) throws {
    let emulator = try Emulator(board: try Board.named(name))
    var seen: Set<String> = []
    for seed in 0..<12 {
      var test = TestGraph(seed: seed)
      test.addDepthwise(
        channels: 4 * (1 + seed % 2), size: seed % 3 == 0 ? [1, 3] : [3, 3], padding: 1, multiplier: seed % 4 == 0 ? 2 : 1)
      let blob = try Packer.pack(test.graph).blob
      let kernels = try BlobDescription(blob, name: "test").neededKernels
      seen.formUnion(kernels.map(\.description))
      let host = try Model(blob)
      let sample = zip(host.inputs, test.inputCodes).map { $0.type.bytes(of: $1) }
      let result = try emulator.run(blob: blob, samples: [sample], kernels: kernels)
      #expect(result.outputs == [try host(sample)], "seed \(seed)")
    }
    #expect(seen == Set(["windows", "lines", "channels"].map { "depthwise_convolution (\($0))" }))
  }

  /// Weights in pairs are what most of these graphs get.
  @Test func layersArePaired() throws {
    var options = PackOptions()
    options.pairsChannels = true
    let paired = try (0..<10).map { seed in
      try BlobDescription(try Packer.pack(TestGraph(layersOf: seed).graph, options: options).blob, name: "test")
        .tensors.count { $0.layout == Layout.paired.rawValue }
    }
    #expect(paired.reduce(0, +) >= 10)
  }

  /// Lines of a depthwise convolution need their scratch, or do without it.
  @Test func scratchOfLinesIsChecked() throws {
    var test = TestGraph(seed: 5)
    test.addDepthwise(channels: 4, size: [3, 3], padding: 2)
    let blob = try Packer.pack(test.graph).blob
    let whole = try Model(blob)(zip(try Model(blob).inputs, test.inputCodes).map { $0.type.bytes(of: $1) })
    var editor = BlobEditor(blob)
    let scratch = editor.operand(.depthwiseConvolution, Operands.scratch)
    editor.tensor(scratch) {
      $0.dims[0] -= 4
      $0.byteCount -= 4
    }
    #expect(throws: Status.self) { try Model(editor.sealed()) }
    editor = BlobEditor(blob)
    editor.step(editor.first(.depthwiseConvolution)) { $0.operands[Operands.scratch] = TensorRecord.none }
    let without = try Model(editor.sealed())
    #expect(try without(zip(without.inputs, test.inputCodes).map { $0.type.bytes(of: $1) }) == whole)
  }
}

extension TestGraph {
  /// Dense layers, convolutions, depthwise convolutions and sums of every kind in one graph, with numbers
  /// of pixels, channels and products that leave remainders.
  init(layersOf seed: Int) {
    self.init(seed: seed)
    for index in 0..<8 {
      switch index % 4 {
      case 0: addDense()
      case 1: addDepthwise(channels: random(1...21), size: pick([[3, 3], [3, 3], [1, 3], [5, 1], [2, 4]]), padding: random(0...3))
      case 2: addConvolution()
      default: addSum()
      }
    }
  }

  /// Dense layers of one row and of several, columns of taps, depthwise lines of any length, and averages of
  /// many elements.
  init(longRowsOf seed: Int) {
    self.init(seed: seed)
    for rows in [1, 2, 3, 4, 7] { addDense(rows: rows, depth: random(60...300), channels: 2 * random(1...4)) }
    for taps in [3, 5, 10, 15] { addDepthwise(channels: 4 * random(1...9), size: [taps, 1], padding: 2, image: [24, 1]) }
    for width in [1, 2, 3, 24, 25] {
      addDepthwise(channels: 2 * random(1...4), size: [3, 3], padding: 1, image: [random(3...9), width + 2])
    }
    for image in [[25, 5], [15, 17], [16, 16]] { addAverage(of: image, channels: random(3...9)) }
  }

  private mutating func addDense() { addDense(rows: random(1...8), depth: random(1...70), channels: random(1...9)) }

  private mutating func addDense(rows: Int, depth: Int, channels: Int) {
    let input = input([rows, depth])
    let (weights, bias, scale) = weights(for: input, [channels, depth], axis: 0, depth: depth, style: pick(WeightStyle.all))
    output(
      .fullyConnected(pick([.none, .relu])), [input, weights, bias], [rows, channels], scale: scale, zeroPoint: -5)
  }

  private mutating func addConvolution() {
    let window = WindowAttributes(
      size: [random(1...3), random(1...4)], strides: [random(1...2), random(1...2)],
      dilations: [random(1...2), random(1...2)], padBefore: [random(0...2), random(0...2)],
      padAfter: [random(0...2), random(0...2)])
    let image = [random(6...9), random(7...9)]
    guard let extents = window.outputExtents(of: image) else { return }
    let (batch, depth, channels) = (random(1...2), pick([1, 3, 4, 5, 8, 12]), random(1...7))
    let input = input([batch] + image + [depth])
    let (weights, bias, scale) = weights(
      for: input, [channels] + window.size + [depth], axis: 0, depth: window.size[0] * window.size[1] * depth,
      style: pick(WeightStyle.all))
    output(
      .convolution(window, groups: 1, pick([.none, .relu])), [input, weights, bias], [batch] + extents + [channels],
      scale: scale, zeroPoint: random(-20...20))
  }

  mutating func addDepthwise(channels: Int, size: [Int], padding: Int, image: [Int]? = nil, multiplier: Int = 1) {
    let window = WindowAttributes(
      size: size, strides: [random(1...2), random(1...2)], dilations: [1, 1],
      padBefore: [random(0...padding), random(0...padding)], padAfter: [random(0...padding), random(0...padding)])
    let image = image ?? [random(5...9), random(5...9)]
    guard let extents = window.outputExtents(of: image) else { return }
    let batch = random(1...2)
    let input = input([batch] + image + [channels])
    let (weights, bias, scale) = weights(
      for: input, [1] + size + [channels * multiplier], axis: 3, depth: size[0] * size[1], style: pick(WeightStyle.all))
    output(
      .depthwiseConvolution(window, multiplier: multiplier, pick([.none, .relu])), [input, weights, bias],
      [batch] + extents + [channels * multiplier], scale: scale, zeroPoint: pick([-128, random(-20...20)]))
  }

  /// Of a whole image. Elements of -128 make the greatest sums that 16 bits must hold.
  private mutating func addAverage(of image: [Int], channels: Int) {
    let shape = [1] + image + [channels]
    let input = input(shape, codes: (0..<shape.reduce(1, *)).map { $0 % channels == 0 ? -128 : random(-128...127) })
    output(
      .pool(.average, WindowAttributes(size: image), .none), [input], [1, 1, 1, channels], scale: scale(0.05),
      zeroPoint: random(-20...20))
  }

  private mutating func addSum() {
    let shape = [1, random(1...5), random(1...9)]
    let (a, b) = (input(shape), input(shape))
    output(.binary(.add, pick([.none, .relu])), [a, b], shape, scale: scale(0.08), zeroPoint: random(-60...60))
  }
}
