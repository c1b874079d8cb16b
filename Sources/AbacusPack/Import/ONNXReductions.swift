// Translation of softmax and of reductions.

extension ONNXTranslator {
  // MARK: Softmax

  /// Before version 13, all dimensions from the axis on are one.
  mutating func softmax() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    return try softmax(id(0), flattens: site.version < 13)
  }

  mutating func softmax(_ x: Graph.TensorID, flattens: Bool) throws -> Graph.TensorID {
    let shape = build.shape(x)
    let axis = try axis(default: flattens ? 1 : -1, rank: shape.count)
    guard flattens, axis != shape.count - 1 else { return try build.softmax(x, axis: axis) }
    let rows = try build.reshape(x, [shape[..<axis].reduce(1, *), shape[axis...].reduce(1, *)])
    return try build.reshape(build.softmax(rows, axis: 1), shape)
  }

  mutating func logSoftmax() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    let rank = try shape(0).count
    let axis = try axis(default: site.version < 13 ? 1 : -1, rank: rank)
    let axes = site.version < 13 ? Array(axis..<rank) : [axis]
    return try build.binary(.subtract, id(0), build.logSumExp(id(0), axes: axes))
  }

  // MARK: Reductions

  /// The input's dimensions to reduce: an attribute in older versions, an input in newer ones; all
  /// where none are given.
  private func reducedAxes() throws -> [Int] {
    try expect(inputs: 1...2)
    let rank = try shape(0).count
    let stated = try integers(attribute: "axes", orInput: 1, "the list of axes") ?? []
    if stated.isEmpty { return try site.flag("noop_with_empty_axes") ? [] : Array(0..<rank) }
    return try resolve(axes: stated, rank: rank).sorted()
  }

  mutating func reduce(
    _ kind: ReduceKind = .sum, before: UnaryFunction? = nil, after: UnaryFunction? = nil
  ) throws -> Graph.TensorID {
    let axes = try reducedAxes()
    var x = try id(0)
    if let before { x = try build.unary(before, x) }
    x = try build.reduce(kind, x, axes: axes, keepingDimensions: site.flag("keepdims", default: true))
    if let after { x = try build.unary(after, x) }
    return x
  }

  mutating func reduceLogSumExp() throws -> Graph.TensorID {
    let axes = try reducedAxes()
    let result = try build.logSumExp(id(0), axes: axes)
    guard try !site.flag("keepdims", default: true) else { return result }
    return try build.reshape(result, shape(0).indices.filter { !axes.contains($0) }.map { try shape(0)[$0] })
  }

  /// Only of all elements of a constant: the number of elements of a shape.
  mutating func reduceProduct() throws -> Graph.TensorID {
    guard let values = try tensor(0).indexValues, try reducedAxes() == Array(try shape(0).indices) else {
      throw PackError(.unsupported, "products are supported of all elements of a constant only")
    }
    let keeps = try site.flag("keepdims", default: true)
    return build.integers(
      [values.reduce(1, &*)], shape: keeps ? try shape(0).map { _ in 1 } : [], type: try tensor(0).type)
  }
}
