// Scaled dot-product attention from its parts, from the softmax outwards.

extension GraphEditor {
  /// softmax(scale * q * k^T + mask) * v, whatever moves, splits and repeats the heads, becomes one
  /// node on rows of channels [1, n, heads * d].
  func recognizeAttention(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), case .matrixMultiply(false, let isValueTransposed) = node.operation,
      let left = node.inputs[0], let value = node.inputs[1], let scores = attentionScores(left),
      !isConstant(value)
    else { return false }
    let y = node.outputs[0]
    let rank = shape(y).count
    let (queries, valueWidth) = (shape(y)[rank - 2], shape(y)[rank - 1])
    let batches = Array(shape(y).dropLast(2))
    let heads = batches.reduce(1, *)
    let keys = shape(scores.product).last!
    guard shape(scores.product).dropLast(2).reduce(1, *) == heads, scores.depth > 0, queries > 0, keys > 0,
      tensors[y].elementCount > 0
    else { return false }

    let query = try headRows(
      scores.query, scores.batches, rows: queries, isTransposed: scores.isQueryTransposed)
    let key = try headRows(scores.key, scores.batches, rows: keys, isTransposed: !scores.isKeyTransposed)
    let values = try headRows(
      value, batches, rows: keys, isTransposed: isValueTransposed, throughScales: false)
    guard let query, let key, let values,
      let mask = try attentionMask(scores.masks, queries, keys, node.origin)
    else { return false }

    // As few key/value heads as there are different ones.
    let groups = (1...heads).first { count in
      heads % count == 0
        && (0..<heads).allSatisfy { head in
          let first = head / (heads / count) * (heads / count)
          return key.columns[head] == key.columns[first] && values.columns[head] == values.columns[first]
        }
    }!
    let leaders = stride(from: 0, to: heads, by: heads / groups)
    let attributes = AttentionAttributes(
      heads: heads, keyValueHeads: groups, scale: scores.scale * query.scale * key.scale,
      isCausal: mask.isCausal)
    let inputs = [
      try select(query, query.columns.flatMap { $0 }, "query", node.origin),
      try select(key, leaders.flatMap { key.columns[$0] }, "key", node.origin),
      try select(values, leaders.flatMap { values.columns[$0] }, "value", node.origin),
    ]
    let name = tensors[y].name
    let rows = try emit(
      .attention(attributes), inputs + (mask.keys.map { [$0] } ?? []),
      shape: [1, queries, heads * valueWidth], name: name, origin: node.origin)
    let split = try emit(
      .reshape, [rows], shape: [queries, heads, valueWidth], name: name, origin: node.origin)
    let byHead = try emit(
      .transpose(permutation: [1, 0, 2]), [split], shape: [heads, queries, valueWidth], name: name,
      origin: node.origin)
    try define(y, .reshape, [byHead], origin: node.origin)
    return true
  }

  // MARK: Scores

  /// What stands before the product with the values.
  private struct Scores {
    /// query * key^T
    var product: TensorID
    var query: TensorID
    var key: TensorID
    var isQueryTransposed: Bool
    /// True where the product transposes the keys, which are rows then.
    var isKeyTransposed: Bool
    var depth: Int
    var batches: [Int]
    var scale: Double
    var masks: [ScoreMask]
  }

  /// Nothing else may need the probabilities or scores: they are never in memory as a whole.
  private func attentionScores(_ probabilities: TensorID) -> Scores? {
    var id = probabilities
    guard isPrivate(id) else { return nil }
    while let node = source(id), node.operation == .reshape, let x = node.inputs[0], keepsMatrices(x, id),
      isPrivate(x)
    {
      id = x
    }
    guard let node = source(id), case .softmax(let beta) = node.operation, let x = node.inputs[0]
    else { return nil }
    return scores(x, scale: beta, masks: [])
  }

  /// What stands before a softmax of scores, from a tensor on that is scaled and masked after.
  private func scores(_ id: TensorID, scale: Double, masks: [ScoreMask], depth: Int = 0) -> Scores? {
    guard isPrivate(id), depth < 64, let node = source(id) else { return nil }
    func further(_ x: TensorID, scale: Double, masks: [ScoreMask]) -> Scores? {
      scores(x, scale: scale, masks: masks, depth: depth + 1)
    }
    switch node.operation {
    case .reshape:
      guard let x = node.inputs[0], keepsMatrices(x, id) else { return nil }
      return further(x, scale: scale, masks: masks)
    case .binary(.multiply, .none):
      guard let (x, constant) = constantOperand(id, .multiply), let value = uniform(constant), value > 0,
        shape(x) == shape(id)
      else { return nil }
      return further(x, scale: scale * value, masks: masks)
    case .binary(.add, .none):
      guard let a = node.inputs[0], let b = node.inputs[1] else { return nil }
      return [(a, b), (b, a)].lazy.compactMap { x, mask in
        self.shape(x) == self.shape(id) ? further(x, scale: scale, masks: masks + [.added(mask)]) : nil
      }.first
    case .select:
      guard let condition = node.inputs[0], let first = node.inputs[1], let second = node.inputs[2],
        hidesScores(first) != hidesScores(second)
      else { return nil }
      let hidesWhereTrue = hidesScores(first)
      let x = hidesWhereTrue ? second : first
      guard shape(x) == shape(id) else { return nil }
      return further(x, scale: scale, masks: masks + [.selected(condition, hidesWhereTrue: hidesWhereTrue)])
    case .matrixMultiply(let transposeA, let transposeB):
      guard let query = node.inputs[0], let key = node.inputs[1], !isConstant(query), !isConstant(key)
      else { return nil }
      return Scores(
        product: id, query: query, key: key, isQueryTransposed: transposeA, isKeyTransposed: transposeB,
        depth: shape(query)[shape(query).count - (transposeA ? 2 : 1)],
        batches: Array(shape(id).dropLast(2)), scale: scale, masks: masks)
    default:
      return nil
    }
  }

  /// True where a reshape leaves the last two dimensions alone.
  private func keepsMatrices(_ a: TensorID, _ b: TensorID) -> Bool {
    shape(a).count >= 2 && shape(b).count >= 2 && shape(a).suffix(2) == shape(b).suffix(2)
  }
}
