// Translation of operators that move elements, other than slices.

extension TFLiteTranslator {
  mutating func reshape() throws {
    try expect(inputs: 1...2)
    try requireSameType()
    let input = try shape(0)
    let count = input.reduce(1, *)
    // The shape stands in the second input, in older files in the options, and in the output.
    let fromInput = try optional(1).flatMap {
      graph.tensors[$0].isConstant ? try integers(1, "the shape") : nil
    }
    var shape = try fromInput ?? site.op.options(.reshape).ints(0) ?? outputTensor().shape
    if let open = shape.firstIndex(of: -1) {
      let known = Shapes.elementCount(shape.filter { $0 != -1 }) ?? 0
      guard known > 0, count % known == 0 else {
        throw PackError(.malformed, "cannot give \(count) elements the shape \(shape)")
      }
      shape[open] = count / known
    }
    guard Shapes.elementCount(shape) == count else {
      throw PackError(.malformed, "cannot give \(count) elements the shape \(shape)")
    }
    try settle(shape)
    emit(.reshape, [try id(0)])
  }

  mutating func squeeze() throws {
    try expect(inputs: 1...1)
    try requireSameType()
    let input = try shape(0)
    let listed = try site.op.options(.squeeze).ints(0) ?? []
    let axes =
      try listed.isEmpty
      ? input.indices.filter { input[$0] == 1 }
      : listed.map { try Shapes.resolve(axis: $0, rank: input.count) }
    guard axes.allSatisfy({ input[$0] == 1 }) else {
      throw PackError(.malformed, "only dimensions of extent 1 can be squeezed, not \(listed) of \(input)")
    }
    try settle(input.indices.filter { !axes.contains($0) }.map { input[$0] })
    emit(.reshape)
  }

  mutating func expandDimensions() throws {
    try expect(inputs: 2...2)
    try requireSameType()
    var shape = try shape(0)
    let axis = try integers(1, "the axis", count: 1)[0]
    shape.insert(1, at: try Shapes.resolve(axis: axis, rank: shape.count + 1))
    try settle(shape)
    emit(.reshape, [try id(0)])
  }

  /// SHAPE: known here, since every shape is.
  mutating func shapeOf() throws {
    try expect(inputs: 1...1)
    let shape = try shape(0)
    let output = outputTensor()
    guard output.type == .int32 || output.type == .int64, !shape.isEmpty else {
      throw PackError(.unsupported, "only shapes with dimensions, as int32 or int64, are supported")
    }
    try settle([shape.count])
    define(shape)
  }

  mutating func transpose() throws {
    try expect(inputs: 2...2)
    try requireSameType()
    let input = try shape(0)
    let permutation = try integers(1, "the permutation", count: input.count)
      .map { try Shapes.resolve(axis: $0, rank: input.count) }
    guard Set(permutation).count == input.count else {
      throw PackError(.malformed, "\(permutation) is not a permutation of the dimensions")
    }
    try settle(permutation.map { input[$0] })
    emit(.transpose(permutation: permutation), [try id(0)])
  }

  mutating func concatenation() throws {
    try expect(inputs: 1...max(1, inputCount))
    let options = try site.op.options(.concatenation)
    let parts = try (0..<inputCount).map { input in
      try requireSameType(input)
      return try shape(input)
    }
    let axis = try Shapes.resolve(axis: options.int(0), rank: parts[0].count)
    try settle(concatenated(parts, axis))
    emit(.concatenation(axis: axis, try activation(options.choice(1))))
  }

  private func concatenated(_ parts: [[Int]], _ axis: Int) throws -> [Int] {
    var result = parts[0]
    for part in parts.dropFirst() {
      guard part.count == result.count,
        part.indices.allSatisfy({ $0 == axis || part[$0] == result[$0] })
      else {
        throw PackError(.malformed, "\(part) cannot follow \(parts[0]) along dimension \(axis)")
      }
      result[axis] += part[axis]
    }
    return result
  }

  /// PACK: each part gets the new dimension, then they follow one another along it.
  mutating func pack() throws {
    let options = try site.op.options(.pack)
    try expect(inputs: 1...max(1, inputCount))
    let part = try shape(0)
    let axis = try Shapes.resolve(axis: options.int(1), rank: part.count + 1)
    var expanded = part
    expanded.insert(1, at: axis)
    let parts = try (0..<inputCount).map { input in
      try requireSameType(input)
      guard try shape(input) == part else {
        throw PackError(.malformed, "all inputs must have the same shape")
      }
      let whole = try id(input)
      let result = try intermediate("expanded", like: whole, shape: expanded)
      emit(.reshape, [whole], result)
      return result
    }
    expanded[axis] = parts.count
    try settle(expanded)
    emit(.concatenation(axis: axis, .none), parts)
  }

  mutating func gather() throws {
    try expect(inputs: 2...2)
    try requireSameType()
    let options = try site.op.options(.gather)
    let input = try shape(0)
    let indices = try shape(1)
    let axis = try Shapes.resolve(axis: options.int(0), rank: input.count)
    let stated = try options.int(1)
    let batches = stated < 0 ? stated + indices.count : stated
    guard (0...indices.count).contains(batches), batches <= axis,
      input.prefix(batches) == indices.prefix(batches)
    else {
      throw PackError(
        .malformed, "\(stated) batch dimensions do not fit axis \(axis) of \(input) and indices \(indices)")
    }
    let type = try tensor(1).type
    guard type == .int32 || type == .int64 else {
      throw PackError(
        .unsupported, "indices (input 1) of type \(type) are not supported; supported: int32, int64")
    }
    if let known = try tensor(1).indexValues {
      guard known.allSatisfy((0..<input[axis]).contains) else {
        throw PackError(.malformed, "every index must lie in 0..<\(input[axis])")
      }
    }
    try settle(Array(input[..<axis]) + Array(indices[batches...]) + Array(input[(axis + 1)...]))
    emit(.gather(axis: axis, batchDimensions: batches))
  }

  // MARK: Padding

  private func paddings(_ shape: [Int]) throws -> (before: [Int], after: [Int]) {
    guard try tensor(1).shape == [shape.count, 2] else {
      throw PackError(.malformed, "the paddings (input 1) must have the shape \([shape.count, 2])")
    }
    let values = try integers(1, "the paddings")
    guard values.allSatisfy({ $0 >= 0 }) else { throw PackError(.malformed, "paddings must not be negative") }
    return (shape.indices.map { values[2 * $0] }, shape.indices.map { values[2 * $0 + 1] })
  }

  /// PAD, and PADV2 with a value as third input.
  mutating func pad() throws {
    try expect(inputs: site.name == "PAD" ? 2...2 : 3...3)
    try requireSameType()
    let input = try shape(0)
    let (before, after) = try paddings(input)
    var value: Double?
    if optional(2) != nil {
      guard let real = try tensor(2).realScalar else {
        throw PackError(
          .unsupported, "the padding value (input 2) must be a constant of one element and a supported type")
      }
      value = real
    }
    try settle(input.indices.map { before[$0] + input[$0] + after[$0] })
    emit(.pad(before: before, after: after, value: value, .constant), [try id(0)])
  }

  mutating func mirrorPad() throws {
    try expect(inputs: 2...2)
    try requireSameType()
    let mode = try site.op.options(.mirrorPad).choice(0)
    guard mode == 0 || mode == 1 else {
      throw PackError(.malformed, "the code \(mode) of its mode means nothing")
    }
    let input = try shape(0)
    let (before, after) = try paddings(input)
    // A reflection does not repeat the outermost element, so it has one less to give.
    let isReflection = mode == 0
    for axis in input.indices where max(before[axis], after[axis]) > input[axis] - (isReflection ? 1 : 0) {
      throw PackError(
        .malformed, "an extent of \(input[axis]) cannot be mirrored by \(before[axis]) and \(after[axis])")
    }
    try settle(input.indices.map { before[$0] + input[$0] + after[$0] })
    emit(
      .pad(before: before, after: after, value: nil, isReflection ? .reflect : .symmetric), [try id(0)])
  }

  // MARK: Repetition

  mutating func tile() throws {
    try expect(inputs: 2...2)
    let input = try shape(0)
    try repeated(input, integers(1, "the list of multiples", count: input.count))
  }

  mutating func broadcastTo() throws {
    try expect(inputs: 2...2)
    let input = try shape(0)
    let target = try integers(1, "the shape")
    guard try Shapes.broadcast(input, target) == target else {
      throw PackError(.malformed, "\(input) does not broadcast to \(target)")
    }
    let wide = Array(repeating: 1, count: target.count - input.count) + input
    try repeated(wide, zip(target, wide).map { $0 == $1 ? 1 : $0 })
  }

  /// The input, seen as of `shape`, so many times along each dimension: a concatenation with itself.
  private mutating func repeated(_ shape: [Int], _ multiples: [Int]) throws {
    try requireSameType()
    guard multiples.allSatisfy({ (1...256).contains($0) }) else {
      throw PackError(
        .unsupported, "only 1 to 256 repetitions along a dimension are supported, not \(multiples)")
    }
    try settle(zip(shape, multiples).map(*))
    // The outer dimensions come last: by then whole blocks are repeated.
    let axes = shape.indices.reversed().filter { multiples[$0] > 1 }
    var current = try id(0)
    var extents = shape
    if try tensor(0).shape != shape || axes.isEmpty {
      if axes.isEmpty { return emit(.reshape, [current]) }
      let wide = try intermediate("expanded", like: current, shape: shape)
      emit(.reshape, [current], wide)
      current = wide
    }
    for axis in axes {
      extents[axis] *= multiples[axis]
      let parts = Array(repeating: Optional(current), count: multiples[axis])
      if axis == axes.last { return emit(.concatenation(axis: axis, .none), parts) }
      let next = try intermediate("repeated", like: current, shape: extents)
      emit(.concatenation(axis: axis, .none), parts, next)
      current = next
    }
  }

  // MARK: Blocks

  mutating func depthToSpace() throws {
    try expect(inputs: 1...1)
    let block = try site.op.options(.depthToSpace).int(0)
    let input = try shape(0, rank: 4)
    guard block >= 1, block <= input[3], input[3] % (block * block) == 0 else {
      throw PackError(.malformed, "\(input[3]) channels do not divide into blocks of \(block) x \(block)")
    }
    let row = input[3] / block
    try exchange(
      [input[0] * input[1], input[2], block, row],
      to: [input[0], input[1] * block, input[2] * block, row / block])
  }

  mutating func spaceToDepth() throws {
    try expect(inputs: 1...1)
    let block = try site.op.options(.spaceToDepth).int(0)
    let input = try shape(0, rank: 4)
    guard block >= 1, input[1] % block == 0, input[2] % block == 0 else {
      throw PackError(.malformed, "\(input[1]) x \(input[2]) do not divide into blocks of \(block)")
    }
    try exchange(
      [input[0] * input[1] / block, block, input[2] / block, block * input[3]],
      to: [input[0], input[1] / block, input[2] / block, block * block * input[3]])
  }

  /// A row of pixels and the rows of their blocks change places; elements within a row of a block
  /// are neighbours in both arrangements. `shape` is the input's, seen with four dimensions of which
  /// the two in the middle are exchanged.
  private mutating func exchange(_ shape: [Int], to result: [Int]) throws {
    try requireSameType()
    let input = try id(0)
    try settle(result)
    let split = try intermediate("blocks", like: input, shape: shape)
    emit(.reshape, [input], split)
    let exchanged = try intermediate(
      "exchanged", like: input, shape: [shape[0], shape[2], shape[1], shape[3]])
    emit(.transpose(permutation: [0, 2, 1, 3]), [split], exchanged)
    emit(.reshape, [exchanged])
  }
}

extension Tensor {
  /// The real value of a constant with one element.
  fileprivate var realScalar: Double? {
    guard elementCount == 1, let value = knownReals?.first, value.isFinite else { return nil }
    return value
  }
}
