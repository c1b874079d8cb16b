// Operations that move elements: what they give has the type and the scale of what they take.

extension GraphBuilder {
  /// The same elements in the same order. One extent may be -1: what remains.
  mutating func reshape(_ x: Graph.TensorID, _ target: [Int]) throws -> Graph.TensorID {
    let old = shape(x)
    let count = old.reduce(1, *)
    var new = target
    if let open = new.firstIndex(of: -1) {
      let known = Shapes.elementCount(new.filter { $0 != -1 }) ?? 0
      guard known > 0, count % known == 0 else {
        throw PackError(.malformed, "cannot give the shape \(target) to \(old)")
      }
      new[open] = count / known
    }
    guard Shapes.elementCount(new) == count else {
      throw PackError(.malformed, "cannot give the shape \(target) to \(old)")
    }
    if new == old { return x }
    if let producer = producers[x], graph.nodes[producer].operation == .reshape,
      let source = graph.nodes[producer].inputs[0], self[x].quantization?.isPerTensor != false
    {
      // Two in a row are one, or none.
      return try reshape(source, new)
    }
    return try move(.reshape, x, new) { axis in
      // The dimension that has as many elements before it, and the same extent.
      new.indices.first { new[$0] == old[axis] && new[..<$0].reduce(1, *) == old[..<axis].reduce(1, *) }
    }
  }

  /// Dimension i of the result is dimension `permutation[i]` of `x`.
  mutating func transpose(_ x: Graph.TensorID, _ permutation: [Int]) throws -> Graph.TensorID {
    let old = shape(x)
    guard permutation.sorted() == Array(old.indices) else {
      throw PackError(.malformed, "\(permutation) is not a permutation of \(old.count) dimensions")
    }
    if permutation == Array(old.indices) { return x }
    let extended = permutation.filter { old[$0] != 1 }
    if extended == extended.sorted(), self[x].quantization?.isPerTensor != false {
      // Only dimensions of extent 1 change their places.
      return try reshape(x, permutation.map { old[$0] })
    }
    if let producer = producers[x], case .transpose(let first) = graph.nodes[producer].operation,
      let source = graph.nodes[producer].inputs[0]
    {
      // Two in a row are one, or none.
      return try transpose(source, permutation.map { first[$0] })
    }
    return try move(.transpose(permutation: permutation), x, permutation.map { old[$0] }) {
      permutation.firstIndex(of: $0)
    }
  }

  /// One run for each dimension.
  mutating func slice(_ x: Graph.TensorID, _ runs: [StridedRun]) throws -> Graph.TensorID {
    let whole = shape(x).map(StridedRun.whole)
    if runs == whole { return x }
    let operation = Operation.slice(starts: runs.map(\.start), strides: runs.map(\.stride))
    return try move(operation, x, runs.map(\.count)) { runs[$0] == whole[$0] ? $0 : nil }
  }

  /// Indices `run` of one dimension.
  mutating func slice(_ x: Graph.TensorID, axis: Int, _ run: StridedRun) throws -> Graph.TensorID {
    var runs = shape(x).map(StridedRun.whole)
    runs[axis] = run
    return try slice(x, runs)
  }

  mutating func concatenate(_ parts: [Graph.TensorID], axis: Int) throws -> Graph.TensorID {
    guard let first = parts.first else { throw PackError(.malformed, "needs at least one input") }
    var result = shape(first)
    result[axis] = 0
    for part in parts.map(shape) {
      guard part.count == result.count,
        part.indices.allSatisfy({ $0 == axis || part[$0] == result[$0] })
      else { throw PackError(.malformed, "\(part) cannot follow \(shape(first)) along dimension \(axis)") }
      result[axis] += part[axis]
    }
    let parts = parts.filter { !shape($0).contains(0) }
    if parts.count == 1 { return parts[0] }
    if let result = try beforeTransposes(parts, { builder, operands, permutation in
      try builder.concatenate(operands, axis: permutation[axis])
    }) {
      return result
    }
    let kinds = parts.map { (self[$0].type, self[$0].quantization) }
    let keeps = kinds.allSatisfy { $0 == self[first].type && $1 == self[first].quantization && $1?.isPerTensor != false }
    let type = try keeps ? self[first].type : numberType(parts)
    return try add(
      .concatenation(axis: axis, .none), parts, shape: result, type: type,
      quantization: keeps ? self[first].quantization : nil)
  }

  mutating func gather(_ x: Graph.TensorID, _ indices: Graph.TensorID, axis: Int) throws -> Graph.TensorID {
    let shape = shape(x)
    let result = Array(shape[..<axis]) + self.shape(indices) + Array(shape[(axis + 1)...])
    try requirePerTensor(x)
    return try add(
      .gather(axis: axis, batchDimensions: 0), [x, indices], shape: result, type: self[x].type,
      quantization: self[x].quantization)
  }

  /// - Parameter value: what constant padding consists of; nil is zero.
  mutating func pad(
    _ x: Graph.TensorID, before: [Int], after: [Int], value: Double? = nil, _ mode: PadMode = .constant
  ) throws -> Graph.TensorID {
    if (before + after).allSatisfy({ $0 == 0 }) { return x }
    let result = shape(x).indices.map { before[$0] + shape(x)[$0] + after[$0] }
    try requirePerTensor(x)
    return try add(
      .pad(before: before, after: after, value: value, mode), [x], shape: result, type: self[x].type,
      quantization: self[x].quantization)
  }

  /// The elements repeated to a shape that `x` broadcasts to.
  mutating func expand(_ x: Graph.TensorID, to target: [Int]) throws -> Graph.TensorID {
    let result = try Shapes.broadcast(shape(x), target)
    let wide = Shapes.widened(shape(x), to: result.count)
    return try tile(reshape(x, wide), zip(result, wide).map { $0 == $1 ? 1 : $0 })
  }

  /// The whole so many times along each dimension: a concatenation with itself.
  mutating func tile(_ x: Graph.TensorID, _ multiples: [Int]) throws -> Graph.TensorID {
    let limit = self[x].isConstant ? 1 << 20 : 256
    guard multiples.count == shape(x).count, multiples.allSatisfy({ (0...limit).contains($0) }) else {
      throw PackError(
        .unsupported,
        "repetitions \(multiples) of \(shape(x)) are not supported; supported: 1 to \(limit) for each dimension")
    }
    if multiples.contains(0) {
      return try add(.reshape, [x], shape: zip(shape(x), multiples).map(*), type: self[x].type)
    }
    var result = x
    // The outer dimensions come last: by then whole blocks are repeated.
    for axis in multiples.indices.reversed() where multiples[axis] > 1 {
      result = try concatenate(Array(repeating: result, count: multiples[axis]), axis: axis)
    }
    return result
  }

  // MARK: Scales

  /// - Parameter axis: where a dimension of `x` has gone, nil where it is no more.
  private mutating func move(
    _ operation: Operation, _ x: Graph.TensorID, _ shape: [Int], axis: (Int) -> Int?
  ) throws -> Graph.TensorID {
    var quantization = self[x].quantization
    if let old = quantization, !old.isPerTensor {
      guard let moved = axis(old.axis) else {
        throw PackError(
          .unsupported, "cuts through the dimension that the scales of \"\(self[x].name)\" belong to")
      }
      quantization?.axis = moved
    }
    return try add(operation, [x], shape: shape, type: self[x].type, quantization: quantization)
  }

  private func requirePerTensor(_ x: Graph.TensorID) throws {
    guard self[x].quantization?.isPerTensor != false else {
      throw PackError(.unsupported, "\"\(self[x].name)\" must have one scale, not one for each channel")
    }
  }
}
