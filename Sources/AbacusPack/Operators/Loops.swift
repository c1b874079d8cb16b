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
    let strides = try inputs.enumerated().map { position, shape in
      let missing = output.count - shape.count
      let own = rowMajorStrides(shape, unit: units?[position] ?? 1)
      guard missing >= 0 else { throw mismatch(node, output, inputs) }
      return try output.indices.map { dimension -> Int in
        guard dimension >= missing, shape[dimension - missing] != 1 else { return 0 }
        guard shape[dimension - missing] == output[dimension] else {
          throw mismatch(node, output, inputs)
        }
        return own[dimension - missing]
      }
    }
    guard let loops = LoopNest(extents: output, strides: strides).collapsed(toRank: rank) else {
      throw PackError(
        .unsupported, "\(node.origin): broadcasting \(inputs) to \(output) needs more than \(rank) loops")
    }
    return loops
  }

  private func mismatch(_ node: Node, _ output: [Int], _ inputs: [[Int]]) -> PackError {
    PackError(
      .malformed,
      "\(node.origin): inputs \(inputs.map(\.description).joined(separator: " and ")) do not broadcast to \(output)")
  }
}
