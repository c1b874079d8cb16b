import AbacusFormat

// Sums and products of tensors of which any has more than 8 bits.

extension Lowering {
  /// False where all tensors are int8.
  func lowerWideBinary(_ node: Node, _ function: BinaryFunction, _ activation: Activation) throws -> Bool {
    let types = [try source(node, 0).type, try source(node, 1).type, graph.tensors[node.outputs[0]].type]
    guard types.contains(.int16) else { return false }
    let a = try wide(try input(node, 0), node)
    let b = try wide(try input(node, 1), node)
    let output = try wide(try makeOutput(node), node)
    var parameters: BinaryParameters
    var step: Program.Step
    switch function {
    case .add, .subtract:
      step = Program.Step(.addWide, origin: node.origin)
      parameters = try sumParameters(node, &step, a, b, output, activation, sign: function == .add ? 1 : -1)
      step.accumulatorBound = a.reach + b.reach
    case .multiply:
      step = Program.Step(.multiplyWide, origin: node.origin)
      let factor = a.scale * b.scale / output.scale
      try checkFactor(factor, node)
      let dyadic = Dyadic(factor)
      parameters = BinaryParameters(stage: stage(output, activation, shift: dyadic.shift))
      parameters.multiplierA = dyadic.multiplier
      step.accumulatorBound = a.reach * b.reach
      try proveBound(step.accumulatorBound, node)
    case .squaredDifference, .maximum, .minimum, .divide, .power:
      throw PackError(
        .unsupported, "\(node.origin): \(function.rawValue) takes int8 tensors; only sums and products are wider")
    }
    parameters.zeroPointA = Int32(a.zeroPoint)
    parameters.zeroPointB = Int32(b.zeroPoint)
    try setRows(&parameters, &step, node, a, b, output)
    step.operands = [Operands.input: a.index, Operands.second: b.index, Operands.output: output.index]
    if a.shape == output.shape, a.type == output.type { step.inPlaceSlots.append(Operands.input) }
    if b.shape == output.shape, b.type == output.type { step.inPlaceSlots.append(Operands.second) }
    step.parameters = littleEndianBytes(parameters)
    program.steps.append(step)
    return true
  }

  private func sumParameters(
    _ node: Node, _ step: inout Program.Step, _ a: Wide, _ b: Wide, _ output: Wide, _ activation: Activation,
    sign: Double
  ) throws -> BinaryParameters {
    let (ratioA, ratioB) = (a.scale / output.scale, b.scale / output.scale)
    for ratio in [ratioA, ratioB] { try checkFactor(ratio, node) }
    // The sum is not saturated before it is clamped.
    try proveBound(Int64((ratioA * Double(a.reach) + ratioB * Double(b.reach)).rounded(.up)) + 2, node)
    if options.arithmetic.addition == .paper {
      let (first, second) = (Dyadic(ratioA), Dyadic(sign * ratioB))
      step.variant = AddWideVariant.paper.rawValue
      var parameters = BinaryParameters(stage: stage(output, activation, shift: second.shift))
      parameters.multiplierA = first.multiplier
      parameters.innerShift = first.shift
      parameters.multiplierB = second.multiplier
      return parameters
    }
    let shared = SharedShift([ratioA, sign * ratioB], bits: 30)
    var parameters = BinaryParameters(stage: stage(output, activation, shift: shared.shift))
    parameters.multiplierA = shared.multipliers[0]
    parameters.multiplierB = shared.multipliers[1]
    return parameters
  }

  /// Rows of the last dimension, where no operand is broadcast: such a step can be part of a loop.
  private func setRows(
    _ parameters: inout BinaryParameters, _ step: inout Program.Step, _ node: Node, _ a: Wide, _ b: Wide, _ output: Wide
  ) throws {
    var loops: LoopNest
    if a.shape == output.shape && b.shape == output.shape {
      loops = LoopNest(
        extents: [1, 1, 1, 1, output.rows, output.rowLength],
        strides: Array(repeating: [0, 0, 0, 0, output.rowLength, 1], count: 2))
      step.rowSlots = [Operands.output, Operands.input, Operands.second]
    } else {
      loops = try broadcastLoops(node, output: output.shape, [a.shape, b.shape], rank: Limits.maximumRank)
    }
    parameters.setLoops(loops)
    step.units = loops.extents.dropLast().reduce(1, *)
  }

  /// Rows of a constant int8 table with a scale for each, picked by run-time indices. False where the
  /// table is something else.
  func lowerEmbedding(_ node: Node, axis: Int) throws -> Bool {
    let table = try source(node, 0)
    guard axis == 0, table.isConstant, table.type == .int8, table.shape.count == 2,
      let quantization = table.quantization, quantization.axis == 0 || quantization.isPerTensor,
      !quantization.isPerTensor || graph.tensors[node.outputs[0]].type == .int16
    else { return false }
    guard quantization.zeroPoints.allSatisfy({ $0 == 0 }) else {
      throw PackError(.unsupported, "\(node.origin): embedding \"\(table.name)\" has a zero point; 0 is supported")
    }
    let indices = try input(node, 1)
    guard program.tensors[indices].type == .int32 else {
      throw PackError(
        .unsupported, "\(node.origin): indices \"\(program.tensors[indices].name)\" are \(program.tensors[indices].type), expected int32")
    }
    let output = try wide(try makeOutput(node), node)
    let (entries, length) = (table.shape[0], table.shape[1])
    guard output.elementCount == program.tensors[indices].elementCount * length else {
      throw PackError(.malformed, "\(node.origin): rows of \(table.shape) do not give \(output.shape)")
    }
    let factors = (0..<entries).map { quantization.scales[quantization.isPerTensor ? 0 : $0] / output.scale }
    for factor in factors { try checkFactor(factor, node) }
    let shared = SharedShift(factors)
    var step = Program.Step(.embed, origin: node.origin)
    step.operands = [
      Operands.input: indices, Operands.output: output.index,
      Operands.weights: addConstant(
        table.name, shape: table.shape, type: .int8, try table.integers().map { UInt8(truncatingIfNeeded: $0) }),
      Operands.channels: addConstant(
        "\(table.name), multipliers", shape: [entries], type: .int32, shared.multipliers.flatMap(littleEndianBytes)),
    ]
    step.parameters = littleEndianBytes(
      EmbedParameters(stage: stage(output, shift: shared.shift), entries: UInt32(entries), rowLength: UInt32(length)))
    step.units = output.rows
    step.rowSlots = [Operands.output, Operands.input]
    program.steps.append(step)
    return true
  }
}
