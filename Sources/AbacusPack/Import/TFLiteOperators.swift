// Which operators can be imported, and the translation of those that work element by element.

extension TFLiteTranslator {
  typealias Translation = @Sendable (inout TFLiteTranslator) throws -> Void

  /// The operators that can be imported, by their names in the schema.
  static let translations: [String: Translation] = [
    "ABS": { try $0.unary(.abs) },
    "ADD": { try $0.binary(.add, .add) },
    "AVERAGE_POOL_2D": { try $0.pool(.average) },
    "BATCH_MATMUL": { try $0.matrixMultiply() },
    "BROADCAST_TO": { try $0.broadcastTo() },
    "CAST": { try $0.cast() },
    "CEIL": { try $0.unary(.ceil) },
    "CONCATENATION": { try $0.concatenation() },
    "CONV_2D": { try $0.convolution() },
    "COS": { try $0.unary(.cosine) },
    "DEPTHWISE_CONV_2D": { try $0.depthwiseConvolution() },
    "DEPTH_TO_SPACE": { try $0.depthToSpace() },
    "DEQUANTIZE": { try $0.dequantize() },
    "ELU": { try $0.unary(.elu(alpha: 1)) },
    "EQUAL": { try $0.comparison(.equal) },
    "EXP": { try $0.unary(.exp) },
    "EXPAND_DIMS": { try $0.expandDimensions() },
    "FLOOR": { try $0.unary(.floor) },
    "FULLY_CONNECTED": { try $0.fullyConnected() },
    "GATHER": { try $0.gather() },
    "GELU": { try $0.unary(.gelu(approximate: $0.site.op.options(.gelu).flag(0))) },
    "GREATER": { try $0.comparison(.greater) },
    "GREATER_EQUAL": { try $0.comparison(.greaterOrEqual) },
    "HARD_SWISH": { try $0.unary(.hardSwish) },
    "LEAKY_RELU": { try $0.leakyRelu() },
    "LESS": { try $0.comparison(.less) },
    "LESS_EQUAL": { try $0.comparison(.lessOrEqual) },
    "LOG": { try $0.unary(.log) },
    "LOGICAL_AND": { try $0.logic(.minimum) },
    "LOGICAL_NOT": { try $0.not() },
    "LOGICAL_OR": { try $0.logic(.maximum) },
    "LOGISTIC": { try $0.unary(.sigmoid) },
    "MAXIMUM": { try $0.binary(.maximum, nil) },
    "MAX_POOL_2D": { try $0.pool(.max) },
    "MEAN": { try $0.reduce(.mean) },
    "MINIMUM": { try $0.binary(.minimum, nil) },
    "MIRROR_PAD": { try $0.mirrorPad() },
    "MUL": { try $0.binary(.multiply, .mul) },
    "NEG": { try $0.unary(.negate) },
    "NOT_EQUAL": { try $0.comparison(.notEqual) },
    "PACK": { try $0.pack() },
    "PAD": { try $0.pad() },
    "PADV2": { try $0.pad() },
    "PRELU": { try $0.prelu() },
    "QUANTIZE": { try $0.quantize() },
    "REDUCE_MAX": { try $0.reduce(.maximum) },
    "REDUCE_MIN": { try $0.reduce(.minimum) },
    "RELU": { try $0.unary(.relu) },
    "RELU6": { try $0.unary(.relu6) },
    "RELU_0_TO_1": { try $0.unary(.relu0To1) },
    "RELU_N1_TO_1": { try $0.unary(.reluN1To1) },
    "RESHAPE": { try $0.reshape() },
    "REVERSE_V2": { try $0.reverse() },
    "ROUND": { try $0.unary(.round) },
    "RSQRT": { try $0.unary(.rsqrt) },
    "SELECT": { try $0.select() },
    "SELECT_V2": { try $0.select() },
    "SHAPE": { try $0.shapeOf() },
    "SIGN": { try $0.unary(.sign) },
    "SIN": { try $0.unary(.sine) },
    "SLICE": { try $0.slice() },
    "SOFTMAX": { try $0.softmax() },
    "SPACE_TO_DEPTH": { try $0.spaceToDepth() },
    "SPLIT": { try $0.split() },
    "SPLIT_V": { try $0.splitBySizes() },
    "SQRT": { try $0.unary(.sqrt) },
    "SQUARE": { try $0.unary(.square) },
    "SQUARED_DIFFERENCE": { try $0.binary(.squaredDifference, nil) },
    "SQUEEZE": { try $0.squeeze() },
    "STRIDED_SLICE": { try $0.stridedSlice() },
    "SUB": { try $0.binary(.subtract, .sub) },
    "SUM": { try $0.reduce(.sum) },
    "TANH": { try $0.unary(.tanh) },
    "TILE": { try $0.tile() },
    "TRANSPOSE": { try $0.transpose() },
    "UNPACK": { try $0.unpack() },
  ]

  /// The clamp that a code of the schema's ActivationFunctionType stands for.
  func activation(_ code: Int) throws -> Activation {
    switch code {
    case 0: return .none
    case 1: return .relu
    case 2: return .reluN1To1
    case 3: return .relu6
    case 4, 5:
      throw PackError(
        .unsupported,
        "the fused activation \(code == 4 ? "TANH" : "SIGN_BIT") is not supported; "
          + "supported: NONE, RELU, RELU_N1_TO_1, RELU6")
    default: throw PackError(.malformed, "the code \(code) of its fused activation means nothing")
    }
  }

  mutating func unary(_ function: UnaryFunction) throws {
    try expect(inputs: 1...1)
    try settle(shape(0))
    emit(.unary(function))
  }

  mutating func leakyRelu() throws {
    let slope = try site.op.options(.leakyRelu).real(0)
    guard slope.isFinite else { throw PackError(.malformed, "the slope must be finite") }
    try unary(.leakyRelu(slope: slope))
  }

  /// `options` are those whose first field is a fused activation; nil for operators without.
  mutating func binary(_ function: BinaryFunction, _ options: TFLiteOptions.Kind?) throws {
    try expect(inputs: 2...2)
    try settle(Shapes.broadcast(shape(0), shape(1)))
    emit(.binary(function, try activation(options.map { try site.op.options($0).choice(0) } ?? 0)))
  }

  mutating func prelu() throws {
    try expect(inputs: 2...2)
    try settle(Shapes.broadcast(shape(0), shape(1)))
    emit(.prelu)
  }

  mutating func softmax() throws {
    try expect(inputs: 1...1)
    let beta = try site.op.options(.softmax).real(0)
    guard beta.isFinite, beta > 0 else {
      throw PackError(.malformed, "beta must be finite and greater than 0, is \(beta)")
    }
    let shape = try shape(0)
    guard !shape.isEmpty else { throw PackError(.malformed, "needs at least one dimension") }
    try settle(shape)
    emit(.softmax(beta: beta))
  }

  mutating func reduce(_ kind: ReduceKind) throws {
    try expect(inputs: 2...2)
    let keep = try site.op.options(.reducer).flag(0)
    let shape = try shape(0)
    let axes = try Set(integers(1, "the list of axes").map { try Shapes.resolve(axis: $0, rank: shape.count) })
    var reduced = shape
    for axis in axes { reduced[axis] = 1 }
    if !keep { reduced = shape.indices.filter { !axes.contains($0) }.map { shape[$0] } }
    try settle(reduced)
    emit(axes.isEmpty ? .requantize : .reduce(kind, axes: axes.sorted()), [try id(0)])
  }

  mutating func quantize() throws {
    try expect(inputs: 1...1)
    try settle(shape(0))
    emit(.requantize)
  }

  mutating func dequantize() throws {
    try expect(inputs: 1...1)
    let input = try tensor(0)
    try settle(shape(0))
    guard input.type == .float16, let data = input.data else { return emit(.requantize) }
    // Models with float16 weights convert each before its use. float16 is not a type of values at
    // run time, so the constant becomes float32 here.
    guard outputTensor().type == .float32 else {
      throw PackError(.malformed, "the output must be of type float32")
    }
    define(
      data: stride(from: 0, to: data.count, by: 2).flatMap { index in
        let half = Float16(bitPattern: UInt16(data[index]) | UInt16(data[index + 1]) << 8)
        let pattern = Float(half).bitPattern
        return (0..<4).map { UInt8(truncatingIfNeeded: pattern >> (8 * $0)) }
      })
  }

  /// CAST converts stored numbers, not real values: only casts that change no number have a place
  /// in a graph of real values, and those to truth values.
  mutating func cast() throws {
    try expect(inputs: 1...1)
    let input = try tensor(0)
    let output = outputTensor()
    try settle(shape(0))
    let widths: [DataType: Int] = [.bool: 1, .uint8: 8, .int8: 8, .int16: 16, .int32: 32, .int64: 64]
    let isSigned = output.type != .uint8 && output.type != .bool
    let widens =
      if let from = widths[input.type], let to = widths[output.type] {
        to > from && (isSigned || input.type == .bool)
      } else { false }
    let isPlain = input.quantization == nil && output.quantization == nil
    let isCounting = isPlain && [.bool, .int32, .int64].contains(input.type)
    if isCounting, output.type == .float32 { return emit(.requantize) }
    if isCounting, output.type == .bool, input.type != .bool { return try truth() }
    if input.type == output.type, input.quantization == output.quantization {
      emit(.reshape)
    } else if isPlain, widens || input.type == .int64 && output.type == .int32 && input.isConstant {
      emit(.requantize)
    } else {
      throw PackError(
        .unsupported,
        "only casts to the same or a wider type of integer, and of int32, int64 and bool to float32 and bool, "
          + "without quantisation, are supported"
      )
    }
  }
}
