import Testing

@testable import AbacusPack

@Suite struct RequantizeTests {
  @Test(arguments: [DataType.int8, .int16, .int32], [DataType.int8, .int16, .int32])
  func widths(from: DataType, to: DataType) throws {
    for seed in 0..<40 {
      var test = TestGraph(seed: seed)
      let spans: [DataType: Double] = [.int8: 256, .int16: 65536, .int32: 4_000_000]
      let input = test.input(
        [3, 20], scale: test.scale(1 / spans[from]!), zeroPoint: from == .int8 ? test.random(-128...127) : 0,
        type: from)
      test.output(
        .requantize, [input], [3, 20], scale: test.scale(1 / spans[to]!),
        zeroPoint: to == .int8 ? test.random(-128...127) : 0, type: to)
      // 32 bits have more steps than a multiplier of 31 bits resolves exactly.
      try Execution.check(test, tolerance: Execution.tolerance + (to == .int32 ? 1.0 / 64 : 0), "seed \(seed)")
    }
  }

  @Test func everyCodeBetweenScales() throws {
    for (scale, zeroPoint, outputScale, outputZeroPoint) in [
      (0.1, 0, 0.1, 0), (0.1, -5, 0.1, 9), (0.1, 0, 0.05, 0), (0.1, 100, 0.3, -100), (0.1, -128, 7, 127),
      (1e-6, 0, 1, 0), (1.0, 0, 1e-6, 0),
    ] {
      var test = TestGraph(seed: 1)
      let input = test.input([256], scale: scale, zeroPoint: zeroPoint, codes: Array(-128...127))
      test.output(.requantize, [input], [256], scale: outputScale, zeroPoint: outputZeroPoint)
      try Execution.check(test, "\(scale) \(outputScale)")
    }
  }

  @Test func thereAndBack() throws {
    var test = TestGraph(seed: 2)
    let input = test.input([50], scale: 0.1, zeroPoint: 4)
    let wide = test.add(.requantize, [input], [50], scale: 0.1 / 200, type: .int16)
    let wider = test.add(.requantize, [wide], [50], scale: 1e-6, type: .int32)
    test.graph.outputs = [wide, wider]
    test.output(.requantize, [wider], [50], scale: 0.1, zeroPoint: 4)
    let outputs = try Execution.check(test, tolerance: 0.6)
    #expect(outputs[2] == test.inputCodes[0])
  }

  /// A quantised constant with another scale is another constant: no step is left.
  @Test func constantsAreFolded() throws {
    var test = TestGraph(seed: 3)
    let input = test.input([20], scale: 0.1)
    let constant = test.constant([20], Quantization(scale: 0.2, zeroPoint: 5))
    let rescaled = test.add(.requantize, [constant], [20], scale: 0.25, zeroPoint: -9)
    let sum = test.add(.binary(.add, .none), [input, rescaled], [20], scale: 0.3)
    test.graph.outputs = [sum]
    let packed = try Packer.pack(test.graph)
    #expect(packed.planned.program.steps.map(\.opcode) == [.add])
    let codes = try Execution.run(test.graph, test.inputCodes)[0]
    let zero = test.graph.tensors[input].quantization!.zeroPoints[0]
    let values = try test.graph.tensors[constant].integers()
    for (index, code) in codes.enumerated() {
      let real = Double(test.inputCodes[0][index] - zero) * 0.1 + Double(values[index] - 5) * 0.2
      // Both roundings of the constant's own grid count.
      #expect(abs(Double(code) - min(max(real / 0.3, -128), 127)) <= Execution.tolerance + 0.5 * 0.25 / 0.3)
    }
  }
}
