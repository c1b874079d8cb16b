// Translation of operators that multiply and add: convolutions, pools and matrix products.

extension TFLiteTranslator {
  /// Explicit padding and the output's extents of a window that slides over `extents`.
  private func window(
    _ size: [Int], over extents: [Int], same: Bool, strides: [Int], dilations: [Int]
  ) throws -> (attributes: WindowAttributes, extents: [Int]) {
    guard (size + strides + dilations).allSatisfy({ $0 >= 1 }) else {
      throw PackError(
        .malformed,
        "window \(size), strides \(strides) and dilations \(dilations) must all be greater than 0")
    }
    var attributes = WindowAttributes(size: size, strides: strides, dilations: dilations)
    var result: [Int] = []
    for axis in 0..<2 {
      let span = (size[axis] - 1) * dilations[axis] + 1
      if same {
        let outputs = (extents[axis] + strides[axis] - 1) / strides[axis]
        let padding = max((outputs - 1) * strides[axis] + span - extents[axis], 0)
        attributes.padBefore[axis] = padding / 2
        attributes.padAfter[axis] = padding - padding / 2
        result.append(outputs)
      } else {
        guard span <= extents[axis] else {
          throw PackError(.malformed, "a window of \(span) does not fit into an extent of \(extents[axis])")
        }
        result.append((extents[axis] - span) / strides[axis] + 1)
      }
    }
    return (attributes, result)
  }

  /// The code of the schema's Padding.
  private func isSame(_ code: Int) throws -> Bool {
    guard code == 0 || code == 1 else {
      throw PackError(.malformed, "the code \(code) of its padding means nothing")
    }
    return code == 0
  }

  /// A bias that is there must have one value for each of `channels`.
  private func checkBias(_ channels: Int) throws {
    guard optional(2) != nil else { return }
    guard try tensor(2).shape == [channels] else {
      throw PackError(.malformed, "the bias (input 2) must have the shape \([channels])")
    }
  }

  mutating func convolution() throws {
    try expect(inputs: 2...3)
    let options = try site.op.options(.conv2D)
    let input = try shape(0, rank: 4)
    let weights = try shape(1, rank: 4)
    guard input[3] % weights[3] == 0, weights[0] % (input[3] / weights[3]) == 0 else {
      throw PackError(
        .malformed, "weights \(weights) [out, height, width, in] do not fit \(input[3]) input channels")
    }
    try checkBias(weights[0])
    let (attributes, extents) = try window(
      [weights[1], weights[2]], over: [input[1], input[2]], same: isSame(options.choice(0)),
      strides: [options.int(2), options.int(1)],
      dilations: [options.int(5, default: 1), options.int(4, default: 1)])
    try settle([input[0]] + extents + [weights[0]])
    emit(.convolution(attributes, groups: input[3] / weights[3], try activation(options.choice(3))))
  }

  mutating func depthwiseConvolution() throws {
    try expect(inputs: 2...3)
    let options = try site.op.options(.depthwiseConv2D)
    let input = try shape(0, rank: 4)
    let weights = try shape(1, rank: 4)
    let multiplier = weights[3] / input[3]
    let stated = try options.int(3)
    guard weights[0] == 1, weights[3] % input[3] == 0, stated == 0 || stated == multiplier else {
      throw PackError(
        .malformed,
        "weights \(weights) [1, height, width, out] do not fit \(input[3]) input channels "
          + "and the depth multiplier \(stated)")
    }
    try checkBias(weights[3])
    let (attributes, extents) = try window(
      [weights[1], weights[2]], over: [input[1], input[2]], same: isSame(options.choice(0)),
      strides: [options.int(2), options.int(1)],
      dilations: [options.int(6, default: 1), options.int(5, default: 1)])
    try settle([input[0]] + extents + [weights[3]])
    emit(.depthwiseConvolution(attributes, multiplier: multiplier, try activation(options.choice(4))))
  }

  mutating func pool(_ kind: PoolKind) throws {
    try expect(inputs: 1...1)
    let options = try site.op.options(.pool2D)
    let input = try shape(0, rank: 4)
    let (attributes, extents) = try window(
      [options.int(4), options.int(3)], over: [input[1], input[2]], same: isSame(options.choice(0)),
      strides: [options.int(2), options.int(1)], dilations: [1, 1])
    try settle([input[0]] + extents + [input[3]])
    emit(.pool(kind, attributes, try activation(options.choice(5))))
  }

  /// The graph's node works along the last dimension. Where TFLite flattens its input to rows of
  /// the weights' length, a reshape before the node does it.
  mutating func fullyConnected() throws {
    try expect(inputs: 2...3)
    let options = try site.op.options(.fullyConnected)
    guard try options.choice(1) == 0 else {
      throw PackError(.unsupported, "shuffled weights are not supported; supported: the default format")
    }
    let input = try shape(0)
    let weights = try shape(1, rank: 2)
    let count = input.reduce(1, *)
    guard count % weights[1] == 0 else {
      throw PackError(.malformed, "\(count) input values are no whole rows for weights \(weights) [out, in]")
    }
    try checkBias(weights[0])
    let keepsDimensions = try options.flag(2)
    let rows = keepsDimensions ? Array(input.dropLast()) : [count / weights[1]]
    guard !keepsDimensions || input.last == weights[1] else {
      throw PackError(.malformed, "weights \(weights) [out, in] do not fit the input's last dimension")
    }
    try settle(rows + [weights[0]])
    var operand = try id(0)
    if input != rows + [weights[1]] {
      let flat = try intermediate("flat", like: operand, shape: rows + [weights[1]])
      emit(.reshape, [operand], flat)
      operand = flat
    }
    emit(.fullyConnected(try activation(options.choice(0))), [operand, try id(1), optional(2)])
  }

  mutating func matrixMultiply() throws {
    try expect(inputs: 2...2)
    let options = try site.op.options(.batchMatMul)
    let transposeA = try options.flag(0)
    let transposeB = try options.flag(1)
    let a = try shape(0)
    let b = try shape(1)
    guard a.count >= 2, b.count >= 2 else { throw PackError(.malformed, "both inputs must be matrices") }
    let matrixA = transposeA ? Array(a.suffix(2).reversed()) : Array(a.suffix(2))
    let matrixB = transposeB ? Array(b.suffix(2).reversed()) : Array(b.suffix(2))
    guard matrixA[1] == matrixB[0] else {
      throw PackError(
        .malformed,
        "matrices of \(matrixA[0]) x \(matrixA[1]) and \(matrixB[0]) x \(matrixB[1]) have no product")
    }
    let batches = try Shapes.broadcast(Array(a.dropLast(2)), Array(b.dropLast(2)))
    try settle(batches + [matrixA[0], matrixB[1]])
    emit(.matrixMultiply(transposeA: transposeA, transposeB: transposeB))
  }
}
