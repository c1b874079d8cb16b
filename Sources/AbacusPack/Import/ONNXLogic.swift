// Translation of comparisons and logic: truth values are the numbers 0 and 1.

extension ONNXTranslator {
  /// Where input `larger` exceeds input `smaller`.
  mutating func exceeds(_ larger: Int, _ smaller: Int) throws -> Graph.TensorID {
    try truth(of: build.unary(.relu, sign(larger, smaller)))
  }

  mutating func equal() throws -> Graph.TensorID {
    try negated(truth(of: build.unary(.abs, sign(0, 1))))
  }

  /// -1, 0 or 1, as one input is less than, equal to or greater than the other.
  private mutating func sign(_ a: Int, _ b: Int) throws -> Graph.TensorID {
    try expect(inputs: 2...2)
    let difference = try build.binary(.subtract, number(id(a)), number(id(b)))
    return try build.requantize(build.unary(.sign, difference), type: .float32)
  }

  mutating func not() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    return try negated(id(0))
  }

  mutating func negated(_ flags: Graph.TensorID) throws -> Graph.TensorID {
    try truth(of: build.binary(.subtract, build.scalar(1), number(flags)))
  }

  /// `function` of 0 and 1 gives 0 and 1 again.
  mutating func logic(_ function: BinaryFunction) throws -> Graph.TensorID {
    try expect(inputs: 2...2)
    return try truth(of: build.binary(function, number(id(0)), number(id(1))))
  }

  /// Where a number is not 0.
  mutating func isNotZero(_ x: Graph.TensorID) throws -> Graph.TensorID {
    let sign = try build.requantize(build.unary(.sign, x), type: .float32)
    return try truth(of: build.unary(.abs, sign))
  }

  /// Truth values as numbers to compute with; other values as they are.
  private mutating func number(_ x: Graph.TensorID) throws -> Graph.TensorID {
    build[x].type == .bool ? try build.requantize(x, type: .float32) : x
  }

  /// The numbers 0 and 1 as truth values.
  private mutating func truth(of number: Graph.TensorID) throws -> Graph.TensorID {
    try build.requantize(number, type: .bool)
  }
}
