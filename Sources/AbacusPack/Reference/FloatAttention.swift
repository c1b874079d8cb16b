// Attention and rotary position embedding.

extension FloatKernelBuilder {
  func attention(_ attributes: AttentionAttributes) throws -> FloatKernel {
    try refusePosition(4)
    let shapes = try attentionShapes(attributes)
    let hasMask = hasInput(3)
    let count = output.elementCount
    return { inputs in
      [Float](count: count) { target in
        inputs[0].withUnsafeBufferPointer { query in
          inputs[1].withUnsafeBufferPointer { key in
            inputs[2].withUnsafeBufferPointer { value in
              var place = target
              shapes.batch.forEachRow { offsets in
                let mask = hasMask ? Array(inputs[3][offsets[3]..<offsets[3] + shapes.keys]) : nil
                shapes.attend(
                  query.baseAddress! + offsets[0], key.baseAddress! + offsets[1],
                  value.baseAddress! + offsets[2], mask: mask,
                  into: place)
                place += shapes.queries * shapes.outputWidth
              }
            }
          }
        }
      }
    }
  }

  private func attentionShapes(_ attributes: AttentionAttributes) throws -> AttentionShapes {
    let (query, key, value) = (try shape(0), try shape(1), try shape(2))
    let mask = hasInput(3) ? try shape(3) : [1]
    let (heads, groups) = (attributes.heads, attributes.keyValueHeads)
    guard query.count >= 2, key.count >= 2, value.count >= 2, !mask.isEmpty, heads >= 1, groups >= 1,
      heads % groups == 0, attributes.scale > 0, attributes.scale.isFinite, query[query.count - 1] % heads == 0, value[value.count - 1] % groups == 0
    else {
      throw malformed(
        "query \(query), key \(key), value \(value) with \(heads) heads, \(groups) key/value heads and "
          + "scale \(attributes.scale)")
    }
    var shapes = AttentionShapes(
      attributes: attributes, queries: query[query.count - 2], keys: key[key.count - 2],
      headWidth: query[query.count - 1] / heads, valueWidth: value[value.count - 1] / groups)
    let keys = shapes.keys
    let batch = Array(query.dropLast(2))
    try expectOutput(
      key[key.count - 1] == groups * shapes.headWidth && value[value.count - 2] == keys
        && (!hasInput(3) || mask.last == keys)
        && output.shape == batch + [shapes.queries, shapes.outputWidth],
      from: query, key, value, mask)
    let inputs = [query, key, value].map { Array($0.dropLast(2)) } + [Array(mask.dropLast())]
    let units = [query, key, value].map { $0.suffix(2).reduce(1, *) } + [mask[mask.count - 1]]
    shapes.batch = try broadcastLoops(inputs, to: batch, units: units)
    return shapes
  }

  func rotary(_ attributes: RotaryAttributes) throws -> FloatKernel {
    try refusePosition(3)
    let (input, cosines, sines) = (try shape(0), try shape(1), try shape(2))
    guard input.count >= 2, attributes.heads >= 1,
      input[input.count - 1] % attributes.heads == 0,
      input[input.count - 1] / attributes.heads % 2 == 0
    else { throw malformed("\(input) does not divide into \(attributes.heads) heads of even width") }
    let half = input[input.count - 1] / attributes.heads / 2
    let rows = input[input.count - 2]
    try expectOutput(
      input == output.shape && cosines == sines && cosines.count == 2 && cosines[1] == half
        && cosines[0] >= rows,
      from: input, cosines, sines)
    let count = output.elementCount
    let (step, partner) = attributes.isInterleaved ? (2, 1) : (1, half)
    return { inputs in
      var values = inputs[0]
      for (head, start) in stride(from: 0, to: count, by: 2 * half).enumerated() {
        let row = head / attributes.heads % rows * half
        for pair in 0..<half {
          let (first, second) = (start + pair * step, start + pair * step + partner)
          let (x, y) = (values[first], values[second])
          let (cosine, sine) = (inputs[1][row + pair], inputs[2][row + pair])
          values[first] = x * cosine - y * sine
          values[second] = y * cosine + x * sine
        }
      }
      return values
    }
  }

  private func refusePosition(_ position: Int) throws {
    guard hasInput(position) else { return }
    throw PackError(
      .unsupported,
      "\(node.origin): a position in a decoding session has no float evaluation; evaluate the graph "
        + "that reads a whole context at once")
  }
}

/// Extents of an attention node, and the attention of one batch entry.
private struct AttentionShapes: Sendable {
  var attributes: AttentionAttributes
  var queries: Int
  var keys: Int
  /// Of a query's and a key's head.
  var headWidth: Int
  /// Of a value's head.
  var valueWidth: Int
  /// Loops over the batch entries; strides of query, key, value and mask.
  var batch = LoopNest(extents: [], strides: [])

  /// Scores that are kept at a time: memory is linear in the number of keys.
  private static let blockElements = 1 << 16

  var outputWidth: Int { attributes.heads * valueWidth }

  func attend(
    _ query: UnsafePointer<Float>, _ key: UnsafePointer<Float>, _ value: UnsafePointer<Float>,
    mask: [Float]?, into target: UnsafeMutablePointer<Float>
  ) {
    let (heads, groups) = (attributes.heads, attributes.keyValueHeads)
    let block = min(max(Self.blockElements / keys, 1), queries)
    var scoring = RowProduct(
      rows: block, columns: keys, depth: headWidth, strideA: heads * headWidth,
      strideB: groups * headWidth, strideC: keys)
    var weighting = RowProduct(
      rows: block, columns: valueWidth, depth: keys, strideA: keys, strideB: keys, strideC: outputWidth)
    var scores = [Float](repeating: 0, count: block * keys)
    var columns = [Float](repeating: 0, count: keys * valueWidth)
    scores.withUnsafeMutableBufferPointer { scores in
      columns.withUnsafeMutableBufferPointer { columns in
        let (scores, columns) = (scores.baseAddress!, columns.baseAddress!)
        for head in 0..<heads {
          let group = head / (heads / groups)
          transposeMatrix(
            value + group * valueWidth, rows: keys, columns: valueWidth,
            stride: groups * valueWidth, into: columns)
          for first in stride(from: 0, to: queries, by: block) {
            scoring.rows = min(block, queries - first)
            weighting.rows = scoring.rows
            scoring.run(
              query + (first * heads + head) * headWidth, key + group * headWidth, into: scores)
            for row in 0..<scoring.rows { weigh(scores + row * keys, query: first + row, mask) }
            weighting.run(scores, columns, into: target + (first * heads + head) * valueWidth)
          }
        }
      }
    }
  }

  /// Turns the scores of one query into weights: softmax over the keys it may see, 0 for the others.
  /// A query that may see none gets nothing but zeros.
  private func weigh(_ scores: UnsafeMutablePointer<Float>, query: Int, _ mask: [Float]?) {
    let visible = attributes.isCausal ? min(query + 1, keys) : keys
    for key in visible..<keys { scores[key] = 0 }
    guard let mask else { return softmaxRow(scores, visible, scale: Float(attributes.scale)) }
    guard mask[..<visible].contains(where: { $0 != 0 }) else {
      return scores.update(repeating: 0, count: keys)
    }
    for key in 0..<visible where mask[key] == 0 { scores[key] = -.infinity }
    softmaxRow(scores, visible, scale: Float(attributes.scale))
  }
}
