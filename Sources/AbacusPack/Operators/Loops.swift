import AbacusFormat

/// Nested loops over the elements of an output, and how far each input moves with each loop.
struct LoopNest {
  /// Outermost first.
  var extents: [Int]
  /// One row for each input; 0 where it is broadcast.
  var strides: [[Int]]

  /// Joins loops that run through memory as one, then pads with loops of one round in front.
  ///
  /// nil where more than `rank` loops remain.
  func collapsed(toRank rank: Int) -> LoopNest? {
    var joined = LoopNest(extents: [], strides: strides.map { _ in [] })
    for dimension in extents.indices where extents[dimension] != 1 {
      if let outer = joined.extents.last,
        strides.indices.allSatisfy({
          joined.strides[$0].last == strides[$0][dimension] * extents[dimension]
        })
      {
        joined.extents[joined.extents.count - 1] = outer * extents[dimension]
        for row in strides.indices {
          joined.strides[row][joined.extents.count - 1] = strides[row][dimension]
        }
      } else {
        joined.extents.append(extents[dimension])
        for row in strides.indices { joined.strides[row].append(strides[row][dimension]) }
      }
    }
    let missing = rank - joined.extents.count
    if missing < 0 { return nil }
    joined.extents.insert(contentsOf: [Int](repeating: 1, count: missing), at: 0)
    for row in joined.strides.indices {
      joined.strides[row].insert(contentsOf: [Int](repeating: 0, count: missing), at: 0)
    }
    return joined
  }
}

extension LoopNest {
  /// Loops over `output` with inputs broadcast to it in numpy's manner; nil where one does not.
  ///
  /// - Parameter units: elements that the innermost index of each input spans; 1 by default.
  init?(broadcasting inputs: [[Int]], to output: [Int], units: [Int]? = nil) {
    self.init(extents: output, strides: [])
    for (position, shape) in inputs.enumerated() {
      let missing = output.count - shape.count
      guard missing >= 0, zip(shape, output[missing...]).allSatisfy({ $0 == 1 || $0 == $1 })
      else { return nil }
      let own = rowMajorStrides(shape, unit: units?[position] ?? 1)
      strides.append(
        output.indices.map { dimension in
          dimension < missing || shape[dimension - missing] == 1 ? 0 : own[dimension - missing]
        })
    }
  }
}

extension LoopNest {
  /// Calls `body` for each round of all loops but the innermost, in order, with the element at which
  /// each input then stands. There is at least one loop.
  func forEachRow(_ body: (_ offsets: [Int]) -> Void) {
    var index = [Int](repeating: 0, count: extents.count - 1)
    var offsets = [Int](repeating: 0, count: strides.count)
    while true {
      body(offsets)
      guard var dimension = index.indices.last else { return }
      while true {
        index[dimension] += 1
        for row in strides.indices { offsets[row] += strides[row][dimension] }
        if index[dimension] < extents[dimension] { break }
        for row in strides.indices { offsets[row] -= strides[row][dimension] * extents[dimension] }
        index[dimension] = 0
        if dimension == 0 { return }
        dimension -= 1
      }
    }
  }

  /// The same loops with as many as possible joined; at least one is left.
  var collapsed: LoopNest { collapsed(toRank: max(extents.count, 1)) ?? self }
}

/// Strides of a row-major shape whose innermost element spans `unit` elements.
func rowMajorStrides(_ shape: [Int], unit: Int = 1) -> [Int] {
  var strides = [Int](repeating: unit, count: shape.count)
  for dimension in shape.indices.dropLast().reversed() {
    strides[dimension] = strides[dimension + 1] * shape[dimension + 1]
  }
  return strides
}

extension Lowering {
  /// Loops over `output` with inputs broadcast to it in numpy's manner.
  ///
  /// - Parameter units: elements that the innermost index of each input spans.
  func broadcastLoops(
    _ node: Node, output: [Int], _ inputs: [[Int]], units: [Int]? = nil, rank: Int
  ) throws -> LoopNest {
    guard let nest = LoopNest(broadcasting: inputs, to: output, units: units) else {
      throw PackError(
        .malformed,
        "\(node.origin): inputs \(inputs.map(\.description).joined(separator: " and ")) "
          + "do not broadcast to \(output)")
    }
    guard let loops = nest.collapsed(toRank: rank) else {
      throw PackError(
        .unsupported, "\(node.origin): broadcasting \(inputs) to \(output) needs more than \(rank) loops")
    }
    return loops
  }
}
