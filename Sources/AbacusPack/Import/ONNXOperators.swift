// Which operators can be imported, and the translation of those that work element by element.

extension ONNXTranslator {
  typealias Translation = @Sendable (inout ONNXTranslator) throws -> [Graph.TensorID]
  private typealias SingleTranslation = @Sendable (inout ONNXTranslator) throws -> Graph.TensorID

  /// The operators that can be imported, by their names; those of other domains have the domain first.
  static let translations: [String: Translation] = single.mapValues { translation in
    { @Sendable translator in [try translation(&translator)] }
  }.merging(multiple) { $1 }

  private static let single: [String: SingleTranslation] = [
    "Abs": { try $0.unary(.abs) },
    "Add": { try $0.binary(.add) },
    "And": { try $0.logic(.minimum) },
    "AveragePool": { try $0.averagePool() },
    "BatchNormalization": { try $0.batchNormalization() },
    "Cast": { try $0.cast() },
    "CastLike": { try $0.castLike() },
    "Ceil": { try $0.unary(.ceil) },
    "Celu": { try $0.celu() },
    "Clip": { try $0.clip() },
    "Concat": { try $0.concatenation() },
    "Constant": { try $0.constant() },
    "ConstantOfShape": { try $0.constantOfShape() },
    "Conv": { try $0.convolution() },
    "ConvInteger": { try $0.integerConvolution() },
    "ConvTranspose": { try $0.transposedConvolution() },
    "Cos": { try $0.unary(.cosine) },
    "DepthToSpace": { try $0.depthToSpace() },
    "DequantizeLinear": { try $0.dequantizeLinear() },
    "Div": { try $0.quotient() },
    "Einsum": { try $0.einsum() },
    "Elu": { try $0.unary(.elu(alpha: $0.site.real("alpha", default: 1))) },
    "Equal": { try $0.equal() },
    "Erf": { try $0.unary(.erf) },
    "Exp": { try $0.unary(.exp) },
    "Expand": { try $0.expand() },
    "Flatten": { try $0.flatten() },
    "Floor": { try $0.unary(.floor) },
    "Gather": { try $0.gather() },
    "Gelu": { try $0.gelu() },
    "Gemm": { try $0.generalProduct() },
    "GlobalAveragePool": { try $0.globalPool(.mean) },
    "GlobalMaxPool": { try $0.globalPool(.maximum) },
    "Greater": { try $0.exceeds(0, 1) },
    "GreaterOrEqual": { try $0.negated($0.exceeds(1, 0)) },
    "GroupNormalization": { try $0.groupNormalization() },
    "HardSigmoid": { try $0.hardSigmoid() },
    "HardSwish": { try $0.unary(.hardSwish) },
    "Identity": { try $0.identity() },
    "InstanceNormalization": { try $0.instanceNormalization() },
    "LeakyRelu": { try $0.unary(.leakyRelu(slope: $0.site.real("alpha", default: 0.01))) },
    "Less": { try $0.exceeds(1, 0) },
    "LessOrEqual": { try $0.negated($0.exceeds(0, 1)) },
    "Log": { try $0.unary(.log) },
    "LogSoftmax": { try $0.logSoftmax() },
    "LpNormalization": { try $0.lpNormalization() },
    "MatMul": { try $0.matrixProduct() },
    "MatMulInteger": { try $0.integerMatrixProduct() },
    "Max": { try $0.variadic(.maximum) },
    "MaxPool": { try $0.maxPool() },
    "Mean": { try $0.mean() },
    "MeanVarianceNormalization": { try $0.meanVarianceNormalization() },
    "Min": { try $0.variadic(.minimum) },
    "Mish": { try $0.mish() },
    "Mul": { try $0.binary(.multiply) },
    "Neg": { try $0.unary(.negate) },
    "Not": { try $0.not() },
    "Or": { try $0.logic(.maximum) },
    "PRelu": { try $0.prelu() },
    "Pad": { try $0.pad() },
    "Pow": { try $0.power() },
    "QLinearConv": { try $0.quantizedConvolution() },
    "QLinearMatMul": { try $0.quantizedMatrixProduct() },
    "QuantizeLinear": { try $0.quantizeLinear() },
    "RMSNormalization": { try $0.rmsNormalization() },
    "Range": { try $0.range() },
    "Reciprocal": { try $0.unary(.reciprocal) },
    "ReduceL1": { try $0.reduce(before: .abs) },
    "ReduceL2": { try $0.reduce(before: .square, after: .sqrt) },
    "ReduceLogSum": { try $0.reduce(after: .log) },
    "ReduceLogSumExp": { try $0.reduceLogSumExp() },
    "ReduceMax": { try $0.reduce(.maximum) },
    "ReduceMean": { try $0.reduce(.mean) },
    "ReduceMin": { try $0.reduce(.minimum) },
    "ReduceProd": { try $0.reduceProduct() },
    "ReduceSum": { try $0.reduce() },
    "ReduceSumSquare": { try $0.reduce(before: .square) },
    "Relu": { try $0.unary(.relu) },
    "Reshape": { try $0.reshape() },
    "RotaryEmbedding": { try $0.rotaryEmbedding() },
    "Round": { try $0.unary(.round) },
    "Selu": { try $0.selu() },
    "Shape": { try $0.shapeOf() },
    "Sigmoid": { try $0.unary(.sigmoid) },
    "Sign": { try $0.unary(.sign) },
    "Sin": { try $0.unary(.sine) },
    "Size": { try $0.size() },
    "Slice": { try $0.slice() },
    "Softmax": { try $0.softmax() },
    "Softplus": { try $0.unary(.softplus) },
    "Softsign": { try $0.softsign() },
    "SpaceToDepth": { try $0.spaceToDepth() },
    "Sqrt": { try $0.unary(.sqrt) },
    "Squeeze": { try $0.squeeze() },
    "Sub": { try $0.binary(.subtract) },
    "Sum": { try $0.variadic(.add) },
    "Swish": { try $0.swish() },
    "Tanh": { try $0.unary(.tanh) },
    "ThresholdedRelu": { try $0.thresholdedRelu() },
    "Tile": { try $0.tile() },
    "Transpose": { try $0.transpose() },
    "Trilu": { try $0.triangle() },
    "Unsqueeze": { try $0.unsqueeze() },
    "Where": { try $0.select() },
    "Xor": { try $0.logic(.squaredDifference) },
    "com.microsoft.DequantizeLinear": { try $0.dequantizeLinear() },
    "com.microsoft.FastGelu": { try $0.biasedGelu(approximate: true) },
    "com.microsoft.Gelu": { try $0.unary(.gelu(approximate: false)) },
    "com.microsoft.BiasGelu": { try $0.biasedGelu(approximate: false) },
    "com.microsoft.QGemm": { try $0.quantizedGeneralProduct() },
    "com.microsoft.QLinearAdd": { try $0.quantizedBinary(.add) },
    "com.microsoft.QLinearAveragePool": { try $0.quantizedImage { try $0.averagePool($1) } },
    "com.microsoft.QLinearConcat": { try $0.quantizedConcatenation() },
    "com.microsoft.QLinearGlobalAveragePool": { try $0.quantizedImage { try $0.globalPool(.mean, $1) } },
    "com.microsoft.QLinearLeakyRelu": {
      try $0.quantized { try $0.build.unary(.leakyRelu(slope: $0.site.real("alpha", default: 0.01)), $1) }
    },
    "com.microsoft.QLinearMul": { try $0.quantizedBinary(.multiply) },
    "com.microsoft.QLinearSigmoid": { try $0.quantized { try $0.build.unary(.sigmoid, $1) } },
    "com.microsoft.QLinearSoftmax": { try $0.quantizedSoftmax() },
    "com.microsoft.QuantizeLinear": { try $0.quantizeLinear() },
    "com.microsoft.QuickGelu": { try $0.quickGelu() },
  ]

  private static let multiple: [String: Translation] = [
    "Attention": { try $0.attention() },
    "Dropout": { try $0.dropout() },
    "DynamicQuantizeLinear": { try $0.dynamicQuantizeLinear() },
    "LayerNormalization": { try $0.layerNormalization() },
    "Split": { try $0.split() },
  ]

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

  // MARK: Softmax

  /// Before version 13, all dimensions from the axis on are one.
  mutating func softmax() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    return try softmax(id(0), flattens: site.version < 13)
  }

  mutating func softmax(_ x: Graph.TensorID, flattens: Bool) throws -> Graph.TensorID {
    let shape = build.shape(x)
    let axis = try axis(default: flattens ? 1 : -1, rank: shape.count)
    guard flattens, axis != shape.count - 1 else { return try build.softmax(x, axis: axis) }
    let rows = try build.reshape(x, [shape[..<axis].reduce(1, *), shape[axis...].reduce(1, *)])
    return try build.reshape(build.softmax(rows, axis: 1), shape)
  }

  mutating func logSoftmax() throws -> Graph.TensorID {
    try expect(inputs: 1...1)
    let rank = try shape(0).count
    let axis = try axis(default: site.version < 13 ? 1 : -1, rank: rank)
    let axes = site.version < 13 ? Array(axis..<rank) : [axis]
    return try build.binary(.subtract, id(0), build.logSumExp(id(0), axes: axes))
  }

  // MARK: Reductions

  /// The input's dimensions to reduce: an attribute in older versions, an input in newer ones; all
  /// where none are given.
  private func reducedAxes() throws -> [Int] {
    try expect(inputs: 1...2)
    let rank = try shape(0).count
    let stated = try integers(attribute: "axes", orInput: 1, "the list of axes") ?? []
    if stated.isEmpty { return try site.flag("noop_with_empty_axes") ? [] : Array(0..<rank) }
    return try resolve(axes: stated, rank: rank).sorted()
  }

  mutating func reduce(
    _ kind: ReduceKind = .sum, before: UnaryFunction? = nil, after: UnaryFunction? = nil
  ) throws -> Graph.TensorID {
    let axes = try reducedAxes()
    var x = try id(0)
    if let before { x = try build.unary(before, x) }
    x = try build.reduce(kind, x, axes: axes, keepingDimensions: site.flag("keepdims", default: true))
    if let after { x = try build.unary(after, x) }
    return x
  }

  mutating func reduceLogSumExp() throws -> Graph.TensorID {
    let axes = try reducedAxes()
    let result = try build.logSumExp(id(0), axes: axes)
    guard try !site.flag("keepdims", default: true) else { return result }
    return try build.reshape(result, shape(0).indices.filter { !axes.contains($0) }.map { try shape(0)[$0] })
  }

  /// Only of all elements of a constant: the number of elements of a shape.
  mutating func reduceProduct() throws -> Graph.TensorID {
    guard let values = try tensor(0).indexValues, try reducedAxes() == Array(try shape(0).indices) else {
      throw PackError(.unsupported, "products are supported of all elements of a constant only")
    }
    let keeps = try site.flag("keepdims", default: true)
    return build.integers(
      [values.reduce(1, &*)], shape: keeps ? try shape(0).map { _ in 1 } : [], type: try tensor(0).type)
  }
}
