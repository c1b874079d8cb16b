import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Two products by one instruction on cores without vectors: lanes must hold whatever bytes there are, in rows
/// that are longer than a lane has room for, and in images of every size.
@Suite struct LaneProductTests {
  static let boards = ["mps2-an385", "mps2-an385-m0", "riscv32-virt"]

  @Test(arguments: boards) func longRowsOfExtremes(_ name: String) throws {
    let sources = [(-128, -128), (-128, 127), (127, -128), (127, 127), (nil, -128), (-128, nil), (nil, nil)]
    try compare(name) { index in
      guard index < sources.count else { return nil }
      var test = TestGraph(seed: index)
      for (rows, depth, channels) in [
        (1, 4, 2), (1, 248, 4), (1, 252, 6), (2, 500, 2), (1, 1000, 8), (3, 7, 2), (3, 248, 2), (4, 249, 4), (5, 252, 2),
        (3, 256, 6), (4, 501, 2),
      ] {
        test.addDense(rows, depth, channels, input: sources[index].0, weights: sources[index].1)
      }
      return test
    }
  }

  @Test(arguments: boards) func windowsOfExtremes(_ name: String) throws {
    let sources = [(-128, -128), (127, -128), (nil, nil), (nil, nil)]
    try compare(name) { index in
      guard index < sources.count else { return nil }
      var test = TestGraph(seed: 100 + index)
      for (size, depth, channels) in [([3, 3], 28, 2), ([3, 3], 30, 4), ([2, 5], 3, 6), ([1, 1], 5, 2), ([4, 1], 1, 4)] {
        test.addConvolution(size, depth, channels, input: sources[index].0, weights: sources[index].1)
      }
      return test
    }
  }

  /// Lines of one output to six, along either side, of both strides, with up to two elements of padding.
  @Test(arguments: boards) func linesOfEveryLength(_ name: String) throws {
    try compare(name) { index in
      guard index < 8 else { return nil }
      var test = TestGraph(seed: 200 + index)
      for height in 1...6 {
        test.addLines(image: [height, index % 6 + 1], input: index == 0 ? -128 : nil, weights: index == 0 ? -128 : nil)
      }
      return test
    }
  }

  /// Runs graphs, as long as there are some, on a board and here.
  private func compare(_ name: String, _ graphs: (Int) -> TestGraph?) throws {
    let emulator = try Emulator(board: try Board.named(name))
    var options = PackOptions()
    options.pairsChannels = true
    var index = 0
    while let test = graphs(index) {
      let host = try Model(try Packer.pack(test.graph).blob)
      let sample = zip(host.inputs, test.inputCodes).map { $0.type.bytes(of: $1) }
      let result = try emulator.run(blob: try Packer.pack(test.graph, options: options).blob, samples: [sample])
      let expected = try host(sample)
      #expect(result.outputs == [expected], "graph \(index)")
      #expect(Set(expected.joined()).count > 1, "graph \(index)")
      index += 1
    }
    #expect(index > 0)
  }
}

extension TestGraph {
  /// Codes that are all the same, or random.
  private mutating func image(_ shape: [Int], _ code: Int?) -> Graph.TensorID {
    let count = shape.reduce(1, *)
    return input(shape, codes: code.map { Array(repeating: $0, count: count) })
  }

  private mutating func weights(
    for input: Graph.TensorID, _ shape: [Int], axis: Int, _ code: Int?
  ) -> (weights: Graph.TensorID, bias: Graph.TensorID, scale: Double) {
    let channels = shape[axis]
    let count = shape.reduce(1, *)
    let weights = constant(
      shape, Quantization(scale: 0.02, zeroPoint: 0), codes: code.map { Array(repeating: $0, count: count) })
    let inputScale = graph.tensors[input].quantization!.scales[0]
    let bias = constant(
      [channels], Quantization(scale: 0.02 * inputScale, zeroPoint: 0),
      codes: (0..<channels).map { _ in random(-20_000...20_000) }, type: .int32)
    // Extremes add up to what is not quite saturated.
    let depth = count / channels
    let reach = code == nil ? Double(depth).squareRoot() * 6000 : Double(depth) * 16_384 + 20_000
    return (weights, bias, 0.02 * inputScale * reach / 100)
  }

  fileprivate mutating func addDense(_ rows: Int, _ depth: Int, _ channels: Int, input: Int?, weights code: Int?) {
    let input = image([rows, depth], input)
    let (weights, bias, scale) = weights(for: input, [channels, depth], axis: 0, code)
    output(.fullyConnected(pick([.none, .relu])), [input, weights, bias], [rows, channels], scale: scale, zeroPoint: -5)
  }

  fileprivate mutating func addConvolution(
    _ size: [Int], _ depth: Int, _ channels: Int, input: Int?, weights code: Int?
  ) {
    let window = WindowAttributes(
      size: size, strides: [random(1...2), random(1...2)], padBefore: size.map { random(0...$0 - 1) },
      padAfter: size.map { random(0...$0 - 1) })
    let extent = [random(5...6), random(5...7)]
    guard let extents = window.outputExtents(of: extent) else { return }
    let input = image([1] + extent + [depth], input)
    let (weights, bias, scale) = weights(for: input, [channels] + size + [depth], axis: 0, code)
    output(
      .convolution(window, groups: 1, pick([.none, .relu])), [input, weights, bias], [1] + extents + [channels],
      scale: scale, zeroPoint: random(-20...20))
  }

  fileprivate mutating func addLines(image extent: [Int], input: Int?, weights code: Int?) {
    let window = WindowAttributes(
      size: [3, 3], strides: [random(1...2), random(1...2)], padBefore: [random(1...2), random(1...2)],
      padAfter: [random(1...2), random(1...2)])
    guard let extents = window.outputExtents(of: extent) else { return }
    let channels = random(1...3) + 1
    let input = image([1] + extent + [channels], input)
    let (weights, bias, scale) = weights(for: input, [1, 3, 3, channels], axis: 3, code)
    output(
      .depthwiseConvolution(window, multiplier: 1, pick([.none, .relu])), [input, weights, bias],
      [1] + extents + [channels], scale: scale, zeroPoint: pick([-128, random(-20...20)]))
  }
}
