import AbacusFormat

// Element-wise operators with two inputs; `BinaryParameters` has their formulas.

extension Lowering {
  func lowerBinary(_ node: Node, _ function: BinaryFunction, _ activation: Activation) throws {
    if try lowerWideBinary(node, function, activation) { return }
    let a = try quantized(try input(node, 0), node)
    let b = try quantized(try input(node, 1), node)
    let output = try quantized(try makeOutput(node), node)
    let (ratioA, ratioB) = (a.scale / output.scale, b.scale / output.scale)
    for ratio in [ratioA, ratioB] { try checkFactor(ratio, node) }

    switch function {
    case .add, .subtract:
      let sign = function == .add ? 1.0 : -1.0
      // The sum is not saturated before it is clamped.
      try proveBound(
        Int64((ratioA * Double(a.reach) + ratioB * Double(b.reach)).rounded(.up)) + 1, node)
      let shared = SharedShift([ratioA, sign * ratioB], bits: 30)
      try addBinary(node, .add, a, b, output, activation, shift: shared.shift) {
        $0.multiplierA = shared.multipliers[0]
        $0.multiplierB = shared.multipliers[1]
      }
    case .multiply:
      try checkFactor(a.scale * b.scale / output.scale, node)
      let dyadic = Dyadic(a.scale * b.scale / output.scale)
      try addBinary(node, .multiply, a, b, output, activation, shift: dyadic.shift) {
        $0.multiplierA = dyadic.multiplier
      }
    case .squaredDifference:
      // The difference on a grid that fills 15 bits, so that its square fits 30.
      let reach = Double(a.reach) * a.scale + Double(b.reach) * b.scale
      let grid = reach / 32_000
      try checkFactor(grid * grid / output.scale, node)
      let inner = SharedShift([a.scale / grid, -b.scale / grid], bits: 30)
      let outer = Dyadic(grid * grid / output.scale)
      try addBinary(node, .squaredDifference, a, b, output, activation, shift: outer.shift) {
        $0.multiplierA = inner.multipliers[0]
        $0.multiplierB = inner.multipliers[1]
        $0.innerShift = inner.shift
        $0.outerMultiplier = outer.multiplier
      }
    case .maximum, .minimum:
      let shared = SharedShift([ratioA, ratioB])
      try addBinary(
        node, function == .maximum ? .maximum : .minimum, a, b, output, activation, shift: shared.shift
      ) {
        $0.multiplierA = shared.multipliers[0]
        $0.multiplierB = shared.multipliers[1]
      }
    case .divide, .power:
      throw PackError(
        .unsupported,
        "\(node.origin): \(function.rawValue) of two run-time tensors has no integer form; a constant divisor "
          + "can be folded into a multiplication")
    }
  }

  func lowerPrelu(_ node: Node) throws {
    let a = try quantized(try input(node, 0), node)
    let slope = try quantized(try input(node, 1), node)
    let output = try quantized(try makeOutput(node), node)
    let factors = [a.scale / output.scale, a.scale * slope.scale / output.scale]
    for factor in factors { try checkFactor(factor, node) }
    let shared = SharedShift(factors)
    try addBinary(node, .prelu, a, slope, output, .none, shift: shared.shift) {
      $0.multiplierA = shared.multipliers[0]
      $0.multiplierB = shared.multipliers[1]
    }
  }

  private func addBinary(
    _ node: Node, _ opcode: Opcode, _ a: Quantized, _ b: Quantized, _ output: Quantized,
    _ activation: Activation, shift: Int32, configure: (inout BinaryParameters) -> Void
  ) throws {
    let loops = try broadcastLoops(
      node, output: output.shape, [a.shape, b.shape], rank: Limits.maximumRank)
    var parameters = BinaryParameters(stage: stage(output, activation, shift: shift))
    parameters.setLoops(loops)
    parameters.zeroPointA = Int32(a.zeroPoint)
    parameters.zeroPointB = Int32(b.zeroPoint)
    configure(&parameters)
    var step = Program.Step(opcode, origin: node.origin)
    step.operands = [
      Operands.input: a.index, Operands.second: b.index, Operands.output: output.index,
    ]
    step.parameters = littleEndianBytes(parameters)
    step.units = loops.extents.dropLast().reduce(1, *)
    step.accumulatorBound =
      opcode == .multiply || opcode == .prelu ? a.reach * b.reach : a.reach + b.reach
    // Element i of the output depends on element i of an input that is not broadcast.
    if a.shape == output.shape { step.inPlaceSlots.append(Operands.input) }
    if b.shape == output.shape { step.inPlaceSlots.append(Operands.second) }
    program.steps.append(step)
  }
}

extension BinaryParameters {
  mutating func setLoops(_ loops: LoopNest) {
    for dimension in 0..<Limits.maximumRank {
      dims[dimension] = UInt32(loops.extents[dimension])
      strideA[dimension] = UInt32(loops.strides[0][dimension])
      strideB[dimension] = UInt32(loops.strides[1][dimension])
    }
  }
}
