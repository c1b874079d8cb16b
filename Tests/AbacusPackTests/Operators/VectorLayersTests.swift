import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Layers of the sizes at which the loops on vectors change, on Cortex-M55, beside the plain loops of this
/// machine.
@Suite struct VectorLayersTests {
  /// Computes the graph on both; every layer is an output.
  private func compare(_ test: TestGraph, _ comment: String) throws {
    let packed = try Packer.pack(test.graph)
    let host = try Model(packed.blob)
    let sample = zip(host.inputs, test.inputCodes).map { $0.type.bytes(of: $1) }
    let result = try Emulator(board: try Board.named("mps3-an547")).run(blob: packed.blob, samples: [sample])
    #expect(result.outputs == [try host(sample)], "\(comment)")
    #expect(result.stackBytes <= Int(Limits.stackBytes), "\(comment)")
  }

  /// Rows that stay in registers, in one to four vectors, and longer ones; channels and rows with remainders.
  @Test func rowsOfAllLengths() throws {
    for (seed, depths) in [[1, 8, 15, 16], [17, 27, 31, 32], [33, 40, 48], [49, 63, 64], [65, 80, 144]].enumerated() {
      var test = TestGraph(seed: seed)
      for depth in depths {
        test.addDense(rows: test.random(1...5), depth: depth, channels: 4)
        test.addDense(rows: 1, depth: depth, channels: test.random(5...19))
        test.addDense(rows: test.random(2...5), depth: depth, channels: test.random(5...19))
      }
      try compare(test, "depths \(depths)")
    }
  }

  /// Windows inside the image and over its borders, of few and of many elements; several images, groups.
  @Test func windows() throws {
    for seed in 0..<6 {
      var test = TestGraph(seed: 100 + seed)
      test.addConvolution(image: [7, 9], depth: 1, size: [5, 4], channels: 8, groups: 1)
      test.addConvolution(image: [6, 5], depth: 3, size: [3, 3], channels: test.random(4...9), groups: 1)
      test.addConvolution(image: [5, 6], depth: 8, size: [3, 3], channels: test.random(4...9), groups: 1)
      test.addConvolution(image: [5, 4], depth: 12, size: [2, 3], channels: 12, groups: 3)
      test.addConvolution(image: [5, 5], depth: test.random(1...70), size: [1, 1], channels: test.random(4...9), groups: 1)
      try compare(test, "seed \(seed)")
    }
  }

  /// Rows that scratch has no room for as a whole, and windows that lie in the padding.
  @Test func depthwise() throws {
    for seed in 0..<6 {
      var test = TestGraph(seed: 200 + seed)
      for channels in [4, 8, 12] {
        test.addDepthwise(image: [4, test.random(1...50)], channels: channels, size: [3, 3], padding: 2)
      }
      for channels in [8, 16, 20] {
        test.addDepthwise(image: [test.random(12...15), 1], channels: channels, size: [test.random(3...12), 1], padding: 0)
      }
      test.addDepthwise(image: [7, 6], channels: test.random(3...40), size: [2, 4], padding: 1)
      try compare(test, "seed \(seed)")
    }
  }

  /// Pools and sums whose channels and elements leave remainders.
  @Test func poolsAndSums() throws {
    for seed in 0..<6 {
      var test = TestGraph(seed: 300 + seed)
      for kind in [PoolKind.average, .max] {
        test.addPool(kind, channels: test.random(1...40))
        test.addPool(kind, channels: 32)
      }
      for length in [3, 4, 17, 64, test.random(65...99)] { test.addSum(length: length) }
      try compare(test, "seed \(seed)")
    }
  }
}

extension TestGraph {
  fileprivate mutating func addDense(rows: Int, depth: Int, channels: Int) {
    let input = input([rows, depth])
    let (weights, bias, scale) = weights(for: input, [channels, depth], axis: 0, depth: depth, style: WeightStyle())
    output(
      .fullyConnected(pick([.none, .relu])), [input, weights, bias], [rows, channels], scale: scale,
      zeroPoint: pick([-128, random(-20...20)]))
  }

  fileprivate mutating func addConvolution(image: [Int], depth: Int, size: [Int], channels: Int, groups: Int) {
    let window = WindowAttributes(
      size: size, strides: [random(1...2), random(1...2)], dilations: [random(1...2), 1],
      padBefore: [random(0...2), random(0...2)], padAfter: [random(0...2), random(0...2)])
    guard let extents = window.outputExtents(of: image) else { return }
    let batch = random(1...2)
    let input = input([batch] + image + [depth])
    let (weights, bias, scale) = weights(
      for: input, [channels] + size + [depth / groups], axis: 0, depth: size[0] * size[1] * depth / groups,
      style: WeightStyle())
    output(
      .convolution(window, groups: groups, pick([.none, .relu])), [input, weights, bias],
      [batch] + extents + [channels], scale: scale, zeroPoint: pick([-128, random(-20...20)]))
  }

  fileprivate mutating func addDepthwise(image: [Int], channels: Int, size: [Int], padding: Int) {
    let window = WindowAttributes(
      size: size, strides: [random(1...2), random(1...2)], dilations: [1, 1],
      padBefore: [random(0...padding), random(0...padding)], padAfter: [random(0...padding), random(0...padding)])
    guard let extents = window.outputExtents(of: image) else { return }
    let input = input([1] + image + [channels])
    let (weights, bias, scale) = weights(
      for: input, [1] + size + [channels], axis: 3, depth: size[0] * size[1], style: WeightStyle())
    output(
      .depthwiseConvolution(window, multiplier: 1, pick([.none, .relu])), [input, weights, bias],
      [1] + extents + [channels], scale: scale, zeroPoint: pick([-128, random(-20...20)]))
  }

  fileprivate mutating func addPool(_ kind: PoolKind, channels: Int) {
    let window = WindowAttributes(
      size: [random(2...3), random(2...3)], strides: [random(1...2), random(1...2)], dilations: [1, 1],
      padBefore: [0, random(0...1)], padAfter: [0, random(0...1)])
    let image = [random(4...6), random(4...6)]
    guard let extents = window.outputExtents(of: image) else { return }
    let input = input([1] + image + [channels])
    let quantization = graph.tensors[input].quantization!
    output(
      .pool(kind, window, pick([.none, .relu])), [input], [1] + extents + [channels],
      scale: quantization.scales[0] * (kind == .max ? 1 : 1.1), zeroPoint: quantization.zeroPoints[0])
  }

  fileprivate mutating func addSum(length: Int) {
    let shape = [1, random(1...4), length]
    let (a, b) = (input(shape), input(pick([shape, [1, 1, length]])))
    output(.binary(.add, pick([.none, .relu])), [a, b], shape, scale: scale(0.08), zeroPoint: pick([-128, random(-60...60)]))
  }
}
