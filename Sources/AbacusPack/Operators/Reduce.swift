import AbacusFormat

extension Lowering {
  func lowerReduce(_ node: Node, _ kind: ReduceKind, axes: [Int]) throws {
    let input = try quantized(try self.input(node, 0), node)
    let output = try quantized(try makeOutput(node), node)
    guard axes.allSatisfy(input.shape.indices.contains) else {
      throw PackError(.malformed, "\(node.origin): axes \(axes) of a tensor of shape \(input.shape)")
    }
    let count = axes.map { input.shape[$0] }.reduce(1, *)
    guard output.elementCount * count == input.elementCount else {
      throw PackError(
        .malformed, "\(node.origin): reducing \(input.shape) over \(axes) does not give \(output.shape)")
    }
    let ratio = input.scale / output.scale
    try checkFactor(ratio, node)
    let dyadic = Dyadic(kind == .mean ? ratio / Double(count) : ratio)
    let variant: ReduceVariant =
      switch kind {
      case .sum, .mean: .sum
      case .maximum: .maximum
      case .minimum: .minimum
      }
    var step = Program.Step(.reduce, origin: node.origin)
    step.variant = variant.rawValue
    step.operands = [Operands.input: input.index, Operands.output: output.index]
    step.parameters = littleEndianBytes(
      ReduceParameters(
        axes: axes.reduce(0) { $0 | 1 << UInt32($1) }, inputZeroPoint: Int32(input.zeroPoint),
        multiplier: dyadic.multiplier, stage: stage(output, .none, shift: dyadic.shift)))
    step.accumulatorBound = Int64(count) * input.reach
    try proveBound(step.accumulatorBound, node)
    program.steps.append(step)
  }
}
