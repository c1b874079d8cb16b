// Translation of the operators into which onnxruntime's optimiser fuses the parts of transformers, as
// their meaning.

extension ONNXTranslator {
  // MARK: Normalisation

  /// Inputs: x, skip, scale, bias of the normalisation (not of one by the root mean square), summand?
  mutating func skipNormalization(byRoot isByRoot: Bool) throws -> [Graph.TensorID] {
    try expect(inputs: 3...(isByRoot ? 4 : 5))
    guard site.proto.output.dropFirst().prefix(2).allSatisfy(\.isEmpty) else {
      throw PackError(.unsupported, "its results mean and inv_std_var (outputs 1 and 2) are not supported")
    }
    let epsilon = try site.real("epsilon", default: isByRoot ? 1e-5 : 1e-12)
    var sum = try id(0)
    if let summand = optional(isByRoot ? 3 : 4) { sum = try build.binary(.add, sum, summand) }
    sum = try build.binary(.add, sum, id(1))
    let result = try isByRoot
      ? build.rmsNormalization(sum, scale: id(2), epsilon: epsilon)
      : build.layerNormalization(sum, scale: id(2), bias: optional(3), epsilon: epsilon)
    return [result, result, result, sum]
  }

  /// Inputs: tokens, types?, words, positions, table of types?, scale, bias, mask?, numbers of positions?
  ///
  /// The second result counts the tokens that the mask keeps; here it is the mask, which says the same to
  /// the attention that reads it.
  mutating func embeddingNormalization() throws -> [Graph.TensorID] {
    try expect(inputs: 7...9)
    let tokens = try shape(0)
    guard tokens.count == 2, tokens[1] <= GraphBuilder.maximumFoldedElements, try shape(2).count == 2,
      try shape(3).count == 2
    else {
      throw PackError(
        .malformed,
        "tokens \(tokens) must be [n, rows], and tables \(try shape(2)) and \(try shape(3)) of two dimensions")
    }
    var sum = try build.gather(id(2), id(0), axis: 0)
    let positions = try optional(8) ?? build.integers(Array(0..<tokens[1]), shape: [1, tokens[1]])
    if let known = build[positions].indexValues, !known.allSatisfy((0..<(try shape(3)[0])).contains) {
      throw PackError(.malformed, "\(tokens[1]) rows, but a table of positions \(try shape(3))")
    }
    sum = try build.binary(.add, sum, build.gather(id(3), positions, axis: 0))
    if let types = optional(1), let table = optional(4) {
      sum = try build.binary(.add, sum, build.gather(table, types, axis: 0))
    }
    let result = try build.layerNormalization(
      sum, scale: id(5), bias: id(6), epsilon: site.real("epsilon", default: 1e-12))
    let mask = optional(7) ?? build.integers(Array(repeating: 1, count: tokens[1]), shape: [1, tokens[1]])
    return [result, mask, sum]
  }

  // MARK: Products

  /// alpha * a * b, with matrices transposed where asked.
  mutating func fusedMatrixProduct() throws -> Graph.TensorID {
    try expect(inputs: 2...2)
    guard try !site.flag("transBatchA"), try !site.flag("transBatchB") else {
      throw PackError(.unsupported, "transposed batches (transBatchA, transBatchB) are not supported")
    }
    let operands = try zip(["transA", "transB"], [id(0), id(1)]).map { name, x in
      let rank = build.shape(x).count
      guard try site.flag(name), rank > 1 else { return x }
      return try build.transpose(x, Array(0..<rank - 2) + [rank - 1, rank - 2])
    }
    return try build.multiply(
      build.matrixMultiply(operands[0], operands[1]), by: site.real("alpha", default: 1))
  }

  // MARK: Attention

  /// Inputs: x, weights of queries, keys and values, bias, mask?, past?, bias of scores?
  mutating func projectedAttention() throws -> Graph.TensorID {
    try expect(inputs: 2...7)
    try refuse(inputs: [4: "a key/value cache", 5: "a bias of scores", 6: "a length of the cache"])
    var all = try build.matrixMultiply(id(0), id(1))
    if let bias = optional(2) { all = try build.binary(.add, all, bias) }
    let total = build.shape(all).last ?? 0
    let widths = try site.ints("qkv_hidden_sizes") ?? Array(repeating: total / 3, count: 3)
    return try headAttention(columns(all, widths), mask: optional(3))
  }

  /// Inputs: queries, keys, values, bias of the three?, mask of keys?, bias of scores?, past?
  mutating func multiHeadAttention() throws -> Graph.TensorID {
    try expect(inputs: 3...10)
    try refuse(
      inputs: [
        5: "a bias of scores", 6: "a key/value cache", 7: "a key/value cache", 8: "a length of the cache",
        9: "an indirection of the cache",
      ])
    var operands = try (0..<3).map { try id($0) }
    if let bias = optional(3) {
      let parts = try columns(bias, operands.map { build.shape($0).last ?? 0 })
      operands = try zip(operands, parts).map { try build.binary(.add, $0, $1) }
    }
    return try headAttention(operands, mask: optional(4))
  }

  private mutating func headAttention(_ operands: [Graph.TensorID], mask: Graph.TensorID?) throws -> Graph.TensorID {
    let heads = try site.int("num_heads", default: 0)
    guard heads > 0 else { throw PackError(.malformed, "the attribute num_heads must be 1 or more") }
    let keys = build.shape(operands[1]).dropLast().last
    if let mask, build.shape(mask) != [1, keys] {
      throw PackError(
        .unsupported, "a mask \(build.shape(mask)) is not supported; supported: a number for each key, [1, keys]")
    }
    let attributes = AttentionAttributes(
      heads: heads, keyValueHeads: heads, scale: try scale(operands[0], heads),
      isCausal: try site.flag("unidirectional"))
    return try attention(attributes, operands, mask: mask)
  }

  private func scale(_ query: Graph.TensorID, _ heads: Int) throws -> Double {
    let stated = try site.real("scale", default: 0)
    return stated > 0 ? stated : 1 / Double(max((build.shape(query).last ?? 0) / heads, 1)).squareRoot()
  }

  /// Queries (or all three at once), keys?, values?, past?, past?, numbers of keys (two), cosines?,
  /// sines?, positions?. Causal; gives keys and values for the next run as well.
  mutating func groupedAttention() throws -> [Graph.TensorID] {
    try expect(inputs: 1...12)
    try refuse(inputs: [10: "a bias of scores", 11: "a sink of attention"])
    for input in 3...4 {
      if let past = optional(input), build[past].elementCount > 0 {
        throw PackError(
          .unsupported,
          "a key/value cache that the model is given (input \(input)) is not supported; import the model "
            + "without a past (--dim past_sequence_length=0), and pack --context makes a cache of its own")
      }
    }
    guard try site.int("local_window_size", default: -1) == -1, try site.real("softcap", default: 0) == 0,
      try site.int("smooth_softmax", default: 0) < 1
    else {
      throw PackError(
        .unsupported, "local attention, soft caps and smooth softmax (local_window_size, softcap, smooth_softmax) "
          + "are not supported")
    }
    let (heads, groups) = (try site.int("num_heads", default: 0), try site.int("kv_num_heads", default: 0))
    guard heads > 0, groups > 0, heads % groups == 0 else {
      throw PackError(.malformed, "\(heads) heads do not divide into groups of \(groups)")
    }
    var operands = [try id(0)]
    if let key = optional(1), let value = optional(2) {
      operands += [key, value]
    } else {
      let width = (build.shape(operands[0]).last ?? 0) / (heads + 2 * groups)
      operands = try columns(operands[0], [heads * width, groups * width, groups * width])
    }
    if try site.flag("do_rotary") {
      operands[0] = try rotated(operands[0], heads)
      operands[1] = try rotated(operands[1], groups)
    }
    let attributes = AttentionAttributes(
      heads: heads, keyValueHeads: groups, scale: try scale(operands[0], heads), isCausal: true)
    caches.formUnion(operands[1...2])
    return [try attention(attributes, operands)] + operands[1...2]
  }

  /// By the tables that are inputs 7 and 8, from position 0 on.
  private mutating func rotated(_ x: Graph.TensorID, _ heads: Int) throws -> Graph.TensorID {
    let (shape, table) = (build.shape(x), try self.shape(7))
    guard shape.count == 3, table.count == 2, table[1] * 2 * heads == shape[2], table[0] >= shape[1],
      try self.shape(8) == table
    else {
      throw PackError(
        .unsupported,
        "tables of cosines and sines \(table) are not [positions, half of a head's width] for \(heads) heads of \(shape)")
    }
    let rows = StridedRun(start: 0, count: shape[1])
    let tables = try [build.slice(id(7), axis: 0, rows), build.slice(id(8), axis: 0, rows)]
    let attributes = RotaryAttributes(heads: heads, isInterleaved: try site.flag("rotary_interleaved"))
    return try build.add(.rotary(attributes), [x] + tables, shape: shape)
  }

  /// The last dimension cut into parts of these widths.
  private mutating func columns(_ x: Graph.TensorID, _ widths: [Int]) throws -> [Graph.TensorID] {
    let shape = build.shape(x)
    guard let total = shape.last, widths.allSatisfy({ $0 > 0 }), widths.reduce(0, +) == total else {
      throw PackError(.malformed, "\(shape) does not divide into parts of the widths \(widths)")
    }
    var start = 0
    return try widths.map { width in
      defer { start += width }
      return try build.slice(x, axis: shape.count - 1, StridedRun(start: start, count: width))
    }
  }

  /// Throws where an input is given that is not supported; its meaning by its number.
  private func refuse(inputs meanings: [Int: String]) throws {
    for (input, what) in meanings.sorted(by: { $0.key < $1.key }) where optional(input) != nil {
      throw PackError(.unsupported, "\(what) (input \(input)) is not supported")
    }
  }
}
