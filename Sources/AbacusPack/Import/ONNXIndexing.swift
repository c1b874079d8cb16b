// Translation of operators that read or write single places of a tensor, known before run time.

extension ONNXTranslator {
  /// Each index names a part by its first dimensions.
  mutating func gatherParts() throws -> Graph.TensorID {
    try expect(inputs: 2...2)
    guard try site.int("batch_dims", default: 0) == 0 else {
      throw PackError(.unsupported, "batch dimensions (the attribute batch_dims) are not supported; 0 is")
    }
    let (shape, indices) = (try shape(0), try self.shape(1))
    let (places, depth) = try partIndices()
    let rows = try build.reshape(id(0), [shape[..<depth].reduce(1, *)] + shape[depth...])
    let list = build.integers(places, shape: Array(indices.dropLast()))
    return try build.gather(rows, list, axis: 0)
  }

  /// The first input with updates (input 2) in the parts that indices name.
  mutating func scatterParts() throws -> Graph.TensorID {
    try expect(inputs: 3...3)
    let reduction = try site.string("reduction", default: "none")
    guard reduction == "none" else {
      throw PackError(.unsupported, "the reduction \"\(reduction)\" is not supported; none is")
    }
    let shape = try shape(0)
    let (places, depth) = try partIndices()
    let (count, part) = (shape[..<depth].reduce(1, *), Array(shape[depth...]))
    guard try tensor(2).elementCount == places.count * part.reduce(1, *), count <= GraphBuilder.maximumFoldedElements
    else { throw PackError(.malformed, "updates \(try self.shape(2)) are not one \(part) for each index") }
    // Each part of the result is one of the old or of the new.
    var sources = Array(0..<count)
    for (update, place) in places.enumerated() { sources[place] = count + update }
    let updates = try build.reshape(id(2), [places.count] + part)
    if sources == Array(count..<2 * count) { return try build.reshape(updates, shape) }
    let both = try build.concatenate([build.reshape(id(0), [count] + part), updates], axis: 0)
    let chosen = try build.gather(both, build.integers(sources, shape: [count]), axis: 0)
    return try build.reshape(chosen, shape)
  }

  /// The parts that constant indices (input 1) name, counted row by row, and over how many dimensions.
  private func partIndices() throws -> (places: [Int], depth: Int) {
    let (shape, indices) = (try shape(0), try self.shape(1))
    guard let depth = indices.last, depth >= 1, depth <= shape.count else {
      throw PackError(.malformed, "indices \(indices) do not name parts of \(shape)")
    }
    let values = try integers(1, "the indices")
    let places = try stride(from: 0, to: values.count, by: depth).map { start in
      try (0..<depth).reduce(0) { place, axis in
        let value = values[start + axis]
        let index = value < 0 ? value + shape[axis] : value
        guard (0..<shape[axis]).contains(index) else {
          throw PackError(.malformed, "the index \(value) lies outside of dimension \(axis) of \(shape)")
        }
        return place * shape[axis] + index
      }
    }
    return (places, depth)
  }

  /// Which values are none. A softmax of integers gives numbers even where a mask hides everything.
  mutating func isNotANumber() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    let x = try id(0)
    if let values = build[x].knownReals {
      let flags = values.map { UInt8($0.isNaN ? 1 : 0) }
      return build.add(Tensor(name: "", shape: build.shape(x), type: .bool, data: flags))
    }
    guard let producer = build.producers[x], case .softmax = build.graph.nodes[producer].operation else {
      throw PackError(
        .unsupported, "whether values are numbers is asked at run time; supported: of what a softmax gives, which always is")
    }
    let never = build.add(Tensor(name: "", shape: [], type: .bool, data: [0]))
    return try build.expand(never, to: build.shape(x))
  }
}
