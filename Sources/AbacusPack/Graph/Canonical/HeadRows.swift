// Where the heads of attention and of rotary embedding lie in tensors of rows.

extension GraphEditor {
  /// The rows of one operand for all heads: columns of one tensor of rows.
  struct HeadRows {
    var root: TensorID
    var rows: Int
    /// For each head, the columns of the root's rows.
    var columns: [[Int]]
    var scale: Double
  }

  /// Finds the tensor of rows [n, width] of which an operand [batches..., n, d] holds the heads.
  /// Where there is none, the operand's own elements are put in that order.
  func headRows(
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
  func select(
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
}
