// Translation of operators that take a part of a tensor, or add to its ends.

extension ONNXTranslator {
  /// Attributes before version 10, inputs since.
  mutating func slice() throws -> Graph.TensorID {
    try expect(inputs: 1...5)
    let shape = try shape(0)
    guard let begins = try integers(attribute: "starts", orInput: 1, "the list of begins"),
      let ends = try integers(attribute: "ends", orInput: 2, "the list of ends"), begins.count == ends.count
    else { throw PackError(.malformed, "needs as many begins as ends") }
    let stated = try integers(attribute: "axes", orInput: 3, "the list of axes") ?? Array(begins.indices)
    let axes = try resolve(axes: stated, rank: shape.count)
    let strides = try optional(4) == nil ? begins.map { _ in 1 } : integers(4, "the list of strides")
    guard axes.count == begins.count, strides.count == begins.count else {
      throw PackError(.malformed, "needs as many axes and strides as begins")
    }
    var runs = shape.map(StridedRun.whole)
    for (entry, axis) in axes.enumerated() {
      runs[axis] = try .python(over: shape[axis], begins[entry], ends[entry], strides[entry])
    }
    return try build.slice(id(0), runs)
  }

  mutating func split() throws -> [Graph.TensorID] {
    try expect(inputs: 1...2)
    let count = site.proto.output.count
    let shape = try shape(0)
    let axis = try axis(default: 0, rank: shape.count)
    // All parts but the last have the same extent where none are stated.
    let size = (shape[axis] + count - 1) / count
    let sizes = try integers(attribute: "split", orInput: 1, "the list of extents")
      ?? (0..<count).map { min(size, shape[axis] - size * $0) }
    guard sizes.count == count, sizes.allSatisfy({ $0 >= 0 }), sizes.reduce(0, +) == shape[axis] else {
      throw PackError(.malformed, "\(count) parts of \(sizes) do not make up an extent of \(shape[axis])")
    }
    var start = 0
    return try sizes.map { size in
      defer { start += size }
      return try build.slice(id(0), axis: axis, StridedRun(start: start, count: size))
    }
  }

  // MARK: Padding

  /// Attributes before version 11, inputs since. Negative padding cuts off.
  mutating func pad() throws -> Graph.TensorID {
    try expect(inputs: 1...4)
    let shape = try shape(0)
    guard let pads = try integers(attribute: "pads", orInput: 1, "the paddings") else {
      throw PackError(.malformed, "no paddings are given")
    }
    let stated = try optional(3) == nil ? Array(shape.indices) : integers(3, "the list of axes")
    let axes = try resolve(axes: stated, rank: shape.count)
    guard pads.count == 2 * axes.count else {
      throw PackError(.malformed, "has \(pads.count) paddings for \(axes.count) dimensions")
    }
    var before = shape.map { _ in 0 }
    var after = before
    for (entry, axis) in axes.enumerated() {
      (before[axis], after[axis]) = (pads[entry], pads[entry + axes.count])
    }
    var x = try id(0)
    for axis in shape.indices where before[axis] < 0 || after[axis] < 0 {
      let start = max(-before[axis], 0)
      let count = shape[axis] - start - max(-after[axis], 0)
      guard count > 0 else { throw PackError(.malformed, "the paddings \(pads) leave nothing of \(shape)") }
      x = try build.slice(x, axis: axis, StridedRun(start: start, count: count))
      (before[axis], after[axis]) = (max(before[axis], 0), max(after[axis], 0))
    }
    return try padded(x, before, after)
  }

  private mutating func padded(_ x: Graph.TensorID, _ before: [Int], _ after: [Int]) throws -> Graph.TensorID {
    let shape = build.shape(x)
    let mode = try site.string("mode", default: "constant")
    switch mode {
    case "constant":
      let isAttribute = optional(2) == nil
      let value = try isAttribute ? site.real("value", default: 0) : reals(2, "the padding value", count: 1)[0]
      return try build.pad(x, before: before, after: after, value: value == 0 ? nil : value)
    case "reflect":
      // The outermost element is not repeated, so there is one less to give.
      for axis in shape.indices where max(before[axis], after[axis]) > shape[axis] - 1 {
        throw PackError(
          .unsupported,
          "an extent of \(shape[axis]) reflected by \(before[axis]) and \(after[axis]) is not supported")
      }
      return try build.pad(x, before: before, after: after, .reflect)
    case "edge", "wrap":
      return try shape.indices.reduce(x) { x, axis in
        try repeating(x, axis, before[axis], after[axis], isEdge: mode == "edge")
      }
    default:
      throw PackError(
        .unsupported, "the mode \(mode) is not supported; supported: constant, reflect, edge, wrap")
    }
  }

  /// One dimension with its outermost elements repeated, or continued from the other end.
  private mutating func repeating(
    _ x: Graph.TensorID, _ axis: Int, _ before: Int, _ after: Int, isEdge: Bool
  ) throws -> Graph.TensorID {
    let extent = build.shape(x)[axis]
    guard before <= 256, after <= 256, isEdge || max(before, after) <= extent else {
      throw PackError(
        .unsupported, "an extent of \(extent) continued by \(before) and \(after) is not supported")
    }
    var parts: [Graph.TensorID] = []
    func part(_ start: Int, _ count: Int) throws -> Graph.TensorID {
      try build.slice(x, axis: axis, StridedRun(start: start, count: count))
    }
    if before > 0 {
      parts += try isEdge
        ? Array(repeating: part(0, 1), count: before) : [part(extent - before, before)]
    }
    parts.append(x)
    if after > 0 {
      parts += try isEdge ? Array(repeating: part(extent - 1, 1), count: after) : [part(0, after)]
    }
    return try build.concatenate(parts, axis: axis)
  }
}
