// Element-wise functions, reductions and what is composed of them.

extension GraphBuilder {
  mutating func unary(_ function: UnaryFunction, _ x: Graph.TensorID) throws -> Graph.TensorID {
    if let result = try beforeTranspose(x, { try $0.unary(function, $1) }) { return result }
    return try add(.unary(function), [x], shape: shape(x), type: numberType([x]))
  }

  mutating func binary(
    _ function: BinaryFunction, _ a: Graph.TensorID, _ b: Graph.TensorID
  ) throws -> Graph.TensorID {
    if function == .multiply, let source = cancelled(a, b) { return source }
    if let result = try beforeTransposes([a, b], { builder, operands, _ in
      try builder.binary(function, operands[0], operands[1])
    }) {
      return result
    }
    let result = try add(
      .binary(function, .none), [a, b], shape: Shapes.broadcast(shape(a), shape(b)),
      type: numberType([a, b]))
    guard function != .divide || isReal(result) || self[result].isConstant else {
      throw PackError(.unsupported, "division of integers at run time is not supported")
    }
    return result
  }

  /// What was multiplied by constants of which the other operand holds the reciprocals.
  private func cancelled(_ a: Graph.TensorID, _ b: Graph.TensorID) -> Graph.TensorID? {
    guard let producer = producers[a] ?? producers[b], graph.nodes[producer].operation == .binary(.multiply, .none),
      let second = self[producers[a] == nil ? a : b].knownReals, let source = graph.nodes[producer].inputs[0],
      let first = graph.nodes[producer].inputs[1].flatMap({ self[$0].knownReals }),
      first.count == second.count || second.count == 1 || first.count == 1
    else { return nil }
    let count = max(first.count, second.count)
    let product = (0..<count).map { first[first.count == 1 ? 0 : $0] * second[second.count == 1 ? 0 : $0] }
    return product.allSatisfy { abs($0 - 1) < 1e-5 } ? source : nil
  }

  mutating func multiply(_ x: Graph.TensorID, by factor: Double) throws -> Graph.TensorID {
    factor == 1 ? x : try binary(.multiply, x, scalar(factor))
  }

  mutating func add(_ x: Graph.TensorID, _ summand: Double) throws -> Graph.TensorID {
    try binary(.add, x, scalar(summand))
  }

  /// `a` where the condition holds, else `b`.
  mutating func select(
    _ condition: Graph.TensorID, _ a: Graph.TensorID, _ b: Graph.TensorID
  ) throws -> Graph.TensorID {
    guard self[condition].type == .bool else { throw PackError(.malformed, "the condition must be of type bool") }
    let shape = try Shapes.broadcast(Shapes.broadcast(shape(condition), shape(a)), shape(b))
    if let flags = self[condition].data, let first = flags.first, flags.allSatisfy({ ($0 != 0) == (first != 0) }) {
      return try expand(first != 0 ? a : b, to: shape)
    }
    return try add(.select, [condition, a, b], shape: shape, type: numberType([a, b]))
  }

  /// The same real values in another type, on another grid.
  mutating func requantize(
    _ x: Graph.TensorID, type: DataType, quantization: Quantization? = nil
  ) throws -> Graph.TensorID {
    if self[x].type == type, self[x].quantization == quantization { return x }
    if quantization?.isPerTensor != false,
      let result = try beforeTranspose(x, { try $0.requantize($1, type: type, quantization: quantization) })
    {
      return result
    }
    return try add(.requantize, [x], shape: shape(x), type: type, quantization: quantization)
  }

  // MARK: Reductions

  /// - Parameter axes: ascending and distinct, not negative.
  mutating func reduce(
    _ kind: ReduceKind, _ x: Graph.TensorID, axes: [Int], keepingDimensions keeps: Bool = true
  ) throws -> Graph.TensorID {
    if axes.isEmpty { return x }
    var reduced = shape(x)
    guard axes.allSatisfy({ reduced[$0] > 0 }) else {
      throw PackError(.unsupported, "reduces an empty dimension of \(reduced)")
    }
    for axis in axes { reduced[axis] = 1 }
    let result = keeps ? reduced : reduced.indices.filter { !axes.contains($0) }.map { reduced[$0] }
    let before = try beforeTransposes([x]) { builder, operands, permutation in
      try builder.reduce(kind, operands[0], axes: axes.map { permutation[$0] }.sorted())
    }
    if let before { return try reshape(before, result) }
    // The largest or smallest of some integers is one of them.
    if kind == .maximum || kind == .minimum, let quantization = self[x].quantization, quantization.isPerTensor {
      return try add(
        .reduce(kind, axes: axes), [x], shape: result, type: self[x].type, quantization: quantization)
    }
    return try add(.reduce(kind, axes: axes), [x], shape: result, type: numberType([x]))
  }

  mutating func softmax(_ x: Graph.TensorID, axis: Int) throws -> Graph.TensorID {
    let last = shape(x).count - 1
    guard axis != last else { return try add(.softmax(beta: 1), [x], shape: shape(x)) }
    var exchange = Array(0...last)
    exchange.swapAt(axis, last)
    return try transpose(softmax(transpose(x, exchange), axis: last), exchange)
  }

  /// log(sum(exp(x))) along `axes`, kept; large values do not overflow.
  mutating func logSumExp(_ x: Graph.TensorID, axes: [Int]) throws -> Graph.TensorID {
    let largest = try reduce(.maximum, x, axes: axes)
    let sum = try reduce(.sum, unary(.exp, binary(.subtract, x, largest)), axes: axes)
    return try binary(.add, unary(.log, sum), largest)
  }

  // MARK: Normalisation

  /// Over the last dimension; scale and bias have as many elements as it.
  mutating func layerNormalization(
    _ x: Graph.TensorID, scale: Graph.TensorID? = nil, bias: Graph.TensorID? = nil, epsilon: Double
  ) throws -> Graph.TensorID {
    try checkVectors([scale, bias], count: shape(x).last ?? 0)
    return try add(.layerNormalization(epsilon: epsilon), [x, scale, bias], shape: shape(x))
  }

  /// Over the last dimension; the scale has as many elements as it.
  mutating func rmsNormalization(
    _ x: Graph.TensorID, scale: Graph.TensorID?, epsilon: Double
  ) throws -> Graph.TensorID {
    try checkVectors([scale], count: shape(x).last ?? 0)
    return try add(.rmsNormalization(epsilon: epsilon), [x, scale], shape: shape(x))
  }

  private func checkVectors(_ vectors: [Graph.TensorID?], count: Int) throws {
    for vector in vectors.compactMap({ $0 }) where shape(vector) != [count] {
      throw PackError(.malformed, "a scale or bias has the shape \(shape(vector)), expected [\(count)]")
    }
  }
}
