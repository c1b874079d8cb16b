import Testing

@testable import AbacusPack

/// Quantised models become graphs of integers as TFLite has them.
@Suite struct ONNXQuantizationTests {
  /// Adds a scale and a zero point.
  private func scale(_ writer: inout ONNXModelWriter, _ name: String, _ scale: Float, _ zeroPoint: Int) {
    writer.constant("\(name)_s", [], [scale])
    writer.constant(ONNXModelWriter.integers("\(name)_z", [], [zeroPoint], .int8))
  }

  /// Quantised, and seen as real again.
  private func pair(_ writer: inout ONNXModelWriter, _ from: String, _ to: String, _ step: Float, _ zeroPoint: Int) {
    scale(&writer, to, step, zeroPoint)
    writer.node("QuantizeLinear", [from, "\(to)_s", "\(to)_z"], ["\(to)_q"])
    writer.node("DequantizeLinear", ["\(to)_q", "\(to)_s", "\(to)_z"], [to])
  }

  /// x -> convolution (scales by channel) -> Relu -> maximum -> y, quantised everywhere.
  private var convolution: ONNXModelWriter {
    var writer = ONNXModelWriter()
    writer.input("image", [1, 1, 4, 4])
    pair(&writer, "image", "x", 0.5, 2)
    writer.constant(ONNXModelWriter.integers("w_q", [2, 1, 1, 1], [4, -8], .int8))
    writer.constant("w_s", [2], [0.25, 0.5])
    writer.constant(ONNXModelWriter.integers("w_z", [2], [0, 0], .int8))
    writer.node("DequantizeLinear", ["w_q", "w_s", "w_z"], ["w"], [("axis", .int(0))])
    writer.constant("b", [2], [1, 30])
    writer.node("Conv", ["x", "w", "b"], ["c"])
    writer.node("Relu", ["c"], ["r"])
    pair(&writer, "r", "m", 0.25, -128)
    writer.node("MaxPool", ["m"], ["p"], [("kernel_shape", .ints([2, 2])), ("strides", .ints([2, 2]))])
    pair(&writer, "p", "y", 0.25, -128)
    writer.output("y")
    return writer
  }

  @Test func everythingBetweenNodesIsInteger() throws {
    let graph = try convolution.load()
    let window = WindowAttributes(size: [1, 1])
    #expect(
      graph.nodes.map(\.operation) == [
        .requantize, .reshape, .convolution(window, groups: 1, .relu),
        .pool(.max, WindowAttributes(size: [2, 2], strides: [2, 2]), .none),
        .transpose(permutation: [0, 3, 1, 2]), .requantize,
      ])
    let node = try #require(graph.nodes.first { $0.operation == .convolution(window, groups: 1, .relu) })
    let operands = node.inputs.compactMap { $0.map { graph.tensors[$0] } }
    #expect(operands.map(\.type) == [.int8, .int8, .int32])
    #expect(operands[0].quantization == Quantization(scale: 0.5, zeroPoint: 2))
    #expect(operands[1].quantization == Quantization(scales: [0.25, 0.5], zeroPoints: [0, 0], axis: 0))
    #expect(operands[2].quantization?.scales == [0.125, 0.25])
    #expect(operands[2].indexValues == [8, 120])
    #expect(graph.tensors[node.outputs[0]].quantization == Quantization(scale: 0.25, zeroPoint: -128))
    // The packer takes it.
    #expect(try Packer.pack(graph).blob.count > 0)
  }

  @Test func computesOnItsGrids() throws {
    let image = (0..<16).map { Float($0) - 5.1 }
    let output = try convolution.evaluate([image])[0]
    // Rounded to steps of 0.5, times 1 and -4, biased, clamped, the largest of four.
    let x = image.map { ($0 / 0.5).rounded() * 0.5 }
    let blocks = [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    let expected = [(Float(1), Float(1)), (-4, 30)].flatMap { weight, bias in
      blocks.map { block in block.map { min(max(x[$0] * weight + bias, 0), 63.75) }.max()! }
    }
    #expect(output.shape == [1, 2, 2, 2])
    #expect(output.values == expected)
  }

  /// The same product as QDQ, as QLinearMatMul and as MatMulInteger with a factor.
  @Test func threeFormsOfAProduct() throws {
    func writer(_ body: (inout ONNXModelWriter) -> Void) -> ONNXModelWriter {
      var writer = ONNXModelWriter()
      writer.input("a", [1, 2])
      scale(&writer, "x", 0.5, 3)
      scale(&writer, "w", 0.25, 0)
      scale(&writer, "y", 0.125, 0)
      writer.constant(ONNXModelWriter.integers("w_q", [2, 2], [1, 2, 3, -4], .int8))
      writer.node("QuantizeLinear", ["a", "x_s", "x_z"], ["x_q"])
      body(&writer)
      writer.output("y")
      return writer
    }
    let pairs = writer { writer in
      writer.node("DequantizeLinear", ["x_q", "x_s", "x_z"], ["x"])
      writer.node("DequantizeLinear", ["w_q", "w_s", "w_z"], ["w"])
      writer.node("MatMul", ["x", "w"], ["y"])
    }
    let linear = writer { writer in
      writer.node("QLinearMatMul", ["x_q", "x_s", "x_z", "w_q", "w_s", "w_z", "y_s", "y_z"], ["y_q"])
      writer.node("DequantizeLinear", ["y_q", "y_s", "y_z"], ["y"])
    }
    let integer = writer { writer in
      writer.constant("factor", [], [0.125])
      writer.node("MatMulInteger", ["x_q", "w_q", "x_z", "w_z"], ["sum"])
      writer.node("Cast", ["sum"], ["real"], [("to", .int(1))])
      writer.node("Mul", ["real", "factor"], ["y"])
    }
    for writer in [pairs, linear, integer] {
      let output = try writer.evaluate([[1.1, -2]])[0]
      #expect(output.values == [-1.25, 2.5])
      let product = try #require(try writer.load().nodes.first { $0.operation == .fullyConnected(.none) })
      let graph = try writer.load()
      #expect(product.inputs.prefix(2).compactMap { $0.map { graph.tensors[$0].type } } == [.int8, .int8])
    }
  }

  /// Scales that are only known at run time leave the activations real; the weights keep theirs.
  @Test func dynamicQuantization() throws {
    var writer = ONNXModelWriter()
    writer.input("a", [1, 2])
    scale(&writer, "w", 0.25, 0)
    writer.constant(ONNXModelWriter.integers("w_q", [2, 2], [1, 2, 3, -4], .int8))
    writer.node("DynamicQuantizeLinear", ["a"], ["q", "q_s", "q_z"])
    writer.node("MatMulInteger", ["q", "w_q", "q_z", "w_z"], ["sum"])
    writer.node("Cast", ["sum"], ["real"], [("to", .int(1))])
    writer.node("Mul", ["q_s", "w_s"], ["factor"])
    writer.node("Mul", ["real", "factor"], ["y"])
    writer.output("y")
    #expect(try writer.evaluate([[4, 8]])[0].values == [7, -6])
    writer.node("Cast", ["q"], ["z"], [("to", .int(1))])
    writer.output("z")
    let error = #expect(throws: PackError.self) { try writer.load() }
    #expect(error?.description.contains("reads a result of dynamic quantisation") == true)
  }

  @Test func constantsThatTheModelQuantizes() throws {
    var writer = ONNXModelWriter()
    writer.input("a", [1, 2])
    pair(&writer, "a", "x", 0.5, 0)
    writer.constant("factor", [], [1.6])
    pair(&writer, "factor", "f", 0.25, 0)
    writer.node("Mul", ["x", "f"], ["p"])
    pair(&writer, "p", "y", 0.5, 0)
    writer.output("y")
    let graph = try writer.load()
    let node = try #require(graph.nodes.first { $0.operation == .binary(.multiply, .none) })
    #expect(node.inputs[1].flatMap { graph.tensors[$0].data } == [6])
    #expect(node.inputs.compactMap { $0.map { graph.tensors[$0].type } } == [.int8, .int8])
    #expect(graph.tensors[node.outputs[0]].type == .int8)
  }
}
