import AbacusFormat

// Products of two run-time matrices.

extension Lowering {
  func lowerMatrixMultiply(_ node: Node, transposeA: Bool, transposeB: Bool) throws {
    if try lowerAsFullyConnected(node, transposeA: transposeA, transposeB: transposeB) { return }
    let a = try quantized(try input(node, 0), node)
    let b = try quantized(try input(node, 1), node)
    let output = try quantized(try makeOutput(node), node)
    guard a.shape.count >= 2, b.shape.count >= 2, output.shape.count >= 2 else {
      throw PackError(.malformed, "\(node.origin): \(a.shape) times \(b.shape): both need two dimensions")
    }
    let (rowsA, columnsA) = (a.shape[a.shape.count - 2], a.shape[a.shape.count - 1])
    let (rowsB, columnsB) = (b.shape[b.shape.count - 2], b.shape[b.shape.count - 1])
    let (rows, depth) = transposeA ? (columnsA, rowsA) : (rowsA, columnsA)
    let (columns, depthB) = transposeB ? (rowsB, columnsB) : (columnsB, rowsB)
    let batch = Array(output.shape.dropLast(2))
    guard depth == depthB, Array(output.shape.suffix(2)) == [rows, columns] else {
      throw PackError(
        .malformed, "\(node.origin): \(a.shape) times \(b.shape) does not give \(output.shape)")
    }
    let loops = try broadcastLoops(
      node, output: batch, [Array(a.shape.dropLast(2)), Array(b.shape.dropLast(2))],
      units: [rowsA * columnsA, rowsB * columnsB], rank: 4)
    try addProduct(
      node, a, b, output, .none, biasPosition: nil,
      configure: { p in
        for dimension in 0..<4 {
          p.batch[dimension] = UInt32(loops.extents[dimension])
          p.batchStrideA[dimension] = UInt32(loops.strides[0][dimension])
          p.batchStrideB[dimension] = UInt32(loops.strides[1][dimension])
        }
        p.rows = UInt32(rows)
        p.columns = UInt32(columns)
        p.depth = UInt32(depth)
        (p.rowStrideA, p.depthStrideA) = transposeA ? (1, UInt32(columnsA)) : (UInt32(columnsA), 1)
        (p.columnStrideB, p.depthStrideB) = transposeB ? (UInt32(columnsB), 1) : (1, UInt32(columnsB))
      })
  }

  /// A fully connected layer whose weights [out, in] are computed at run time.
  func lowerRunTimeFullyConnected(_ node: Node, _ activation: Activation) throws {
    let a = try quantized(try input(node, 0), node)
    let b = try quantized(try input(node, 1), node)
    let output = try quantized(try makeOutput(node), node)
    guard b.shape.count == 2, a.elementCount % b.shape[1] == 0,
      a.elementCount / b.shape[1] * b.shape[0] == output.elementCount
    else {
      throw PackError(
        .malformed, "\(node.origin): input \(a.shape), weights \(b.shape) and output \(output.shape) do not go together")
    }
    try addProduct(
      node, a, b, output, activation, biasPosition: 2,
      configure: { p in
        p.rows = UInt32(a.elementCount / b.shape[1])
        p.columns = UInt32(b.shape[0])
        p.depth = UInt32(b.shape[1])
        p.rowStrideA = p.depth
        p.columnStrideB = p.depth
      })
  }

  private func addProduct(
    _ node: Node, _ a: Quantized, _ b: Quantized, _ output: Quantized, _ activation: Activation,
    biasPosition: Int?, configure: (inout MatrixMultiplyParameters) -> Void
  ) throws {
    let factor = a.scale * b.scale / output.scale
    try checkFactor(factor, node)
    let dyadic = Dyadic(factor)
    var parameters = MatrixMultiplyParameters(stage: stage(output, activation, shift: dyadic.shift))
    configure(&parameters)
    parameters.zeroPointA = Int32(a.zeroPoint)
    parameters.zeroPointB = Int32(b.zeroPoint)
    parameters.multiplier = dyadic.multiplier
    var step = Program.Step(.matrixMultiply, origin: node.origin)
    step.operands = [
      Operands.input: a.index, Operands.second: b.index, Operands.output: output.index,
    ]
    step.accumulatorBound = Int64(parameters.depth) * a.reach * b.reach
    if let biasPosition, hasInput(node, biasPosition) {
      let bias = try source(node, biasPosition)
      guard bias.isConstant, bias.elementCount == Int(parameters.columns) else {
        throw PackError(
          .unsupported, "\(node.origin): bias \"\(bias.name)\" must be a constant of \(parameters.columns) elements")
      }
      let codes = try bias.integers().map { Int32(clamping: $0) }
      step.operands[Operands.channels] = addConstant(
        bias.name, shape: [codes.count], type: .int32, codes.flatMap(littleEndianBytes))
      step.accumulatorBound += Int64(codes.map(\.magnitude).max() ?? 0)
    }
    try proveBound(step.accumulatorBound, node)
    step.parameters = littleEndianBytes(parameters)
    step.units = output.elementCount / Int(parameters.columns)
    step.multiplyAccumulates = UInt64(output.elementCount) * UInt64(parameters.depth)
    program.steps.append(step)
  }
}
