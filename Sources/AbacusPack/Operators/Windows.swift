import AbacusFormat

// Geometry that convolutions and pools share, and the pools.

extension WindowAttributes {
  /// Throws unless the window goes together with the shapes and stays within the limits.
  func check(input: [Int], output: [Int], origin: String) throws {
    guard input.count == 4, output.count == 4, input[0] == output[0] else {
      throw PackError(
        .unsupported,
        "\(origin): input \(input) and output \(output); four dimensions (NHWC) are supported")
    }
    let limit = Int(Limits.maximumWindowParameter)
    guard (size + strides + dilations).allSatisfy({ (1...limit).contains($0) }),
      (padBefore + padAfter).allSatisfy({ (0...limit).contains($0) })
    else {
      throw PackError(
        .unsupported,
        "\(origin): window \(size), strides \(strides), dilations \(dilations), padding "
          + "\(padBefore) and \(padAfter) must lie within 1...\(limit) (padding from 0)")
    }
    for axis in 0..<2 {
      let covered = (size[axis] - 1) * dilations[axis] + 1
      let padded = input[axis + 1] + padBefore[axis] + padAfter[axis]
      guard padded >= covered, (padded - covered) / strides[axis] + 1 == output[axis + 1] else {
        throw PackError(
          .malformed,
          "\(origin): a window of \(size) over input \(input) does not give output \(output)")
      }
    }
  }
}

extension Lowering {
  func record(_ window: WindowAttributes) -> Window {
    Window(
      height: UInt32(window.size[0]), width: UInt32(window.size[1]),
      strideHeight: UInt32(window.strides[0]), strideWidth: UInt32(window.strides[1]),
      dilationHeight: UInt32(window.dilations[0]), dilationWidth: UInt32(window.dilations[1]),
      padTop: UInt32(window.padBefore[0]), padLeft: UInt32(window.padBefore[1]))
  }

  func lowerPool(
    _ node: Node, _ kind: PoolKind, _ window: WindowAttributes, _ activation: Activation
  ) throws {
    let input = try quantized(try self.input(node, 0), node)
    let output = try quantized(try makeOutput(node), node)
    try window.check(input: input.shape, output: output.shape, origin: node.origin)
    guard input.shape[3] == output.shape[3], window.dilations == [1, 1] else {
      throw PackError(
        .unsupported, "\(node.origin): pools keep the number of channels and have no dilation")
    }
    let taps = window.size[0] * window.size[1]
    switch kind {
    case .max:
      // A maximum keeps codes, so a change of scale is a step of its own.
      let same = input.scale == output.scale && input.zeroPoint == output.zeroPoint
      let target = same ? output : try quantized(addTemporary(like: output.index, name: "\(node.origin), maximum"), node)
      var step = Program.Step(.maxPool, origin: node.origin)
      step.operands = [Operands.input: input.index, Operands.output: target.index]
      step.parameters = littleEndianBytes(
        PoolParameters(
          window: record(window),
          stage: same
            ? stage(output, activation, shift: 1)
            : OutputStage(shift: 1, zeroPoint: 0, low: -128, high: 127),
          inputZeroPoint: Int32(input.zeroPoint)))
      step.units = output.shape[0] * output.shape[1]
      program.steps.append(step)
      if !same {
        let table = requantizationTable(from: input, to: output, activation)
        addTable(table, from: target.index, to: output.index, origin: node.origin)
      }
    case .average:
      let hasPadding =
        window.padBefore != [0, 0] || window.padAfter != [0, 0]
      let counts = hasPadding ? Array(1...taps) : [taps]
      let factors = counts.map { input.scale / output.scale / Double($0) }
      try checkFactor(factors[0], node)
      let reciprocals = SharedShift(factors)
      var step = Program.Step(.averagePool, origin: node.origin)
      step.operands = [Operands.input: input.index, Operands.output: output.index]
      step.operands[Operands.weights] = addConstant(
        "\(node.origin), reciprocals", shape: [counts.count], type: .int32,
        reciprocals.multipliers.flatMap(littleEndianBytes))
      step.parameters = littleEndianBytes(
        PoolParameters(
          window: record(window), stage: stage(output, activation, shift: reciprocals.shift),
          inputZeroPoint: Int32(input.zeroPoint)))
      step.units = output.shape[0] * output.shape[1]
      step.accumulatorBound = Int64(taps) * input.reach
      try proveBound(step.accumulatorBound, node)
      program.steps.append(step)
    }
  }
}
