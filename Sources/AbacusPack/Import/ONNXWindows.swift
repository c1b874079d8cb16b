// Translation of convolutions and pools.

extension ONNXTranslator {
  // MARK: Images

  /// The input of a window: [n, channels, width] or [n, channels, height, width], as the graph has
  /// images: [n, height, width, channels].
  private mutating func image(_ x: Graph.TensorID) throws -> Graph.TensorID {
    let shape = build.shape(x)
    switch shape.count {
    case 3: return try build.reshape(build.transpose(x, [0, 2, 1]), [shape[0], 1, shape[2], shape[1]])
    case 4: return try build.transpose(x, [0, 2, 3, 1])
    default:
      throw PackError(
        .unsupported,
        "an input \(shape) is not supported; supported: [n, channels, width] and [n, channels, height, width]")
    }
  }

  /// Back in ONNX's order, with as many dimensions as the input had.
  private mutating func values(_ image: Graph.TensorID, rank: Int) throws -> Graph.TensorID {
    let shape = build.shape(image)
    guard rank == 3 else { return try build.transpose(image, [0, 3, 1, 2]) }
    return try build.transpose(build.reshape(image, [shape[0], shape[2], shape[3]]), [0, 2, 1])
  }

  // MARK: Windows

  /// What the attributes say of a window that slides over `extents` (one or two of them), and the
  /// extents of the result, both with two dimensions.
  private func window(
    _ size: [Int], over extents: [Int], ceils: Bool = false
  ) throws -> (attributes: WindowAttributes, extents: [Int]) {
    let rank = extents.count
    let strides = try site.ints("strides") ?? extents.map { _ in 1 }
    let dilations = try site.ints("dilations") ?? extents.map { _ in 1 }
    let pads = try site.ints("pads") ?? (extents + extents).map { _ in 0 }
    guard size.count == rank, strides.count == rank, dilations.count == rank, pads.count == 2 * rank,
      (size + strides + dilations).allSatisfy({ (1..<1 << 20).contains($0) }),
      pads.allSatisfy({ (0..<1 << 20).contains($0) })
    else {
      throw PackError(
        .malformed,
        "window \(size), strides \(strides), dilations \(dilations) and paddings \(pads) do not fit "
          + "\(rank) dimensions or are out of range")
    }
    let mode = try site.string("auto_pad", default: "NOTSET")
    let lift = Array(repeating: 1, count: 2 - rank)
    var window = WindowAttributes(
      size: lift + size, strides: lift + strides, dilations: lift + dilations)
    var result = lift
    for axis in 0..<rank {
      let span = (size[axis] - 1) * dilations[axis] + 1
      var (before, after, count) = (0, 0, 0)
      switch mode {
      case "SAME_UPPER", "SAME_LOWER":
        count = (extents[axis] + strides[axis] - 1) / strides[axis]
        let padding = max((count - 1) * strides[axis] + span - extents[axis], 0)
        before = mode == "SAME_UPPER" ? padding / 2 : padding - padding / 2
        after = padding - before
      case "NOTSET", "VALID", "":
        if mode != "VALID" { (before, after) = (pads[axis], pads[axis + rank]) }
        let room = extents[axis] + before + after - span
        guard room >= 0 else {
          throw PackError(.malformed, "a window of \(span) does not fit into an extent of \(extents[axis])")
        }
        count = room / strides[axis] + 1
        // Rounded up, unless the last window began in the padding.
        if ceils, room % strides[axis] != 0, count * strides[axis] < extents[axis] + before {
          after += strides[axis] - room % strides[axis]
          count += 1
        }
      default: throw PackError(.malformed, "the attribute auto_pad is \"\(mode)\", which means nothing")
      }
      window.padBefore[axis + 2 - rank] = before
      window.padAfter[axis + 2 - rank] = after
      result.append(count)
    }
    return (window, result)
  }

  // MARK: Convolutions

  mutating func convolution() throws -> Graph.TensorID {
    try expect(inputs: 2...3)
    return try convolution(id(0), id(1), optional(2))
  }

  /// Weights are [out, in / groups, height, width], or without the height.
  mutating func convolution(
    _ x: Graph.TensorID, _ weights: Graph.TensorID, _ bias: Graph.TensorID?
  ) throws -> Graph.TensorID {
    let image = try image(x)
    let rank = build.shape(x).count
    let (kernel, size) = try self.kernel(weights, rank: rank)
    let (window, extents) = try window(size, over: Array(build.shape(x)[2...]))
    let result = try build.convolution(
      image, weights: kernel, bias: bias, window, groups: site.int("group", default: 1), extents: extents)
    return try values(result, rank: rank)
  }

  /// Weights with four dimensions, and the size of their window as the file has it.
  private mutating func kernel(
    _ weights: Graph.TensorID, rank: Int
  ) throws -> (weights: Graph.TensorID, size: [Int]) {
    let shape = build.shape(weights)
    let stated = try site.ints("kernel_shape")
    guard shape.count == rank, !shape.contains(0), stated == nil || stated == Array(shape[2...]) else {
      throw PackError(.malformed, "weights \(shape) do not fit the input or the stated window")
    }
    let four = try build.reshape(weights, shape[..<2] + Array(repeating: 1, count: 4 - rank) + shape[2...])
    return (four, Array(shape[2...]))
  }

  /// Zeros between the elements of the input, then a convolution with the mirrored window.
  mutating func transposedConvolution() throws -> Graph.TensorID {
    try expect(inputs: 2...3)
    var image = try image(id(0))
    let rank = try shape(0).count
    let groups = try site.int("group", default: 1)
    let (kernel, size) = try self.kernel(id(1), rank: rank)
    let shape = build.shape(kernel)
    guard groups >= 1, shape[0] % groups == 0, shape[0] == build.shape(image)[3] else {
      throw PackError(.malformed, "weights \(shape) do not fit \(groups) groups of an input \(build.shape(image))")
    }
    let strides = try site.ints("strides") ?? size.map { _ in 1 }
    let dilations = try site.ints("dilations") ?? size.map { _ in 1 }
    let crops = try self.crops(size, strides, dilations)
    var (before, after) = ([0, 0, 0, 0], [0, 0, 0, 0])
    for axis in 0..<rank - 2 {
      let place = axis + 5 - rank
      image = try build.spread(image, axis: place, stride: strides[axis])
      let reach = dilations[axis] * (size[axis] - 1)
      // The zeros behind the last element are there already.
      (before[place], after[place]) = (reach - crops.before[axis], reach - crops.after[axis] - (strides[axis] - 1))
    }
    for axis in 1...2 where before[axis] < 0 || after[axis] < 0 {
      let (start, end) = (max(-before[axis], 0), build.shape(image)[axis] - max(-after[axis], 0))
      guard start < end else { throw PackError(.malformed, "its paddings leave nothing of the result") }
      image = try build.slice(image, axis: axis, StridedRun(start: start, count: end - start))
    }
    let lift = Array(repeating: 1, count: 4 - rank)
    let window = WindowAttributes(
      size: lift + size, dilations: lift + dilations,
      padBefore: before[1...2].map { max($0, 0) }, padAfter: after[1...2].map { max($0, 0) })
    let extents = try (0..<2).map { axis in
      let room = build.shape(image)[axis + 1] + window.padBefore[axis] + window.padAfter[axis]
      let count = room - (window.size[axis] - 1) * window.dilations[axis]
      guard count > 0 else { throw PackError(.malformed, "its paddings leave nothing of the result") }
      return count
    }
    // [in, out / groups, ...] mirrored, as [out, in / groups, ...].
    var runs = shape.map(StridedRun.whole)
    for axis in 2...3 { runs[axis] = StridedRun(start: shape[axis] - 1, stride: -1, count: shape[axis]) }
    let split = try build.reshape(
      build.slice(kernel, runs), [groups, shape[0] / groups, shape[1], shape[2], shape[3]])
    let mirrored = try build.reshape(
      build.transpose(split, [0, 2, 1, 3, 4]), [groups * shape[1], shape[0] / groups, shape[2], shape[3]])
    let result = try build.convolution(
      image, weights: mirrored, bias: optional(2), window, groups: groups, extents: extents)
    return try values(result, rank: rank)
  }

  /// How much of the whole result of a transposed convolution is cut off at each end (negative: more
  /// is computed).
  private func crops(
    _ size: [Int], _ strides: [Int], _ dilations: [Int]
  ) throws -> (before: [Int], after: [Int]) {
    let rank = size.count
    let added = try site.ints("output_padding") ?? size.map { _ in 0 }
    let pads = try site.ints("pads") ?? (size + size).map { _ in 0 }
    guard strides.count == rank, dilations.count == rank, added.count == rank, pads.count == 2 * rank,
      (strides + dilations).allSatisfy({ (1..<1 << 10).contains($0) }),
      (added + pads).allSatisfy({ (0..<1 << 20).contains($0) })
    else { throw PackError(.malformed, "strides, dilations or paddings do not fit its window or are out of range") }
    let mode = try site.string("auto_pad", default: "NOTSET")
    let extents = Array(try shape(0)[2...])
    var target = try site.ints("output_shape").map { Array($0.suffix(rank)) }
    if mode.hasPrefix("SAME"), target == nil { target = (0..<rank).map { extents[$0] * strides[$0] } }
    if let target {
      guard target.count == rank else { throw PackError(.malformed, "output_shape does not fit the window") }
      let totals = (0..<rank).map { axis in
        let reach = (size[axis] - 1) * dilations[axis] + 1
        return strides[axis] * (extents[axis] - 1) + added[axis] + reach - target[axis]
      }
      // An odd one goes to the end for SAME_UPPER, else to the begin. Where more is wanted than there
      // is, it is added at the end.
      let before = totals.map { max(mode == "SAME_UPPER" ? $0 / 2 : $0 - $0 / 2, 0) }
      return (before, (0..<rank).map { totals[$0] - before[$0] - added[$0] })
    }
    if mode == "VALID" { return (size.map { _ in 0 }, added.map(-)) }
    return (Array(pads[..<rank]), (0..<rank).map { pads[rank + $0] - added[$0] })
  }

  // MARK: Pools

  mutating func maxPool() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    return try pool(.max, id(0))
  }

  mutating func averagePool() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    return try averagePool(id(0))
  }

  mutating func averagePool(_ x: Graph.TensorID) throws -> Graph.TensorID { try pool(.average, x) }

  private mutating func pool(_ kind: PoolKind, _ x: Graph.TensorID) throws -> Graph.TensorID {
    guard let size = try site.ints("kernel_shape") else {
      throw PackError(.malformed, "the attribute kernel_shape is missing")
    }
    let shape = build.shape(x)
    var image = try image(x)
    var (window, extents) = try window(size, over: Array(shape[2...]), ceils: site.flag("ceil_mode"))
    if kind == .average, try site.flag("count_include_pad") {
      // Padding that counts is an input like any other; a graph's average leaves padding out. What
      // rounding up has added does not count.
      let stated = try site.ints("pads") ?? (size + size).map { _ in 0 }
      let isStated = try ["NOTSET", ""].contains(site.string("auto_pad", default: "NOTSET"))
      let lift = Array(repeating: 0, count: 2 - size.count)
      let after = isStated ? lift + stated[size.count...] : window.padAfter
      image = try build.pad(image, before: [0] + window.padBefore + [0], after: [0] + after + [0])
      window.padBefore = [0, 0]
      window.padAfter = zip(window.padAfter, after).map { max($0 - $1, 0) }
    }
    return try values(build.pool(kind, image, window, extents: extents), rank: shape.count)
  }

  mutating func globalPool(_ kind: ReduceKind) throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    return try globalPool(kind, id(0))
  }

  mutating func globalPool(_ kind: ReduceKind, _ x: Graph.TensorID) throws -> Graph.TensorID {
    let rank = build.shape(x).count
    guard rank > 2 else { throw PackError(.malformed, "the input must be [n, channels, extents...]") }
    return try build.reduce(kind, x, axes: Array(2..<rank))
  }
}

extension GraphBuilder {
  /// Each element of one dimension followed by `stride` - 1 zeros.
  fileprivate mutating func spread(_ x: Graph.TensorID, axis: Int, stride: Int) throws -> Graph.TensorID {
    if stride == 1 { return x }
    let old = shape(x)
    let apart = try reshape(x, old[...axis] + [1] + old[(axis + 1)...])
    let none = shape(apart).map { _ in 0 }
    var zeros = none
    zeros[axis + 1] = stride - 1
    let (extent, overflow) = old[axis].multipliedReportingOverflow(by: stride)
    guard !overflow else { throw PackError(.malformed, "a stride of \(stride) is too large") }
    return try reshape(pad(apart, before: none, after: zeros), old[..<axis] + [extent] + old[(axis + 1)...])
  }
}
