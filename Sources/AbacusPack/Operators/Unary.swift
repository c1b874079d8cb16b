import AbacusFormat
import Foundation

// Functions of one value become 256-byte tables; a change of scale between int8 tensors does too.

extension Lowering {
  func lowerUnary(_ node: Node, _ function: UnaryFunction) throws {
    if try lowerActivation(node, function) { return }
    let input = try quantized(try self.input(node, 0), node)
    let output = try quantized(try makeOutput(node), node)
    guard input.elementCount == output.elementCount else {
      throw PackError(.malformed, "\(node.origin): input \(input.shape) and output \(output.shape) differ")
    }
    let table = Self.table(from: input, to: output, function.evaluate)
    addTable(table, from: input.index, to: output.index, origin: node.origin)
  }

  func lowerRequantize(_ node: Node) throws {
    let inputIndex = try input(node, 0)
    let outputIndex = try makeOutput(node)
    let (input, output) = (program.tensors[inputIndex], program.tensors[outputIndex])
    guard input.elementCount == output.elementCount else {
      throw PackError(.malformed, "\(node.origin): input \(input.shape) and output \(output.shape) differ")
    }
    if input.type == .int8, output.type == .int8 {
      let (from, to) = (try quantized(inputIndex, node), try quantized(outputIndex, node))
      return addTable(
        requantizationTable(from: from, to: to, .none), from: inputIndex, to: outputIndex,
        origin: node.origin)
    }
    guard let inputScale = input.scale, let outputScale = output.scale else {
      throw PackError(
        .unsupported,
        "\(node.origin): \(input.type) \"\(input.name)\" to \(output.type) without scales is not supported; integers of "
          + "a model may be rows of a table (gather) and flags that mask keys of an attention")
    }
    try checkFactor(inputScale / outputScale, node)
    let dyadic = Dyadic(inputScale / outputScale)
    let half = Int64(1) << (output.type.bits - 1)
    var step = Program.Step(.requantize, origin: node.origin)
    step.operands = [Operands.input: inputIndex, Operands.output: outputIndex]
    step.parameters = littleEndianBytes(
      RequantizeParameters(
        inputZeroPoint: Int32(input.zeroPoint), multiplier: dyadic.multiplier,
        stage: OutputStage(
          shift: dyadic.shift, zeroPoint: Int32(output.zeroPoint), low: Int32(-half),
          high: Int32(half - 1))))
    // Forwards, a narrower output never overtakes its input.
    if output.type.bits <= input.type.bits { step.inPlaceSlots = [Operands.input] }
    step.takeShares()
    program.steps.append(step)
  }

  /// One table step.
  func addTable(
    _ table: [UInt8], from input: Program.TensorIndex, to output: Program.TensorIndex, origin: String
  ) {
    var step = Program.Step(.table, origin: origin)
    step.operands = [
      Operands.input: input, Operands.output: output, Operands.weights: addTableConstant(table, origin),
    ]
    step.inPlaceSlots = [Operands.input]
    step.takeShares()
    program.steps.append(step)
  }

  func addTableConstant(_ table: [UInt8], _ origin: String) -> Program.TensorIndex {
    addConstant("\(origin), table", shape: [256], type: .int8, table)
  }

  func requantizationTable(
    from input: Quantized, to output: Quantized, _ activation: Activation
  ) -> [UInt8] {
    let clamp = stage(output, activation, shift: 1)
    return Self.table(from: input, to: output) { $0 }
      .map { UInt8(bitPattern: Int8(min(max(Int32(Int8(bitPattern: $0)), clamp.low), clamp.high))) }
  }

  /// Entry i is the output code for input code i - 128: the real function, rounded half up, clamped.
  /// Where it is not a number (the logarithm of a negative value), the entry is the zero point.
  static func table(
    from input: Quantized, to output: Quantized, _ function: (Double) -> Double
  ) -> [UInt8] {
    (-128...127).map { code in
      let value = function(Double(code - input.zeroPoint) * input.scale)
      if value.isNaN { return UInt8(bitPattern: Int8(output.zeroPoint)) }
      let steps = (value / output.scale + 0.5).rounded(.down) + Double(output.zeroPoint)
      return UInt8(bitPattern: Int8(min(max(steps, -128), 127)))
    }
  }
}

extension UnaryFunction {
  /// The function in real numbers.
  func evaluate(_ x: Double) -> Double {
    switch self {
    case .relu: max(x, 0)
    case .relu6: min(max(x, 0), 6)
    case .reluN1To1: min(max(x, -1), 1)
    case .relu0To1: min(max(x, 0), 1)
    case .leakyRelu(let slope): x >= 0 ? x : slope * x
    case .elu(let alpha): x >= 0 ? x : alpha * Foundation.expm1(x)
    case .sigmoid: 1 / (1 + Foundation.exp(-x))
    case .tanh: Foundation.tanh(x)
    case .hardSwish: x * min(max(x + 3, 0), 6) / 6
    case .hardSigmoid: min(max(x + 3, 0), 6) / 6
    case .silu: x / (1 + Foundation.exp(-x))
    case .softplus: max(x, 0) + Foundation.log1p(Foundation.exp(-x.magnitude))
    case .gelu(approximate: false): x * 0.5 * Foundation.erfc(-x / 2.0.squareRoot())
    case .gelu(approximate: true):
      0.5 * x * (1 + Foundation.tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    case .exp: Foundation.exp(x)
    case .log: Foundation.log(x)
    case .sqrt: x.squareRoot()
    case .rsqrt: 1 / x.squareRoot()
    case .square: x * x
    case .abs: x.magnitude
    case .negate: -x
    case .reciprocal: 1 / x
    case .sine: Foundation.sin(x)
    case .cosine: Foundation.cos(x)
    case .floor: x.rounded(.down)
    case .ceil: x.rounded(.up)
    case .round: x.rounded(.toNearestOrEven)
    case .sign: x > 0 ? 1 : (x < 0 ? -1 : 0)
    case .erf: Foundation.erf(x)
    case .quickGelu: x / (1 + Foundation.exp(-1.702 * x))
    case .clip(let low, let high): min(max(x, low), high)
    }
  }
}
