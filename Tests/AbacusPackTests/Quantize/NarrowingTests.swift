import AbacusRuntime
import Foundation
import Testing

@testable import AbacusPack

/// Operators that take int8 only, behind a residual stream of 16 bits.
@Suite struct NarrowingTests {
  /// x + tanh(x) and the normalisation that makes x a residual.
  @Test func operandsOfEightBitsAreMadeFromSixteen() throws {
    var float = FloatGraph()
    let x = float.input([1, 4, 8])
    let scale = float.constant([8], Array(repeating: 1, count: 8))
    let normalized = float.add(.layerNormalization(epsilon: 1e-6), [x, scale, nil], [1, 4, 8])
    let tanh = float.unary(.tanh, x)
    let larger = float.binary(.maximum, x, float.constant([8]))
    float.graph.outputs = [normalized, tanh, larger]
    let graph = try float.graph.canonical()
    var random = SeededGenerator(state: 3)
    let values = (0..<32).map { _ in Float.random(in: -2...2, using: &random) }
    let calibration = try Calibration(
      graph, samples: { _ in [FloatTensor(shape: [1, 4, 8], values: values)] }, count: 1)
    let quantized = try Quantizer.quantize(graph, calibration, options: QuantizeOptions())
    #expect(quantized.tensors[quantized.inputs[0]].type == .int16)
    let narrowed = quantized.nodes.filter { $0.operation == .requantize }
    #expect(narrowed.count == 1)
    let code = try #require(narrowed.first?.outputs[0])
    for operation in [AbacusPack.Operation.unary(.tanh), .binary(.maximum, .none)] {
      #expect(quantized.nodes.first { $0.operation == operation }?.inputs[0] == code)
    }
    let model = try Model(try Packer.pack(quantized).blob)
    #expect(model.outputs.map(\.type) == [.int8, .int8, .int8])
    let step = model.inputs[0].scale
    let codes = values.map { Int((Double($0) / step).rounded()) }
    let output = try model([model.inputs[0].type.bytes(of: codes)])[1]
    for (value, byte) in zip(values, output) {
      let real = (Double(Int8(bitPattern: byte)) - Double(model.outputs[1].zeroPoint)) * model.outputs[1].scale
      #expect(abs(real - Foundation.tanh(Double(value))) < 0.02)
    }
  }
}
