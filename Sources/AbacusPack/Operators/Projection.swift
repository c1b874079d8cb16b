import AbacusFormat

// Fully connected layers beyond int8 to int8: other widths, a scale for each channel of the output,
// a residual that is added to the accumulator.

extension Lowering {
  /// True where the operator for int8 rows with one scale does not suffice.
  func needsProjection(_ node: Node) throws -> Bool {
    let output = graph.tensors[node.outputs[0]]
    let isNarrow = output.type == .int8 && output.quantization?.isPerTensor == true
    return try hasInput(node, 3) || !isNarrow || source(node, 0).type == .int16 || source(node, 1).fewBits != nil
      || keptGroups(of: try source(node, 1)) != nil
  }

  /// The groups of int8 weights [out, in] that are kept, where the options say to leave out the others and enough are.
  private func keptGroups(of weights: Tensor) throws -> WeightGroups? {
    guard options.sparsity == .groups, weights.isConstant, weights.type == .int8, weights.fewBits == nil,
      weights.shape.count == 2, weights.quantization?.zeroPoints.allSatisfy({ $0 == 0 }) == true,
      let groups = WeightGroups(try weights.integers(), channels: weights.shape[0], depth: weights.shape[1]),
      groups.keptShare(depth: weights.shape[1]) <= PackOptions.Sparsity.largestKeptShare
    else { return nil }
    return groups
  }

  /// Inputs: rows, weights [out, in], bias?, residual?
  func lowerProjection(_ node: Node, _ activation: Activation, weights: Tensor) throws {
    let input = try wide(try self.input(node, 0), node)
    let residual = hasInput(node, 3) ? try wide(try self.input(node, 3), node) : nil
    let output = try wide(try makeOutput(node), node, perTensor: false)
    let (channels, depth) = (weights.shape[0], weights.shape[1])
    let rows = input.elementCount / depth
    guard rows * depth == input.elementCount, rows * channels == output.elementCount,
      residual.map({ $0.elementCount == output.elementCount }) ?? true,
      output.scales.count == 1 || output.scales.count == channels
    else {
      throw PackError(
        .malformed,
        "\(node.origin): input \(input.shape), weights \(weights.shape) and output \(output.shape) do not go together")
    }
    let codes = try weights.integers()
    var (sums, weightScales) = try foldSums(
      node, input: input, weights: weights, codes: codes, channels: channels, axis: 0, channelOf: { $0 / depth })
    guard sums.zeroPoint == 0 else {
      throw PackError(.unsupported, "\(node.origin): weights \"\(weights.name)\" have a zero point; 0 is supported here")
    }
    let factors = weightScales.indices.map { input.scale * weightScales[$0] / output.scale(ofChannel: $0) }
    for factor in factors { try checkFactor(factor, node) }

    let rounded = weights.fewBits
    let groups = try keptGroups(of: weights)
    let opcode: Opcode = groups != nil ? .sparseProject : rounded == nil ? .project : .codedProject
    var step = Program.Step(opcode, origin: node.origin)
    step.operands = [Operands.input: input.index, Operands.output: output.index]
    step.rowSlots = [Operands.output, Operands.input]
    let multipliers: ChannelMultipliers
    var parameters = ProjectParameters(stage: stage(output, activation, shift: 1))
    if let residual {
      let ratio = residual.scale / output.scale
      try checkFactor(ratio, node)
      let reach = zip(factors, sums.bounds).map { $0 * Double($1) }.max() ?? 0
      try proveBound(Int64((reach + ratio * Double(residual.reach)).rounded(.up)) + 1, node)
      let shared = SharedShift(factors + [ratio], bits: 30)
      multipliers = ChannelMultipliers(multipliers: Array(shared.multipliers.dropLast()), shift: shared.shift)
      parameters.residualMultiplier = shared.multipliers[channels]
      parameters.residualZeroPoint = Int32(residual.zeroPoint)
      step.variant = ProjectVariant.residual.rawValue
      step.operands[Operands.second] = residual.index
      step.rowSlots.insert(Operands.second)
      if residual.type == output.type { step.inPlaceSlots = [Operands.second] }
    } else {
      multipliers = ChannelMultipliers(factors: factors, sums: &sums, outputSteps: output.steps)
    }
    parameters.stage.shift = multipliers.shift
    let folded = FoldedWeights(
      multipliers: multipliers, bias: sums.bias, zeroPoint: 0, bound: sums.bounds.max() ?? 0)
    let takesPairs = PairedLayout.takes(
      parameters, ProjectVariant(rawValue: step.variant), output: output.type.rawValue,
      residual: (residual ?? output).type.rawValue)
    // Loops on quads end with one shift, as projections seldom do.
    let int8Layout = options.weightOrder == .quads ? .rowMajor : weightLayout(folded, depth: depth, takesPairs: takesPairs)
    let layout = rounded.map(WeightLayout.codes) ?? groups.map(WeightLayout.groups) ?? int8Layout
    attach(folded, weights: weights, shape: [channels, depth], codes, to: &step, layout)
    addScratch(for: layout, depth: depth, rows: rows, to: &step)
    step.parameters =
      groups == nil
      ? littleEndianBytes(parameters)
      : littleEndianBytes(SparseProjectParameters(project: parameters, depth: UInt32(depth)))
    step.units = rows
    step.multiplyAccumulates = UInt64(rows * (groups?.values.count ?? channels * depth))
    program.steps.append(step)
  }
}
