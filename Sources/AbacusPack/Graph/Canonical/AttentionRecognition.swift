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
    /// Added to the scaled product.
    var masks: [TensorID]
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
    var scale = beta
    var masks: [TensorID] = []
    id = x
    while isPrivate(id), let node = source(id) {
      switch node.operation {
      case .reshape:
        guard let x = node.inputs[0], keepsMatrices(x, id) else { return nil }
        id = x
      case .binary(.multiply, .none):
        guard let (x, constant) = constantOperand(id, .multiply), let value = uniform(constant), value > 0,
          shape(x) == shape(id)
        else { return nil }
        scale *= value
        id = x
      case .binary(.add, .none):
        guard let a = node.inputs[0], let b = node.inputs[1] else { return nil }
        // The mask broadcasts over heads, or is constant.
        let isSecondMask = isConstant(b) || shape(b) != shape(id)
        let (x, mask) = isSecondMask ? (a, b) : (b, a)
        guard shape(x) == shape(id), isSecondMask || shape(mask) != shape(id) else { return nil }
        masks.append(mask)
        id = x
      case .select:
        guard let (x, mask) = selectedScores(node), shape(x) == shape(id) else { return nil }
        masks.append(mask)
        id = x
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
    return nil
  }

  /// The scores that a constant condition lets through, and the mask that says the same.
  private func selectedScores(_ node: Node) -> (x: TensorID, mask: TensorID)? {
    guard let condition = node.inputs[0], let first = node.inputs[1], let second = node.inputs[2],
      tensors[condition].type == .bool, let flags = tensors[condition].data
    else { return nil }
    func hides(_ id: TensorID) -> Bool { uniform(id).map { $0 <= -Self.hiding } ?? false }
    guard hides(first) != hides(second) else { return nil }
    let mask = constant(
      flags.map { ($0 != 0) == hides(first) ? -.infinity : 0 }, shape: shape(condition),
      name: tensors[condition].name)
    return (hides(first) ? second : first, mask)
  }

  /// True where a reshape leaves the last two dimensions alone.
  private func keepsMatrices(_ a: TensorID, _ b: TensorID) -> Bool {
    shape(a).count >= 2 && shape(b).count >= 2 && shape(a).suffix(2) == shape(b).suffix(2)
  }

  // MARK: Heads

  /// The rows of one operand for all heads: columns of one tensor of rows.
  private struct HeadRows {
    var root: TensorID
    var rows: Int
    /// For each head, the columns of the root's rows.
    var columns: [[Int]]
    var scale: Double
  }

  /// Finds the tensor of rows [n, width] of which an operand [batches..., n, d] holds the heads.
  /// Where there is none, the operand's own elements are put in that order.
  private func headRows(
    _ id: TensorID, _ batches: [Int], rows: Int, isTransposed: Bool, throughScales: Bool = true
  ) throws -> HeadRows? {
    let width = tensors[id].elementCount == 0 ? 0 : shape(id)[shape(id).count - (isTransposed ? 2 : 1)]
    guard width > 0 else { return nil }
    // Positions of the operand's elements by head, row and channel.
    let whole = Rearrangement.Operand(shape: shape(id), elements: Array(0..<tensors[id].elementCount))
    var places = Rearrangement.broadcast(whole, to: batches + shape(id).suffix(2))
    let heads = batches.reduce(1, *)
    if isTransposed {
      guard
        let exchanged = Rearrangement.apply(
          .transpose(permutation: [0, 2, 1]), [.init(shape: [heads, width, rows], elements: places)],
          shape: [heads, rows, width])
      else { return nil }
      places = exchanged
    }
    let candidates = traces(id, throughScales: throughScales).compactMap { trace -> HeadRows? in
      let found = columns(places.map { trace.places[$0] }, of: trace.root, heads, rows, width)
      return found.map { HeadRows(root: trace.root, rows: rows, columns: $0, scale: trace.scale) }
    }
    let isWhole = { (candidate: HeadRows) in
      self.shape(candidate.root).last! * rows == self.tensors[candidate.root].elementCount
    }
    if let found = candidates.last(where: isWhole) ?? candidates.last { return found }
    return try ownRows(id, heads, rows, width, isTransposed: isTransposed)
  }

  /// The columns that each head reads, if row i of every head lies in row i of the root.
  private func columns(
    _ places: [Int], of root: TensorID, _ heads: Int, _ rows: Int, _ width: Int
  ) -> [[Int]]? {
    let count = tensors[root].elementCount
    guard count % rows == 0, !shape(root).isEmpty, !isConstant(root) else { return nil }
    let rootWidth = count / rows
    var result: [[Int]] = []
    for head in 0..<heads {
      let first = Array(places[head * rows * width..<head * rows * width + width])
      guard first.allSatisfy({ $0 < rootWidth }) else { return nil }
      for row in 1..<max(rows, 1) {
        for column in 0..<width
        where places[(head * rows + row) * width + column] != row * rootWidth + first[column] { return nil }
      }
      result.append(first)
    }
    return result
  }

  /// The operand's own elements as rows of heads side by side.
  private func ownRows(
    _ id: TensorID, _ heads: Int, _ rows: Int, _ width: Int, isTransposed: Bool
  ) throws -> HeadRows? {
    let own = tensors[id].elementCount / (rows * width)
    guard own == heads || own == 1 else { return nil }
    let name = tensors[id].name
    let origin = writer(id).flatMap(node)?.origin ?? name
    let matrix = isTransposed ? [own, width, rows] : [own, rows, width]
    let split = try emit(.reshape, [id], shape: matrix, name: name, origin: origin)
    let root = try emit(
      .transpose(permutation: isTransposed ? [2, 0, 1] : [1, 0, 2]), [split], shape: [rows, own, width],
      name: name, origin: origin)
    let columns = (0..<heads).map { head in
      (0..<width).map { (own == 1 ? 0 : head) * width + $0 }
    }
    return HeadRows(root: root, rows: rows, columns: columns, scale: 1)
  }

  /// Some columns of a tensor of rows, as [1, n, columns].
  private func select(
    _ source: HeadRows, _ columns: [Int], _ role: String, _ origin: String
  ) throws -> TensorID {
    let width = tensors[source.root].elementCount / source.rows
    let whole = [1, source.rows, width]
    let name = tensors[source.root].name
    let rows = shape(source.root) == whole
      ? source.root : try emit(.reshape, [source.root], shape: whole, name: name, origin: origin)
    if columns == Array(0..<width) { return rows }
    let selected = [1, source.rows, columns.count]
    let named = "\(name) (\(role))"
    let projection = "\(writer(rows).flatMap(node)?.origin ?? origin) (\(role))"
    if columns.indices.allSatisfy({ columns[$0] == columns[0] + $0 }) {
      return try emit(
        .slice(starts: [0, 0, columns[0]], strides: [1, 1, 1]), [rows], shape: selected, name: named,
        origin: projection)
    }
    return try emit(
      .gather(axis: 2, batchDimensions: 0), [rows, indices(columns)], shape: selected, name: named,
      origin: projection)
  }

  // MARK: Masks

  /// What the added masks say: nil where they cannot be said.
  private func attentionMask(
    _ masks: [TensorID], _ queries: Int, _ keys: Int, _ origin: String
  ) throws -> (isCausal: Bool, keys: TensorID?)? {
    var result: (isCausal: Bool, keys: TensorID?) = (false, nil)
    for mask in masks {
      if isConstant(mask) {
        guard let hidden = hiddenPlaces(mask, queries, keys) else { return nil }
        if !hidden.contains(true) { continue }
        let causal = (0..<queries * keys).map { $0 % keys > $0 / keys }
        if queries == keys, hidden == causal {
          result.isCausal = true
        } else if result.keys == nil, (0..<queries * keys).allSatisfy({ hidden[$0] == hidden[$0 % keys] }) {
          result.keys = constant(
            hidden[..<keys].map { $0 ? 0 : 1 }, shape: [1, keys], name: tensors[mask].name)
        } else {
          return nil
        }
      } else {
        guard result.keys == nil, let flags = keyFlags(mask, keys) else { return nil }
        result.keys = shape(flags) == [1, keys]
          ? flags
          : try emit(
            .reshape, [flags], shape: [1, keys], name: tensors[flags].name, origin: origin,
            type: tensors[flags].type)
      }
    }
    return result
  }

  /// The smallest amount that hides a key when it is subtracted from a score.
  private static let hiding = 1e4

  /// True where a constant mask [queries, keys], the same for all heads, hides a key from a query.
  private func hiddenPlaces(_ mask: TensorID, _ queries: Int, _ keys: Int) -> [Bool]? {
    let extents = Array(shape(mask).drop { $0 == 1 })
    guard extents.count <= 2, let values = tensors[mask].floats else { return nil }
    guard values.allSatisfy({ $0 == 0 || Double($0) <= -Self.hiding }) else { return nil }
    let whole = Rearrangement.broadcast(.init(shape: extents, elements: values), to: [queries, keys])
    return whole.map { $0 != 0 }
  }

  /// The flags, one integer for each key, of which a mask is `amount * flag - amount`.
  private func keyFlags(_ mask: TensorID, _ keys: Int) -> TensorID? {
    guard tensors[mask].elementCount == keys, shape(mask).last == keys else { return nil }
    var (id, factor, offset) = (mask, 1.0, 0.0)
    while tensors[id].type == .float32, let node = writer(id).flatMap(plainNode), let x = node.inputs[0] {
      switch node.operation {
      case .reshape, .requantize: id = x
      case .unary(.negate):
        factor = -factor
        id = x
      case .binary(.subtract, .none):
        guard let value = uniform(x), let subtrahend = node.inputs[1] else { return nil }
        offset += factor * value
        factor = -factor
        id = subtrahend
      case .binary(.add, .none):
        guard let (x, constant) = constantOperand(id, .add), let value = uniform(constant)
        else { return nil }
        offset += factor * value
        id = x
      case .binary(.multiply, .none):
        guard let (x, constant) = constantOperand(id, .multiply), let value = uniform(constant)
        else { return nil }
        factor *= value
        id = x
      default: return nil
      }
    }
    let isFlag = [.bool, .int8, .uint8, .int32, .int64].contains(tensors[id].type)
    guard isFlag, tensors[id].elementCount == keys, factor >= Self.hiding, isClose(factor, -offset)
    else { return nil }
    return id
  }
}
