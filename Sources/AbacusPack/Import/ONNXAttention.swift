// Translation of attention and of rotary embeddings.

extension ONNXTranslator {
  /// Inputs: query, key, value, mask?, past key?, past value?, number of keys? Each of the first
  /// three is [n, rows, heads * d] or [n, heads, rows, d].
  mutating func attention() throws -> [Graph.TensorID] {
    try expect(inputs: 3...7)
    guard optional(6) == nil else {
      throw PackError(.unsupported, "a number of keys known at run time only (input 6) is not supported")
    }
    let isFlat = try shape(0).count == 3
    let (heads, keyValueHeads) = try headCounts(isFlat: isFlat)
    let parts = try AttentionParts(
      query: byHeads(id(0), heads), key: byHeads(id(1), keyValueHeads), value: byHeads(id(2), keyValueHeads),
      heads: heads, keyValueHeads: keyValueHeads,
      scale: site.real("scale") ?? 1 / Double(headExtent(0, heads)).squareRoot(),
      isCausal: site.flag("is_causal"), isFlat: isFlat)
    let isPlain = try inputs.dropFirst(3).allSatisfy { $0 == nil } && site.real("softcap", default: 0) == 0
      && site.proto.output.dropFirst().allSatisfy(\.isEmpty)
    return try isPlain ? [singleAttention(parts)] : decomposedAttention(parts)
  }

  private struct AttentionParts {
    /// [n, heads, rows, d]
    var query, key, value: Graph.TensorID
    var heads, keyValueHeads: Int
    var scale: Double
    var isCausal: Bool
    /// Heads lie side by side in the inputs and the result.
    var isFlat: Bool
  }

  private func headCounts(isFlat: Bool) throws -> (query: Int, keyValue: Int) {
    let rank = isFlat ? 3 : 4
    guard try (0..<3).allSatisfy({ try shape($0).count == rank }) else {
      throw PackError(.malformed, "query, key and value must all have 3 or all have 4 dimensions")
    }
    let heads = try isFlat ? site.int("q_num_heads", default: 0) : shape(0)[1]
    let keyValueHeads = try isFlat ? site.int("kv_num_heads", default: 0) : shape(1)[1]
    guard heads >= 1, keyValueHeads >= 1, heads % keyValueHeads == 0 else {
      throw PackError(.malformed, "\(heads) heads do not divide into groups of \(keyValueHeads)")
    }
    return (heads, keyValueHeads)
  }

  private func headExtent(_ input: Int, _ heads: Int) throws -> Int {
    let shape = try shape(input)
    return shape.count == 3 ? shape[2] / heads : shape[3]
  }

  /// [n, rows, heads * d] as [n, heads, rows, d].
  private mutating func byHeads(_ x: Graph.TensorID, _ heads: Int) throws -> Graph.TensorID {
    let shape = build.shape(x)
    guard shape.count == 3 else { return x }
    return try build.transpose(build.reshape(x, [shape[0], shape[1], heads, -1]), [0, 2, 1, 3])
  }

  /// [n, heads, rows, d] as [n, rows, heads * d].
  private mutating func sideBySide(_ x: Graph.TensorID) throws -> Graph.TensorID {
    let shape = build.shape(x)
    return try build.reshape(build.transpose(x, [0, 2, 1, 3]), [shape[0], shape[2], shape[1] * shape[3]])
  }

  private mutating func singleAttention(_ parts: AttentionParts) throws -> Graph.TensorID {
    let operands = try parts.isFlat
      ? (0..<3).map { try id($0) }
      : [sideBySide(parts.query), sideBySide(parts.key), sideBySide(parts.value)]
    let attributes = AttentionAttributes(
      heads: parts.heads, keyValueHeads: parts.keyValueHeads, scale: parts.scale, isCausal: parts.isCausal)
    let result = try attention(attributes, operands)
    return parts.isFlat ? result : try byHeads(result, parts.heads)
  }

  /// One node, of queries, keys and values with their heads side by side.
  ///
  /// - Parameter mask: a number for each key, not 0 where it is seen.
  mutating func attention(
    _ attributes: AttentionAttributes, _ operands: [Graph.TensorID], mask: Graph.TensorID? = nil
  ) throws -> Graph.TensorID {
    let (query, key, value) = (build.shape(operands[0]), build.shape(operands[1]), build.shape(operands[2]))
    let (heads, groups) = (attributes.heads, attributes.keyValueHeads)
    guard query.count == 3, key.count == 3, key.dropLast() == value.dropLast(), query[0] == key[0],
      value[2] % groups == 0, query[2] % heads == 0, query[2] / heads * groups == key[2]
    else { throw PackError(.malformed, "query \(query), key \(key) and value \(value) do not go together") }
    return try build.add(
      .attention(attributes), operands.map(Optional.some) + (mask.map { [$0] } ?? []),
      shape: [query[0], query[1], value[2] / groups * heads])
  }

  /// As products and a softmax: with masks, caches, soft caps and results on the way.
  private mutating func decomposedAttention(_ parts: AttentionParts) throws -> [Graph.TensorID] {
    let key = try optional(4).map { try continued([$0, parts.key], axis: 2) } ?? parts.key
    let value = try optional(5).map { try continued([$0, parts.value], axis: 2) } ?? parts.value
    let (rows, keys) = (build.shape(parts.query)[2], build.shape(key)[2])
    var scores = try build.matrixMultiply(parts.query, build.transpose(repeated(key, parts), [0, 1, 3, 2]))
    scores = try build.multiply(scores, by: parts.scale)
    var steps = [scores]
    let cap = try site.real("softcap", default: 0)
    if cap != 0 {
      scores = try build.multiply(build.unary(.tanh, build.multiply(scores, by: 1 / cap)), by: cap)
    }
    steps.append(scores)
    if let mask = optional(3) { scores = try masked(scores, mask, keys: keys) }
    if parts.isCausal {
      let seen = keys - build.shape(parts.key)[2]
      let visible = build.add(
        Tensor(
          name: "", shape: [rows, keys], type: .bool,
          data: (0..<rows).flatMap { row in (0..<keys).map { $0 <= row + seen ? 1 : 0 } }))
      scores = try build.select(visible, scores, build.scalar(-.infinity))
    }
    steps.append(scores)
    let weights = try build.softmax(scores, axis: 3)
    steps.append(weights)
    let mode = try site.int("qk_matmul_output_mode", default: 0)
    guard steps.indices.contains(mode) else {
      throw PackError(.malformed, "the attribute qk_matmul_output_mode is \(mode), expected 0 to 3")
    }
    let result = try build.matrixMultiply(weights, repeated(value, parts))
    return [parts.isFlat ? try sideBySide(result) : result, key, value, steps[mode]]
  }

  /// Key or value heads, each as often as there are queries' heads that share it.
  private mutating func repeated(_ x: Graph.TensorID, _ parts: AttentionParts) throws -> Graph.TensorID {
    let shape = build.shape(x)
    let apart = try build.reshape(x, [shape[0], shape[1], 1] + shape[2...])
    return try build.reshape(
      build.tile(apart, [1, 1, parts.heads / parts.keyValueHeads, 1, 1]), [shape[0], parts.heads] + shape[2...])
  }

  /// A mask that is true where a key is seen, or a summand; keys beyond it are not seen.
  private mutating func masked(
    _ scores: Graph.TensorID, _ mask: Graph.TensorID, keys: Int
  ) throws -> Graph.TensorID {
    let isFlag = build[mask].type == .bool
    let covered = build.shape(mask).last ?? keys
    var visible = mask
    if covered < keys, covered > 1 {
      let rest = Array(build.shape(mask).dropLast()) + [keys - covered]
      let filler = isFlag
        ? build.add(Tensor(name: "", shape: [], type: .bool, data: [0])) : build.scalar(-.infinity)
      visible = try build.concatenate([mask, build.expand(filler, to: rest)], axis: build.shape(mask).count - 1)
    }
    return try isFlag
      ? build.select(visible, scores, build.scalar(-.infinity)) : build.binary(.add, scores, visible)
  }

  // MARK: Rotary embeddings

  /// Inputs: x as [n, rows, heads * d] or [n, heads, rows, d], cosines, sines, positions?
  mutating func rotaryEmbedding() throws -> Graph.TensorID {
    try expect(inputs: 3...4)
    return try rotaryEmbedding(tables: [1, 2], positions: optional(3))
  }

  /// Microsoft's order of inputs: x, positions (the first, or all), cosines, sines.
  mutating func orderedRotaryEmbedding() throws -> Graph.TensorID {
    try expect(inputs: 4...4)
    guard try !site.flag("is_packed_batching"), try site.real("scale", default: 1) == 1 else {
      throw PackError(.unsupported, "packed batches and a scale (is_packed_batching, scale) are not supported")
    }
    return try rotaryEmbedding(tables: [2, 3], positions: positions(from: id(1), rows: shape(0).dropLast().last ?? 1))
  }

  /// Where only the first position is given, all.
  private mutating func positions(from id: Graph.TensorID, rows: Int) throws -> Graph.TensorID {
    guard build[id].elementCount == 1, rows > 1, rows <= GraphBuilder.maximumFoldedElements else { return id }
    guard let first = build[id].indexValues?.first else { throw Self.mustBeConstant("the first position", 1) }
    return build.integers((0..<rows).map { first &+ $0 }, shape: [1, rows])
  }

  private mutating func rotaryEmbedding(tables: [Int], positions: Graph.TensorID?) throws -> Graph.TensorID {
    let shape = try shape(0)
    let isFlat = shape.count == 3
    let stated = try site.int("num_heads", default: 0)
    // Without their number, heads are as wide as the tables.
    let width = try 2 * (self.shape(tables[0]).last ?? 0)
    let heads = isFlat ? stated > 0 || width == 0 ? stated : shape[2] / width : shape.count == 4 ? shape[1] : 0
    guard heads >= 1, !isFlat || shape[2] % heads == 0 else {
      throw PackError(.malformed, "an input \(shape) does not divide into \(heads) heads")
    }
    let extent = isFlat ? shape[2] / heads : shape[3]
    let part = try site.int("rotary_embedding_dim", default: 0)
    let rotated = part == 0 ? extent : part
    guard rotated % 2 == 0, rotated <= extent else {
      throw PackError(.malformed, "\(rotated) of \(extent) numbers cannot be rotated")
    }
    let tables = try tables.map { try rotaryTable($0, positions) }
    let isInterleaved = try site.flag("interleaved")
    if rotated == extent, tables.allSatisfy({ build.shape($0).count == 2 }) {
      let flat = isFlat ? try id(0) : try sideBySide(id(0))
      let attributes = RotaryAttributes(heads: heads, isInterleaved: isInterleaved)
      let result = try build.add(.rotary(attributes), [flat] + tables, shape: build.shape(flat))
      return isFlat ? result : try byHeads(result, heads)
    }
    let parts = try byHeads(id(0), heads)
    let head = try build.slice(parts, axis: 3, StridedRun(start: 0, count: rotated))
    let rest = try build.slice(parts, axis: 3, StridedRun(start: rotated, count: extent - rotated))
    let result = try build.concatenate([rotate(head, tables, isInterleaved), rest], axis: 3)
    return isFlat ? try sideBySide(result) : result
  }

  /// The rows of a table that belong to the positions: [rows, d / 2] where they are the same for the
  /// whole batch, else [n, rows, d / 2].
  private mutating func rotaryTable(_ input: Int, _ positions: Graph.TensorID?) throws -> Graph.TensorID {
    let batch = try shape(0)[0]
    var table = try id(input)
    if let positions {
      guard build.shape(table).count == 2 else { throw PackError(.malformed, "a table must be [positions, d / 2]") }
      if let known = build[positions].indexValues, !known.allSatisfy((0..<build.shape(table)[0]).contains) {
        throw PackError(.malformed, "positions must lie in 0..<\(build.shape(table)[0])")
      }
      table = try build.gather(table, positions, axis: 0)
    }
    let shape = build.shape(table)
    guard shape.count == 3, shape[0] == batch else {
      throw PackError(.malformed, "without positions a table must be [\(batch), rows, d / 2], is \(shape)")
    }
    return batch == 1 ? try build.reshape(table, Array(shape[1...])) : table
  }

  /// (x1 cos - x2 sin, x1 sin + x2 cos) of [n, heads, rows, d].
  private mutating func rotate(
    _ x: Graph.TensorID, _ tables: [Graph.TensorID], _ isInterleaved: Bool
  ) throws -> Graph.TensorID {
    let shape = build.shape(x)
    let half = shape[3] / 2
    let runs = isInterleaved
      ? [StridedRun(start: 0, stride: 2, count: half), StridedRun(start: 1, stride: 2, count: half)]
      : [StridedRun(start: 0, count: half), StridedRun(start: half, count: half)]
    let (first, second) = (try build.slice(x, axis: 3, runs[0]), try build.slice(x, axis: 3, runs[1]))
    let factors = try tables.map { table in
      let rows = build.shape(table).suffix(2)
      return try build.reshape(table, build.shape(table).dropLast(2) + [1] + rows)
    }
    let real = try build.binary(
      .subtract, build.binary(.multiply, first, factors[0]), build.binary(.multiply, second, factors[1]))
    let imaginary = try build.binary(
      .add, build.binary(.multiply, first, factors[1]), build.binary(.multiply, second, factors[0]))
    guard isInterleaved else { return try build.concatenate([real, imaginary], axis: 3) }
    let pairs = try [real, imaginary].map { try build.reshape($0, shape[..<3] + [half, 1]) }
    return try build.reshape(build.concatenate(pairs, axis: 4), shape)
  }
}
