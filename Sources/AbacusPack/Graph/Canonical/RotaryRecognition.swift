extension GraphEditor {
  /// Pairs of channels (a, b) that become (a cos - b sin, b cos + a sin), with constant tables that all
  /// heads share, are a rotary position embedding, however they are cut apart, turned and joined again.
  func recognizeRotary(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), let y = node.outputs.first, let end = rotationEnd(node),
      tensors[y].elementCount > 0, !isPart(y), let (x, elements) = LinearTrace.elements(y, from: end, self),
      // Rows of channels: transposes have moved behind.
      shape(x).count >= 3, shape(x)[0] == 1,
      let rotation = Rotation(elements, rows: shape(x)[1], rootWidth: tensors[x].elementCount / shape(x)[1])
    else { return false }
    let (rows, name, origin) = (rotation.rows, tensors[y].name, node.origin)
    let whole = [1, rows, tensors[x].elementCount / rows]
    let joined = try emit(.reshape, [x], shape: whole, name: tensors[x].name, origin: origin)
    // Of a projection to queries, keys and values at once, the channels that are turned.
    guard var source = try headRows(joined, [1], rows: rows, isTransposed: false, throughScales: false)
    else { return false }
    source.columns = [rotation.columns.map { source.columns[0][$0] }]
    func table(_ values: [Float], _ what: String) -> TensorID {
      constant(values, shape: [rows, rotation.depth / 2], name: "\(name) (\(what))")
    }
    let result = try emit(
      .rotary(RotaryAttributes(heads: rotation.heads, isInterleaved: rotation.isInterleaved)),
      [
        try select(source, source.columns[0], "rotated", origin), table(rotation.cosines, "cosines"),
        table(rotation.sines, "sines"),
      ], shape: [1, rows, rotation.columns.count], name: name, origin: origin)
    let (blocks, block) = (rotation.blocks, rotation.columns.count / rotation.blocks)
    let apart = try emit(.reshape, [result], shape: [rows, blocks, block], name: name, origin: origin)
    let byBlock = try emit(
      .transpose(permutation: [1, 0, 2]), [apart], shape: [blocks, rows, block], name: name, origin: origin)
    try define(y, .reshape, [byBlock], origin: origin)
    release(joined)
    return true
  }

  /// True where a tensor is joined with others: of heads that are turned in part, the whole is looked at.
  private func isPart(_ id: TensorID, depth: Int = 0) -> Bool {
    depth < 8 && readers(id).contains { reader in
      guard let node = floatNode(reader) else { return false }
      switch node.operation {
      case .reshape, .transpose: return isPart(node.outputs[0], depth: depth + 1)
      case .concatenation: return Set(node.inputs).count > 1
      default: return false
      }
    }
  }

  /// The sum or concatenation with which a rotation may end; parts that are joined may be moved to
  /// their places afterwards.
  private func rotationEnd(_ node: Node) -> TensorID? {
    let y = node.outputs[0]
    func isMoved(_ id: TensorID) -> Bool { readers(id).contains { floatNode($0)?.operation.isRelayout == true } }
    switch node.operation {
    case .binary(.add, .none), .binary(.subtract, .none): return y
    case .concatenation(_, .none): return isMoved(y) ? nil : y
    case .reshape, .transpose:
      guard let x = node.inputs[0], let before = source(x), case .concatenation(_, .none) = before.operation
      else { return nil }
      return x
    default: return nil
    }
  }
}

/// A rotation of pairs of channels, read off the factors of a linear map of rows.
private struct Rotation {
  let rows: Int
  /// Channels of the source that are turned, in the result's order.
  private(set) var columns: [Int] = []
  /// The result holds the first channels of all rows, then the next, in so many blocks.
  private(set) var blocks = 1
  private(set) var isInterleaved = true
  /// Channels of a head.
  private(set) var depth = 2
  /// [rows, depth / 2]
  private(set) var cosines: [Float] = []
  private(set) var sines: [Float] = []

  var heads: Int { columns.count / depth }

  private let elements: [LinearElement]
  private let rootWidth: Int
  private var block: Int { columns.count / blocks }

  /// Nil where the map is something else.
  init?(_ elements: [LinearElement], rows: Int, rootWidth: Int) {
    self.elements = elements
    self.rows = rows
    self.rootWidth = rootWidth
    guard elements.count % rows == 0, findBlocks(), let partners = partners() else { return nil }
    isInterleaved = partners.indices.allSatisfy { partners[$0] == $0 ^ 1 }
    if !isInterleaved { depth = 2 * partners[0] }
    let isPaired = partners.indices.allSatisfy { partners[$0] == partner(of: $0) }
    guard depth > 0, columns.count % depth == 0, isPaired, let angles = angles(partners) else { return nil }
    readTables(angles)
    guard heads > 0, sharesTables(angles) else { return nil }
  }

  private func element(_ row: Int, _ column: Int) -> LinearElement {
    elements[(column / block * rows + row) * block + column % block]
  }

  private mutating func findBlocks() -> Bool {
    let width = elements.count / rows
    let first = elements.firstIndex { $0.first.place / rootWidth != 0 } ?? width
    guard first > 0, width % first == 0 else { return false }
    blocks = width / first
    columns = Array(0..<width)
    return (0..<rows).allSatisfy { row in
      columns.allSatisfy { column in
        let element = element(row, column)
        return element.first.place / rootWidth == row && (element.second.map { $0.place / rootWidth == row } ?? true)
      }
    }
  }

  private func partner(of column: Int) -> Int {
    let half = depth / 2
    return isInterleaved ? column ^ 1 : column % depth < half ? column + half : column - half
  }

  /// For each channel the other one that is computed from the same two. Channels that stay as they are
  /// turn by 0 together with their neighbours.
  private func partners() -> [Int]? {
    var result = columns
    var known: [Set<Int>: [Int]] = [:]
    for column in columns {
      guard let second = element(0, column).second else {
        guard column ^ 1 < columns.count, element(0, column ^ 1).second == nil else { return nil }
        result[column] = column ^ 1
        continue
      }
      known[[element(0, column).first.place, second.place], default: []].append(column)
    }
    // What turns nothing only moves.
    guard !known.isEmpty else { return nil }
    for pair in known.values {
      guard pair.count == 2 else { return nil }
      (result[pair[0]], result[pair[1]]) = (pair[1], pair[0])
    }
    return result
  }

  private struct Angle: Equatable {
    var cosine: Float
    var sine: Float
  }

  /// Cosine and sine of each pair's first channel, for each row; finds from which channel of the
  /// source each comes.
  private mutating func angles(_ partners: [Int]) -> [[Angle]]? {
    var result = [[Angle]](repeating: [], count: rows)
    for first in columns where partners[first] > first {
      let second = partners[first]
      let places = [element(0, first).first.place, (element(0, first).second ?? element(0, second).first).place]
      // Which of the two a channel comes from shows in the signs.
      let ordered = [places, places.reversed()].first { self.angles(first, second, $0) != nil }
      guard let ordered, let angles = self.angles(first, second, ordered) else { return nil }
      (columns[first], columns[second]) = (ordered[0], ordered[1])
      for (row, angle) in angles.enumerated() { result[row].append(angle) }
    }
    return result
  }

  /// What turns two channels of the source into two of the result.
  private func angles(_ first: Int, _ second: Int, _ places: [Int]) -> [Angle]? {
    var result: [Angle] = []
    for row in 0..<rows {
      /// How much of a place of the source is in a channel.
      func factor(_ column: Int, _ place: Int) -> Float {
        let element = element(row, column)
        let terms = [element.first, element.second].compactMap { $0 }
        return terms.first { $0.place == row * rootWidth + place }?.factor ?? 0
      }
      let (cosine, sine) = (factor(first, places[0]), factor(second, places[0]))
      guard cosine == factor(second, places[1]), sine == -factor(first, places[1]),
        [first, second].allSatisfy({ hasOnly(places, row, $0) })
      else { return nil }
      result.append(Angle(cosine: cosine, sine: sine))
    }
    return result
  }

  /// True where a channel is computed from no other places of its row.
  private func hasOnly(_ places: [Int], _ row: Int, _ column: Int) -> Bool {
    let element = element(row, column)
    return places.contains(element.first.place - row * rootWidth)
      && (element.second.map { places.contains($0.place - row * rootWidth) } ?? true)
  }

  /// The tables of the first head. Where neighbours are pairs, heads are as wide as their angles repeat.
  private mutating func readTables(_ angles: [[Angle]]) {
    let pairs = columns.count / 2
    if isInterleaved {
      let period = (1...pairs).first { period in
        pairs % period == 0 && angles.allSatisfy { row in row.indices.allSatisfy { row[$0] == row[$0 % period] } }
      }
      depth = 2 * (period ?? pairs)
    }
    for row in angles {
      cosines += row.prefix(depth / 2).map(\.cosine)
      sines += row.prefix(depth / 2).map(\.sine)
    }
  }

  private func sharesTables(_ angles: [[Angle]]) -> Bool {
    angles.allSatisfy { row in row.indices.allSatisfy { row[$0] == row[$0 % (depth / 2)] } }
  }
}
