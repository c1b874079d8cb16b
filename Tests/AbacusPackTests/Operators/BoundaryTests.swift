import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// What models look like from outside: uint8 and float boundaries, names, scales.
@Suite struct BoundaryTests {
  @Test func unsignedGraphs() throws {
    for seed in 0..<20 {
      var test = TestGraph(seed: seed)
      let input = test.input([1, 4, 4, 2], scale: 0.03, zeroPoint: 120, type: .uint8)
      let weights = test.constant(
        [3, 2, 2, 2], Quantization(scale: 0.02, zeroPoint: 131), type: .uint8)
      let bias = test.constant(
        [3], Quantization(scale: 0.03 * 0.02, zeroPoint: 0), codes: [900, -400, 10], type: .int32)
      let window = WindowAttributes(size: [2, 2], padBefore: [1, 0], padAfter: [0, 1])
      test.output(
        .convolution(window, groups: 1, .relu), [input, weights, bias], [1, 4, 4, 3], scale: 0.1,
        zeroPoint: 7, type: .uint8)
      try Execution.check(test, "seed \(seed)")
      let model = try Model(try Packer.pack(test.graph).blob)
      #expect(model.inputs[0].type == .int8 && model.inputs[0].zeroPoint == -8)
      #expect(model.outputs[0].type == .int8 && model.outputs[0].zeroPoint == -121)
    }
  }

  /// Float inputs and outputs that are only converted are offered as integers, under their own names.
  @Test func floatBoundaries() throws {
    var test = TestGraph(seed: 1)
    let real = test.graph.add(Tensor(name: "image", shape: [2, 3], type: .float32))
    let quantized = test.add(.requantize, [real], [2, 3], scale: 0.1, zeroPoint: 5)
    let result = test.add(.unary(.tanh), [quantized], [2, 3], scale: 1.0 / 128)
    let output = test.graph.add(Tensor(name: "answer", shape: [2, 3], type: .float32))
    test.graph.nodes.append(Node(.requantize, inputs: [result], outputs: [output], origin: "dequantize"))
    test.graph.inputs = [real]
    test.graph.outputs = [output]
    let model = try Model(try Packer.pack(test.graph).blob)
    #expect(model.requirements.operatorCount == 1)
    #expect(model.inputs.map(\.name) == ["image"] && model.outputs.map(\.name) == ["answer"])
    #expect(model.inputs[0].type == .int8 && model.inputs[0].zeroPoint == 5)
    #expect(abs(model.inputs[0].scale - 0.1) < 1e-9 && abs(model.outputs[0].scale - 1.0 / 128) < 1e-9)
    #expect(try model([[0, 5, 15, 251, 128, 127].map { UInt8($0) }]).count == 1)
  }

  /// One float result offered twice.
  @Test func floatOutputListedTwice() throws {
    var test = TestGraph(seed: 1)
    let input = test.input([4], scale: 0.1, zeroPoint: 0)
    let result = test.add(.unary(.negate), [input], [4], scale: 0.1)
    let output = test.graph.add(Tensor(name: "answer", shape: [4], type: .float32))
    test.graph.nodes.append(Node(.requantize, inputs: [result], outputs: [output], origin: "dequantize"))
    test.graph.outputs = [output, output]
    let model = try Model(try Packer.pack(test.graph).blob)
    let answers = try model([[1, 2, 3, 4]])
    #expect(answers.count == 2 && answers[0] == answers[1] && answers[0] == [255, 254, 253, 252])
  }

  @Test func floatInsideIsRefused() {
    var test = TestGraph(seed: 1)
    let input = test.graph.add(Tensor(name: "x", shape: [2], type: .float32))
    let output = test.graph.add(Tensor(name: "y", shape: [2], type: .float32))
    test.graph.nodes.append(Node(.unary(.tanh), inputs: [input], outputs: [output], origin: "TANH"))
    test.graph.inputs = [input]
    test.graph.outputs = [output]
    #expect {
      try Packer.pack(test.graph)
    } throws: { error in
      (error as? PackError)?.kind == .unsupported && "\(error)".contains("integers only")
    }
  }

  @Test func strippingRemovesNamesOnly() throws {
    var test = TestGraph(seed: 1)
    let input = test.input([2, 3])
    test.output(.unary(.relu), [input], [2, 3], scale: 0.1)
    var options = PackOptions()
    options.labels = ["no", "yes"]
    let named = try Packer.pack(test.graph, options: options).blob
    options.strip = true
    let stripped = try Packer.pack(test.graph, options: options).blob
    #expect(stripped.count < named.count)
    #expect(try Model(named).inputs[0].name == "input 0")
    #expect(try BlobDescription(named, name: "test").labels == ["no", "yes"])
    #expect(try Model(stripped).inputs[0].name == "")
    #expect(try BlobDescription(stripped, name: "test").labels == [])
    let inputs = [ElementType.int8.bytes(of: test.inputCodes[0])]
    #expect(try Model(named)(inputs) == Model(stripped)(inputs))
    try Model(stripped).verifyChecksum()
  }
}
