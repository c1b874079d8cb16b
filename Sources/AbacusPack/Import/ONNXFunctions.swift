// Translation of operators that work element by element.

extension ONNXTranslator {
  // MARK: Functions of one value

  mutating func unary(_ function: UnaryFunction) throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    return try build.unary(function, id(0))
  }

  mutating func identity() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    return try id(0)
  }

  /// At inference an identity. The mask, where anything asks for it, is all true.
  mutating func dropout() throws -> [Graph.TensorID] {
    try expect(inputs: 1...3)
    if let training = optional(2), build[training].data != [0] {
      throw PackError(.unsupported, "dropout in training mode is not supported")
    }
    let mask = Tensor(name: "", shape: [], type: .bool, data: [1])
    guard site.proto.output.count > 1 else { return [try id(0)] }
    return [try id(0), try build.expand(build.add(mask), to: shape(0))]
  }

  /// Bounds are attributes before version 11, inputs since.
  mutating func clip() throws -> Graph.TensorID {
    try expect(inputs: 1...3)
    var x = try id(0)
    let bounds = [optional(1), optional(2)]
    let isConstant = bounds.allSatisfy { $0.map { build[$0].isConstant } ?? true }
    guard isConstant, build.isReal(x) else {
      if let low = bounds[0] { x = try build.binary(.maximum, x, low) }
      if let high = bounds[1] { x = try build.binary(.minimum, x, high) }
      return x
    }
    let low = try bounds[0] == nil ? site.real("min") : reals(1, "the lower bound", count: 1)[0]
    let high = try bounds[1] == nil ? site.real("max") : reals(2, "the upper bound", count: 1)[0]
    switch (low, high) {
    case (nil, nil): return x
    case (0, nil): return try build.unary(.relu, x)
    case (0, 1): return try build.unary(.relu0To1, x)
    case (0, 6): return try build.unary(.relu6, x)
    case (-1, 1): return try build.unary(.reluN1To1, x)
    default: return try build.unary(.clip(low: low ?? -.infinity, high: high ?? .infinity), x)
    }
  }

  mutating func gelu() throws -> Graph.TensorID {
    let form = try site.string("approximate", default: "none")
    guard form == "none" || form == "tanh" else {
      throw PackError(.malformed, "the attribute approximate is \"\(form)\", expected none or tanh")
    }
    return try unary(.gelu(approximate: form == "tanh"))
  }

  mutating func biasedGelu(approximate: Bool) throws -> Graph.TensorID {
    try expect(inputs: 1...2)
    var x = try id(0)
    if let bias = optional(1) { x = try build.binary(.add, x, bias) }
    return try build.unary(.gelu(approximate: approximate), x)
  }

  mutating func quickGelu() throws -> Graph.TensorID {
    try scaledSwish(site.real("alpha", default: 1.702))
  }

  mutating func swish() throws -> Graph.TensorID { try scaledSwish(site.real("alpha", default: 1)) }

  /// x * sigmoid(alpha * x)
  private mutating func scaledSwish(_ alpha: Double) throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    let x = try id(0)
    if alpha == 1 { return try build.unary(.silu, x) }
    if Float(alpha) == 1.702 { return try build.unary(.quickGelu, x) }
    return try build.binary(.multiply, x, build.unary(.sigmoid, build.multiply(x, by: alpha)))
  }

  /// alpha * elu(x / alpha)
  mutating func celu() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    let alpha = try site.real("alpha", default: 1)
    guard alpha != 0 else { throw PackError(.malformed, "the attribute alpha must not be 0") }
    return try build.multiply(build.unary(.elu(alpha: 1), build.multiply(id(0), by: 1 / alpha)), by: alpha)
  }

  mutating func selu() throws -> Graph.TensorID {
    let alpha = try site.real("alpha", default: 1.6732632423543772)
    let gamma = try site.real("gamma", default: 1.0507009873554805)
    return try build.multiply(unary(.elu(alpha: alpha)), by: gamma)
  }

  /// x * tanh(softplus(x))
  mutating func mish() throws -> Graph.TensorID {
    let gate = try build.unary(.tanh, unary(.softplus))
    return try build.binary(.multiply, id(0), gate)
  }

  /// x / (1 + |x|)
  mutating func softsign() throws -> Graph.TensorID {
    let divisor = try build.add(unary(.abs), 1)
    return try build.binary(.multiply, id(0), build.unary(.reciprocal, divisor))
  }

  mutating func hardSigmoid() throws -> Graph.TensorID {
    let alpha = try site.real("alpha", default: 0.2)
    let beta = try site.real("beta", default: 0.5)
    if abs(alpha * 6 - 1) < 1e-6, beta == 0.5 { return try unary(.hardSigmoid) }
    try expect(inputs: 1...1)
    return try build.unary(.relu0To1, build.add(build.multiply(id(0), by: alpha), beta))
  }

  /// x where it exceeds alpha, else 0.
  mutating func thresholdedRelu() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    let x = try id(0)
    let alpha = try site.real("alpha", default: 1)
    let exceeds = try build.unary(.relu, build.unary(.sign, build.add(x, -alpha)))
    return try build.binary(.multiply, x, exceeds)
  }

  // MARK: Functions of several values

  mutating func binary(_ function: BinaryFunction) throws -> Graph.TensorID {
    try expect(inputs: 2...2)
    return try build.binary(function, id(0), id(1))
  }

  /// Quotients of integers are cut off towards 0.
  mutating func quotient() throws -> Graph.TensorID {
    try expect(inputs: 2...2)
    let operands = [try id(0), try id(1)]
    guard operands.allSatisfy({ build[$0].isPlainInteger }), !operands.allSatisfy({ build[$0].isConstant }) else {
      return try build.binary(.divide, operands[0], operands[1])
    }
    let reals = try operands.map { try build.requantize($0, type: .float32) }
    return try build.requantize(truncated(build.binary(.divide, reals[0], reals[1])), type: tensor(0).type)
  }

  mutating func power() throws -> Graph.TensorID {
    try expect(inputs: 2...2)
    let exponent = try tensor(1).isConstant && tensor(1).elementCount == 1 ? tensor(1).knownReals?.first : nil
    guard let exponent, build.isReal(try id(0)) else {
      // The result has the type of the base.
      return try build.binary(.power, id(0), build.requantize(id(1), type: tensor(0).type))
    }
    guard try Shapes.broadcast(shape(0), shape(1)) == shape(0) else {
      return try build.binary(.power, id(0), build.requantize(id(1), type: .float32))
    }
    switch exponent {
    case 1: return try id(0)
    case 2: return try build.unary(.square, id(0))
    case 0.5: return try build.unary(.sqrt, id(0))
    case -1: return try build.unary(.reciprocal, id(0))
    case -0.5: return try build.unary(.rsqrt, id(0))
    default: return try build.binary(.power, id(0), build.requantize(id(1), type: .float32))
    }
  }

  mutating func variadic(_ function: BinaryFunction) throws -> Graph.TensorID {
    try expect(inputs: 1...max(1, inputs.count))
    return try inputs.indices.dropFirst().reduce(id(0)) { try build.binary(function, $0, id($1)) }
  }

  mutating func mean() throws -> Graph.TensorID {
    let sum = try variadic(.add)
    return try build.multiply(sum, by: 1 / Double(inputs.count))
  }

  mutating func prelu() throws -> Graph.TensorID {
    try expect(inputs: 2...2)
    guard try Shapes.broadcast(shape(0), shape(1)) == shape(0) else {
      throw PackError(.malformed, "the slope \(try shape(1)) does not broadcast to the input \(try shape(0))")
    }
    return try build.add(.prelu, [id(0), id(1)], shape: shape(0))
  }

  mutating func select() throws -> Graph.TensorID {
    try expect(inputs: 3...3)
    return try build.select(id(0), id(1), id(2))
  }
}
