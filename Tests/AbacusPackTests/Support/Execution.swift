import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// Packs graphs, runs the blobs, and compares with real numbers.
enum Execution {
  /// Half a step for the one rounding, and what a multiplier of 31 bits may lose.
  static let tolerance = 0.5 + 1.0 / 64

  /// Codes of the model's outputs, as the graph's own types count them.
  static func run(
    _ graph: Graph, _ inputs: [[Int]], options: PackOptions = PackOptions(), bySteps: Bool = false
  ) throws -> [[Int]] {
    let model = try Model(try Packer.pack(graph, options: options).blob)
    for (index, id) in graph.inputs.enumerated() {
      let shift = graph.tensors[id].type == .uint8 ? 128 : 0
      try model.setInput(index, model.inputs[index].type.bytes(of: inputs[index].map { $0 - shift }))
    }
    if bySteps {
      while try model.step() {}
    } else {
      try model.run()
    }
    #expect(model.guardsAreIntact)
    return try graph.outputs.indices.map { index in
      let shift = graph.tensors[graph.outputs[index]].type == .uint8 ? 128 : 0
      return model.outputs[index].type.codes(of: try model.output(index)).map { $0 + shift }
    }
  }

  /// Runs a graph whose every intermediate result is an output (or real), and compares each node's
  /// codes with what its inputs give in real numbers. Runs it again in the smallest steps.
  ///
  /// - Returns: the codes of the outputs.
  @discardableResult
  static func check(
    _ test: TestGraph, options: PackOptions = PackOptions(), tolerance: Double = Execution.tolerance,
    _ comment: @autoclosure () -> String = "", sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> [[Int]] {
    let graph = test.graph
    let outputs = try run(graph, test.inputCodes, options: options)
    var stepwise = options
    stepwise.multiplyAccumulatesPerStep = 1
    let again = try run(graph, test.inputCodes, options: stepwise, bySteps: true)
    #expect(outputs == again, "\(comment()) in steps", sourceLocation: sourceLocation)
    if let difference = try firstDifference(graph, test.inputCodes, outputs, tolerance) {
      Issue.record("\(comment()): \(difference)", sourceLocation: sourceLocation)
    }
    return outputs
  }

  private static func firstDifference(
    _ graph: Graph, _ inputs: [[Int]], _ outputs: [[Int]], _ tolerance: Double
  ) throws -> String? {
    var real: [Graph.TensorID: RealTensor] = [:]
    for (id, tensor) in graph.tensors.enumerated() where tensor.isConstant {
      real[id] = RealTensor(codes: try tensor.integers(), of: tensor)
    }
    for (id, codes) in zip(graph.inputs, inputs) { real[id] = RealTensor(codes: codes, of: graph.tensors[id]) }
    for node in graph.nodes {
      let id = node.outputs[0]
      let tensor = graph.tensors[id]
      let expected = RealReference.evaluate(
        node.operation, node.inputs.map { $0.map { real[$0]! } }, shape: tensor.shape)
      real[id] = expected
      guard let position = graph.outputs.firstIndex(of: id) else { continue }
      let codes = outputs[position]
      if codes.count != expected.values.count { return "\(codes.count) elements in \(tensor.shape)" }
      for (index, code) in codes.enumerated() {
        let wanted = tensor.code(of: expected.values[index])
        if !(abs(Double(code) - wanted) <= tolerance) {
          return "\(node.origin), element \(RealTensor.index(index, tensor.shape)): \(code), not \(wanted)"
        }
      }
      real[id] = RealTensor(codes: codes, of: tensor)
    }
    return nil
  }
}

extension Tensor {
  /// The code of a real value, not rounded, clamped to the type.
  func code(of value: Double) -> Double {
    let zeroPoint = Double(quantization?.zeroPoints[0] ?? 0)
    let code = value / (quantization?.scales[0] ?? 1) + zeroPoint
    let (low, high): (Double, Double) =
      switch type {
      case .int8: (-128, 127)
      case .uint8: (0, 255)
      case .int16: (-32768, 32767)
      default: (-0x1p31, 0x1p31 - 1)
      }
    return code.isNaN ? zeroPoint : min(max(code, low), high)
  }
}
