// Matrix products, convolutions and pools.

extension GraphBuilder {
  /// Rows of `x` times constant or run-time weights [out, in].
  mutating func fullyConnected(
    _ x: Graph.TensorID, weights: Graph.TensorID, bias: Graph.TensorID? = nil
  ) throws -> Graph.TensorID {
    let (input, matrix) = (shape(x), shape(weights))
    guard matrix.count == 2, input.last == matrix[1] else {
      throw PackError(.malformed, "weights \(matrix) [out, in] do not fit the last dimension of \(input)")
    }
    try checkBias(bias, channels: matrix[0])
    return try add(
      .fullyConnected(.none), [x, weights, bias], shape: input.dropLast() + [matrix[0]])
  }

  /// numpy's matmul: the last two dimensions are matrices, vectors count as rows and columns.
  mutating func matrixMultiply(_ a: Graph.TensorID, _ b: Graph.TensorID) throws -> Graph.TensorID {
    let (shapeA, shapeB) = (shape(a), shape(b))
    guard let depth = shapeA.last, !shapeB.isEmpty, shapeB.dropLast(shapeB.count == 1 ? 0 : 1).last == depth else {
      throw PackError(.malformed, "\(shapeA) and \(shapeB) have no matrix product")
    }
    if shapeB.count == 1 {
      let column = try matrixMultiply(a, reshape(b, [depth, 1]))
      return try reshape(column, shapeA.dropLast())
    }
    if shapeB.count == 2, self[b].isConstant {
      return try fullyConnected(a, weights: transpose(b, [1, 0]))
    }
    if shapeA.count == 1 {
      let row = try matrixMultiply(reshape(a, [1, depth]), b)
      return try reshape(row, shapeB.dropLast(2) + [shapeB[shapeB.count - 1]])
    }
    let batches = try Shapes.broadcast(shapeA.dropLast(2), shapeB.dropLast(2))
    return try add(
      .matrixMultiply(transposeA: false, transposeB: false), [a, b],
      shape: batches + [shapeA[shapeA.count - 2], shapeB[shapeB.count - 1]], type: numberType([a, b]))
  }

  // MARK: Windows

  /// - Parameters:
  ///   - x: [n, height, width, in]
  ///   - weights: [out, in / groups, height, width]; brought into the graph's order here.
  ///   - extents: height and width of the result.
  mutating func convolution(
    _ x: Graph.TensorID, weights: Graph.TensorID, bias: Graph.TensorID?, _ window: WindowAttributes,
    groups: Int, extents: [Int]
  ) throws -> Graph.TensorID {
    let (input, kernel) = (shape(x), shape(weights))
    guard input.count == 4, kernel.count == 4, groups >= 1, kernel[1] * groups == input[3],
      kernel[0] % groups == 0, kernel[0] > 0
    else {
      throw PackError(
        .malformed,
        "weights \(kernel) [out, in / groups, height, width] do not fit \(groups) groups of an input \(input) "
          + "[n, height, width, in]")
    }
    try checkBias(bias, channels: kernel[0])
    let result = [input[0]] + extents + [kernel[0]]
    if groups > 1, groups == input[3] {
      let ordered = try transpose(weights, [1, 2, 3, 0])
      return try add(
        .depthwiseConvolution(window, multiplier: kernel[0] / groups, .none), [x, ordered, bias], shape: result)
    }
    let ordered = try transpose(weights, [0, 2, 3, 1])
    return try add(.convolution(window, groups: groups, .none), [x, ordered, bias], shape: result)
  }

  /// - Parameters:
  ///   - x: [n, height, width, channels]
  ///   - extents: height and width of the result.
  mutating func pool(
    _ kind: PoolKind, _ x: Graph.TensorID, _ window: WindowAttributes, extents: [Int]
  ) throws -> Graph.TensorID {
    let input = shape(x)
    guard input.count == 4 else { throw PackError(.malformed, "the input must be [n, height, width, channels]") }
    // The largest of some integers is one of them.
    let chooses = kind == .max && self[x].quantization?.isPerTensor == true
    return try add(
      .pool(kind, window, .none), [x], shape: [input[0]] + extents + [input[3]],
      type: chooses ? self[x].type : .float32, quantization: chooses ? self[x].quantization : nil)
  }

  private func checkBias(_ bias: Graph.TensorID?, channels: Int) throws {
    guard let bias, shape(bias) != [channels] else { return }
    throw PackError(.malformed, "the bias has the shape \(shape(bias)), expected [\(channels)]")
  }
}
