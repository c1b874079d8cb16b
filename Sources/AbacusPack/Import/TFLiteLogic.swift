// Translation of comparisons, logic and choices: truth values are the numbers 0 and 1.

extension TFLiteTranslator {
  enum Comparison {
    case equal, notEqual, greater, greaterOrEqual, less, lessOrEqual
  }

  mutating func comparison(_ kind: Comparison) throws {
    try expect(inputs: 2...2)
    let shape = try Shapes.broadcast(shape(0), shape(1))
    try settle(shape)
    let difference = try step("difference", .binary(.subtract, .none), [number(0), number(1)], shape)
    let sign = try step("sign", .unary(.sign), [difference], shape)
    switch kind {
    case .notEqual: emit(.requantize, [try step("magnitude", .unary(.abs), [sign], shape)])
    case .equal: try emitNot(step("magnitude", .unary(.abs), [sign], shape))
    case .greater: emit(.requantize, [try step("more", .unary(.relu), [sign], shape)])
    case .lessOrEqual: try emitNot(step("more", .unary(.relu), [sign], shape))
    case .less, .greaterOrEqual:
      let less = try step("less", .unary(.relu), [step("opposite", .unary(.negate), [sign], shape)], shape)
      if kind == .less { emit(.requantize, [less]) } else { try emitNot(less) }
    }
  }

  /// `function` of 0 and 1 gives 0 and 1 again.
  mutating func logic(_ function: BinaryFunction) throws {
    try expect(inputs: 2...2)
    let shape = try Shapes.broadcast(shape(0), shape(1))
    try settle(shape)
    emit(.requantize, [try step("numbers", .binary(function, .none), [number(0), number(1)], shape)])
  }

  mutating func not() throws {
    try expect(inputs: 1...1)
    try settle(shape(0))
    try emitNot(number(0))
  }

  /// The second input where the first holds, else the third.
  mutating func select() throws {
    try expect(inputs: 3...3)
    guard try tensor(0).type == .bool else { throw PackError(.malformed, "the condition must be of type bool") }
    try settle(Shapes.broadcast(Shapes.broadcast(shape(0), shape(1)), shape(2)))
    emit(.select)
  }

  /// Where an integer is not 0.
  mutating func truth() throws {
    let shape = try shape(0)
    let sign = try step("sign", .unary(.sign), [number(0)], shape)
    emit(.requantize, [try step("magnitude", .unary(.abs), [sign], shape)])
  }

  private mutating func emitNot(_ flags: Graph.TensorID) throws {
    let one = graph.add(Tensor(name: "one", shape: [], type: .float32, data: littleEndianBytes(Float(1))))
    emit(.requantize, [try step("opposite", .binary(.subtract, .none), [one, flags], graph.tensors[flags].shape)])
  }

  /// An input as real numbers.
  private mutating func number(_ input: Int) throws -> Graph.TensorID {
    let tensor = try tensor(input)
    guard tensor.quantization == nil else {
      throw PackError(.unsupported, "comparisons and logic of quantised values are not supported")
    }
    return try tensor.type == .float32 ? id(input) : step("number \(input)", .requantize, [id(input)], tensor.shape)
  }

  private mutating func step(
    _ what: String, _ operation: Operation, _ inputs: [Graph.TensorID], _ shape: [Int]
  ) throws -> Graph.TensorID {
    let result = try intermediate(what, like: id(0), shape: shape)
    (graph.tensors[result].type, graph.tensors[result].quantization) = (.float32, nil)
    emit(operation, inputs, result)
    return result
  }
}
