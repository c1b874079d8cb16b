import AbacusFormat
import AbacusRuntime
import Foundation

extension Lowering {
  /// From this many elements on, 1 KB of table costs less than computing the exponentials.
  private static let tableThreshold = 2048

  func lowerSoftmax(_ node: Node, beta: Double) throws {
    let input = try quantized(try self.input(node, 0), node)
    let output = try quantized(try makeOutput(node), node)
    let length = input.shape.last ?? 1
    guard input.elementCount == output.elementCount, beta > 0, beta.isFinite else {
      throw PackError(.malformed, "\(node.origin): softmax of \(input.shape) with beta \(beta)")
    }
    guard length <= Int(Limits.maximumSoftmaxRow) else {
      throw PackError(
        .unsupported,
        "\(node.origin): a softmax over \(length) values; at most \(Limits.maximumSoftmaxRow) are supported")
    }
    // The operator's own output scale is 1/256 with zero point -128.
    let isNatural = output.scale == 1.0 / 256 && output.zeroPoint == -128
    var target = output
    if !isNatural {
      target.index = addTemporary(like: output.index, name: "\(node.origin), probabilities")
      target.scale = 1.0 / 256
      target.zeroPoint = -128
      program.tensors[target.index].scale = target.scale
      program.tensors[target.index].zeroPoint = target.zeroPoint
    }
    let factor = beta * input.scale * M_LOG2E * 65_536
    try checkFactor(factor, node)
    let dyadic = Dyadic(factor)
    var step = Program.Step(.softmax, origin: node.origin)
    step.operands = [Operands.input: input.index, Operands.output: target.index]
    if input.elementCount >= Self.tableThreshold {
      let table = (0..<256).flatMap { d -> [UInt8] in
        let t = exponentArgument(Int32(d), multiplier: dyadic.multiplier, shift: dyadic.shift)
        return littleEndianBytes(exponentQ20(t))
      }
      step.operands[Operands.weights] = addConstant(
        "\(node.origin), exponentials", shape: [256], type: .int32, table)
    }
    step.parameters = littleEndianBytes(
      SoftmaxParameters(
        rowLength: UInt32(length), multiplier: dyadic.multiplier, shift: dyadic.shift))
    step.units = input.elementCount / length
    step.accumulatorBound = Int64(length) << 20
    step.inPlaceSlots = [Operands.input]
    program.steps.append(step)
    if !isNatural {
      addTable(
        requantizationTable(from: target, to: output, .none), from: target.index, to: output.index,
        origin: node.origin)
    }
  }
}
