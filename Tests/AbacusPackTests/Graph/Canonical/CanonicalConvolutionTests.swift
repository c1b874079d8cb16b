import Testing

@testable import AbacusPack

/// Networks of convolutions as ONNX has them, channels first.
@Suite struct CanonicalConvolutionTests {
  private func transposes(_ graph: Graph) -> Int {
    graph.nodes.count { if case .transpose = $0.operation { true } else { false } }
  }

  /// Batch normalisation as a factor and an addend of shape [c, 1, 1].
  private func batchNormalization(_ test: inout FloatGraph, _ x: FloatGraph.ID) -> FloatGraph.ID {
    let channels = test.shape(x)[1]
    let scaled = test.binary(.multiply, x, test.constant([channels, 1, 1]))
    return test.binary(.add, scaled, test.constant([1, channels, 1, 1]))
  }

  @Test func residualNetworkHasNoTransposes() throws {
    var test = FloatGraph(seed: 3)
    let image = test.input([1, 3, 8, 8])
    // Pixels are normalised before the first layer.
    let pixels = test.binary(.divide, test.binary(.subtract, image, test.constant([3, 1, 1])), test.scalar(0.5))
    let stem = test.unary(.relu, batchNormalization(&test, test.convolutionNCHW(pixels, 4)))
    let depthwise = test.unary(
      .relu6, batchNormalization(&test, test.convolutionNCHW(stem, 4, depthwise: true)))
    let deep = batchNormalization(&test, test.convolutionNCHW(depthwise, 4, size: 1, padding: 0))
    let joined = test.unary(.relu, test.binary(.add, stem, deep))
    // Squeeze and excitation.
    let squeezed = test.reduce(.mean, joined, [2, 3])
    let gate = test.unary(.sigmoid, test.convolutionNCHW(squeezed, 4, size: 1, padding: 0))
    let gated = test.binary(.multiply, joined, gate)
    let wide = test.concatenation([gated, joined], 1)
    let reduced = test.convolutionNCHW(wide, 5, size: 3, stride: 2)
    let flat = test.reshape(reduced, [1, 5 * 4 * 4])
    let graph = try test.canonical(test.linear(flat, 10))
    #expect(transposes(graph) == 0, "\(graph.summary())")
    #expect(graph.tensors[graph.inputs[0]].shape == [1, 8, 8, 3])
    #expect(
      graph.nodes.map(\.operation.summary) == [
        // The first addend stays: padding is zero after it.
        "add", "convolution 3 x 3 padded [1, 1] [1, 1] relu",
        "depthwiseConvolution 3 x 3 padded [1, 1] [1, 1] relu6", "convolution 1 x 1", "add relu",
        "mean over [1, 2]", "convolution 1 x 1", "sigmoid", "multiply", "concatenation 3",
        "convolution 3 x 3 /[2, 2] padded [1, 1] [1, 1]", "reshape", "fullyConnected",
      ], "\(graph.summary())")
  }

  @Test func boundaryStaysWhereAsked() throws {
    var test = FloatGraph()
    let image = test.input([1, 3, 4, 4])
    let y = test.unary(.sigmoid, test.convolutionNCHW(image, 2))
    var options = CanonicalOptions()
    options.channelsLastBoundary = false
    let first = try test.canonical(y, options: options)
    #expect(first.tensors[first.inputs[0]].shape == [1, 3, 4, 4] && transposes(first) == 2)
    #expect(first.tensors[first.outputs[0]].shape == [1, 2, 4, 4])
    let last = try test.canonical(y)
    #expect(last.tensors[last.inputs[0]].shape == [1, 4, 4, 3] && transposes(last) == 0)
    #expect(last.tensors[last.outputs[0]].shape == [1, 4, 4, 2])
    #expect(last.tensors[last.inputs[0]].name == "input 0")
    // The image as it was and transposed gives the same result, transposed.
    let pixels = test.values(48)
    let turned = (0..<48).map { pixels[$0 % 3 * 16 + $0 / 3] }
    let (a, b) = (
      try FloatEvaluator(first).evaluate([FloatTensor(shape: [1, 3, 4, 4], values: pixels)])[0].values,
      try FloatEvaluator(last).evaluate([FloatTensor(shape: [1, 4, 4, 3], values: turned)])[0].values
    )
    let moved = (0..<32).map { a[$0 % 2 * 16 + $0 / 2] }
    #expect(zip(b, moved).map { ($0 - $1).magnitude }.max()! < 1e-5)
  }

  @Test func addendBeforePaddingStays() throws {
    for padding in [0, 1] {
      var test = FloatGraph()
      let image = test.input([1, 2, 5, 5])
      let shifted = test.binary(.add, image, test.constant([2, 1, 1]))
      let graph = try test.canonical(test.convolutionNCHW(shifted, 3, padding: padding))
      #expect(graph.nodes.count == 1 + padding, "\(graph.summary())")
    }
  }

  @Test func whatElseIsReadIsNotFolded() throws {
    var test = FloatGraph()
    let image = test.input([1, 2, 5, 5])
    let convolution = test.convolutionNCHW(image, 3)
    let normal = batchNormalization(&test, convolution)
    let graph = try test.canonical(test.unary(.relu, normal), convolution, normal)
    #expect(graph.nodes.map(\.operation.summary).suffix(3) == ["multiply", "add", "relu"])
  }
}
