// Translation of operators that move elements, and of those that compute with shapes.

extension ONNXTranslator {
  // MARK: Constants

  mutating func constant() throws -> Graph.TensorID {
    if let proto = try site.tensor("value") {
      let id = build.add(try anonymous(proto))
      if ONNXTensorSource.isNarrow(proto.dataType) { narrow.insert(id) }
      return id
    }
    if let value = try site.int("value_int") { return build.integers([value], shape: []) }
    if let values = try site.ints("value_ints") { return build.integers(values, shape: [values.count]) }
    if let value = try site.real("value_float") { return build.scalar(value) }
    if let values = try site.reals("value_floats") { return build.constant(values, shape: [values.count]) }
    throw PackError(
      .unsupported,
      "the kind of constant is not supported; supported: value, value_int, value_ints, value_float, value_floats")
  }

  /// A constant of an attribute; its name is that of the node's output.
  private func anonymous(_ proto: ONNXTensorProto) throws -> Tensor {
    var tensor = try constant(proto)
    tensor.name = ""
    return tensor
  }

  mutating func constantOfShape() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    let shape = try integers(0, "the shape")
    let zero = Tensor(name: "", shape: [1], type: .float32, data: [0, 0, 0, 0])
    var value = try site.tensor("value").map(anonymous) ?? zero
    guard value.elementCount == 1 else { throw PackError(.malformed, "the value must have one element") }
    value.shape = []
    return try build.expand(build.add(value), to: shape)
  }

  mutating func range() throws -> Graph.TensorID {
    try expect(inputs: 3...3)
    let parts = try (0..<3).map { try reals($0, "the range", count: 1)[0] }
    let count = ((parts[1] - parts[0]) / parts[2]).rounded(.up)
    guard parts[2] != 0, count < Double(GraphBuilder.maximumFoldedElements) else {
      throw PackError(.malformed, "a range from \(parts[0]) to \(parts[1]) by \(parts[2]) is too long")
    }
    let values = (0..<Int(max(count, 0))).map { parts[0] + Double($0) * parts[2] }
    var tensor = Tensor(name: "", shape: [values.count], type: try tensor(0).type)
    tensor.data = tensor.stored(values)
    guard tensor.data != nil else { throw PackError(.malformed, "the range leaves its type \(tensor.type)") }
    return build.add(tensor)
  }

  /// The upper or lower triangle of a constant, the rest 0.
  mutating func triangle() throws -> Graph.TensorID {
    try expect(inputs: 1...2)
    let diagonal = try optional(1) == nil ? 0 : integers(1, "the diagonal", count: 1)[0]
    let keepsUpper = try site.flag("upper", default: true)
    var tensor = try tensor(0)
    tensor.name = ""
    guard var data = tensor.data, tensor.shape.count >= 2 else {
      throw Self.mustBeConstant("the matrix", 0)
    }
    let (rows, columns) = (tensor.shape[tensor.shape.count - 2], tensor.shape[tensor.shape.count - 1])
    for element in 0..<tensor.elementCount {
      let (row, column) = (element / columns % rows, element % columns)
      if keepsUpper ? column - row < diagonal : column - row > diagonal {
        for byte in 0..<tensor.type.bytes { data[element * tensor.type.bytes + byte] = 0 }
      }
    }
    tensor.data = data
    return build.add(tensor)
  }

  // MARK: Types

  mutating func cast() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    guard let code = try site.int("to") else { throw PackError(.malformed, "the attribute to is missing") }
    let type = try ONNXTensorSource.type(ofCode: Int32(truncatingIfNeeded: code))
    return try cast(to: ONNXTensorSource.isNarrow(Int32(truncatingIfNeeded: code)) ? .int4 : type)
  }

  mutating func castLike() throws -> Graph.TensorID {
    try expect(inputs: 2...2)
    let model = try tensor(1)
    if narrow.contains(try id(1)) { return try cast(to: .int4) }
    return try cast(to: model.quantization == nil ? model.type : .float32)
  }

  private mutating func cast(to type: DataType) throws -> Graph.TensorID {
    let input = try tensor(0)
    guard type != .int4 else { throw PackError(.unsupported, "casts to integers of 4 bits are not supported") }
    if input.type == type || type == .float32 { return try build.requantize(id(0), type: type) }
    if type == .bool { return try isNotZero(id(0)) }
    if input.type == .bool || input.isPlainInteger { return try build.requantize(id(0), type: type) }
    return try build.requantize(truncated(id(0)), type: type)
  }

  /// Real values cut off towards 0.
  mutating func truncated(_ x: Graph.TensorID) throws -> Graph.TensorID {
    let magnitude = try build.unary(.floor, build.unary(.abs, x))
    return try build.binary(.multiply, magnitude, build.unary(.sign, x))
  }

  // MARK: Shapes

  /// Shape: known here, since every shape is.
  mutating func shapeOf() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    let shape = try shape(0)
    let run = try StridedRun.python(
      over: shape.count, site.int("start", default: 0), site.int("end"), 1)
    let part = (0..<run.count).map { shape[run.start + $0] }
    return build.integers(part, shape: [part.count])
  }

  mutating func size() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    return build.integers([try tensor(0).elementCount], shape: [])
  }

  mutating func reshape() throws -> Graph.TensorID {
    try expect(inputs: 1...2)
    let input = try shape(0)
    guard var target = try integers(attribute: "shape", orInput: 1, "the shape") else {
      throw PackError(.malformed, "no shape is given")
    }
    if try !site.flag("allowzero") {
      for axis in target.indices where target[axis] == 0 {
        guard axis < input.count else {
          throw PackError(.malformed, "the shape \(target) keeps dimension \(axis), which \(input) has not")
        }
        target[axis] = input[axis]
      }
    }
    return try build.reshape(id(0), target)
  }

  mutating func flatten() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    let shape = try shape(0)
    let axis = try site.int("axis", default: 1)
    let split = axis < 0 ? axis + shape.count : axis
    guard (0...shape.count).contains(split) else {
      throw PackError(.malformed, "\(shape) cannot be flattened at \(axis)")
    }
    return try build.reshape(id(0), [shape[..<split].reduce(1, *), shape[split...].reduce(1, *)])
  }

  mutating func squeeze() throws -> Graph.TensorID {
    try expect(inputs: 1...2)
    let shape = try shape(0)
    let stated = try integers(attribute: "axes", orInput: 1, "the list of axes")
    let axes = try stated.map { try resolve(axes: $0, rank: shape.count) } ?? shape.indices.filter { shape[$0] == 1 }
    guard axes.allSatisfy({ shape[$0] == 1 }) else {
      throw PackError(.malformed, "only dimensions of extent 1 can be squeezed, not \(axes) of \(shape)")
    }
    return try build.reshape(id(0), shape.indices.filter { !axes.contains($0) }.map { shape[$0] })
  }

  mutating func unsqueeze() throws -> Graph.TensorID {
    try expect(inputs: 1...2)
    guard let stated = try integers(attribute: "axes", orInput: 1, "the list of axes") else {
      throw PackError(.malformed, "no axes are given")
    }
    var shape = try shape(0)
    for axis in try resolve(axes: stated, rank: shape.count + stated.count).sorted() {
      shape.insert(1, at: axis)
    }
    return try build.reshape(id(0), shape)
  }

  mutating func transpose() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    return try build.transpose(id(0), site.ints("perm") ?? shape(0).indices.reversed())
  }

  mutating func concatenation() throws -> Graph.TensorID {
    try expect(inputs: 1...max(1, inputs.count))
    let axis = try axis(default: 1, rank: shape(0).count)
    return try continued(inputs.indices.map { try id($0) }, axis: axis)
  }

  /// A concatenation; with an empty input of the model before it, the rest is a cache.
  mutating func continued(_ parts: [Graph.TensorID], axis: Int) throws -> Graph.TensorID {
    let result = try build.concatenate(parts, axis: axis)
    if parts.contains(where: empty.contains) { caches.insert(result) }
    return result
  }

  mutating func expand() throws -> Graph.TensorID {
    try expect(inputs: 2...2)
    return try build.expand(id(0), to: integers(1, "the shape"))
  }

  mutating func tile() throws -> Graph.TensorID {
    try expect(inputs: 2...2)
    return try build.tile(id(0), integers(1, "the list of repetitions", count: shape(0).count))
  }

  /// A single index, or neighbours in their order, is a slice.
  mutating func gather() throws -> Graph.TensorID {
    try expect(inputs: 2...2)
    let input = try shape(0)
    let axis = try axis(default: 0, rank: input.count)
    let type = try tensor(1).type
    guard type == .int32 || type == .int64 else {
      throw PackError(.malformed, "the indices (input 1) must be of type int32 or int64")
    }
    guard let stated = try tensor(1).indexValues else { return try build.gather(id(0), id(1), axis: axis) }
    let indices = stated.map { $0 < 0 ? $0 &+ input[axis] : $0 }
    guard indices.allSatisfy((0..<input[axis]).contains) else {
      throw PackError(.malformed, "every index must lie in \(-input[axis])..<\(input[axis])")
    }
    if let first = indices.first, indices == Array(first..<first + indices.count) {
      let part = try build.slice(id(0), axis: axis, StridedRun(start: first, count: indices.count))
      return try build.reshape(part, input[..<axis] + shape(1) + input[(axis + 1)...])
    }
    let list = build.integers(indices, shape: try shape(1), type: type)
    return try build.gather(id(0), list, axis: axis)
  }

  // MARK: Blocks

  mutating func depthToSpace() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    let (shape, block) = try blocks()
    let mode = try site.string("mode", default: "DCR")
    guard mode == "DCR" || mode == "CRD", shape[1] % (block * block) == 0 else {
      throw PackError(.malformed, "\(shape[1]) channels do not divide into blocks of \(block) x \(block), mode \(mode)")
    }
    let channels = shape[1] / block / block
    let isDepthFirst = mode == "DCR"
    let split = isDepthFirst ? [block, block, channels] : [channels, block, block]
    let parts = try build.reshape(id(0), [shape[0]] + split + shape[2...])
    let moved = try build.transpose(parts, isDepthFirst ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3])
    return try build.reshape(moved, [shape[0], channels, shape[2] * block, shape[3] * block])
  }

  mutating func spaceToDepth() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    let (shape, block) = try blocks()
    let (height, width) = (shape[2] / block, shape[3] / block)
    guard height * block == shape[2], width * block == shape[3] else {
      throw PackError(.malformed, "\(shape[2]) x \(shape[3]) do not divide into blocks of \(block)")
    }
    let parts = try build.reshape(id(0), [shape[0], shape[1], height, block, width, block])
    let moved = try build.transpose(parts, [0, 3, 5, 1, 2, 4])
    return try build.reshape(moved, [shape[0], block * block * shape[1], height, width])
  }

  private func blocks() throws -> (shape: [Int], block: Int) {
    let shape = try shape(0)
    let block = try site.int("blocksize", default: 0)
    guard shape.count == 4, (1..<1 << 15).contains(block) else {
      throw PackError(
        .malformed,
        "needs an input [n, channels, height, width] and a block of 1 or more, has \(shape) and \(block)")
    }
    return (shape, block)
  }
}
