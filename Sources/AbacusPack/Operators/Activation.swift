import AbacusFormat
import Foundation

// GELU, SiLU and QuickGELU beyond a table of 256 entries: wide operands, and I-ViT's ShiftGELU.

extension Lowering {
  /// False where a table of 256 entries is the right form.
  func lowerActivation(_ node: Node, _ function: UnaryFunction) throws -> Bool {
    let type = try source(node, 0).type
    let isPaper = if case .paper = options.arithmetic.gelu, function.isGelu { true } else { false }
    guard type == .int16 || graph.tensors[node.outputs[0]].type == .int16 || isPaper else { return false }
    let input = try wide(try self.input(node, 0), node)
    let output = try wide(try makeOutput(node), node)
    guard input.elementCount == output.elementCount else {
      throw PackError(.malformed, "\(node.origin): input \(input.shape) and output \(output.shape) differ")
    }
    var step = Program.Step(.activation, origin: node.origin)
    step.operands = [Operands.input: input.index, Operands.output: output.index]
    step.rowSlots = [Operands.output, Operands.input]
    if output.type.bits <= input.type.bits { step.inPlaceSlots = [Operands.input] }
    step.units = input.rows
    if isPaper, case .paper(let paper) = options.arithmetic.gelu {
      try finishPaper(&step, node, input, output, paper)
    } else {
      try finishCurve(&step, node, input, output, function)
    }
    program.steps.append(step)
    return true
  }

  private func finishCurve(
    _ step: inout Program.Step, _ node: Node, _ input: Wide, _ output: Wide, _ function: UnaryFunction
  ) throws {
    guard let curve = ActivationCurve(function) else {
      throw PackError(
        .unsupported, "\(node.origin): \(function) of \(input.type) has no integer form; of int8 it is a table")
    }
    let result = Dyadic(0x1p-16 / output.scale)
    try checkFactor(0x1p-16 / output.scale, node)
    var parameters = ActivationParameters(
      stage: stage(output, shift: result.shift), multiplier: result.multiplier, rowLength: UInt32(input.rowLength))
    parameters.inputZeroPoint = Int32(input.zeroPoint)
    if input.type == .int8 || input.scale != 0x1p-10 || input.zeroPoint != 0 {
      let grid = Dyadic(input.scale * 1024)
      try checkFactor(input.scale * 1024, node)
      (parameters.inputMultiplier, parameters.inputShift) = (grid.multiplier, grid.shift)
    }
    step.operands[Operands.weights] = addConstant(
      "\(node.origin), curve", shape: [curve.table.count], type: .int16, curve.table.flatMap(littleEndianBytes))
    step.parameters = littleEndianBytes(parameters)
  }

  private func finishPaper(
    _ step: inout Program.Step, _ node: Node, _ input: Wide, _ output: Wide, _ paper: PaperExponent
  ) throws {
    try requireSymmetric(input, node)
    let factor = input.scale * pow(2, Double(1 - paper.quotientBits)) / output.scale
    try checkFactor(factor, node)
    let result = Dyadic(factor)
    var parameters = ActivationParameters(
      stage: stage(output, shift: result.shift), multiplier: result.multiplier, rowLength: UInt32(input.rowLength))
    parameters.exponent = paper.parameters(
      unitScale: paper.isReleased ? 1.702 * input.scale : input.scale, octaves: 23)
    parameters.isScaled = paper.isReleased ? 1 : 0
    step.variant = ActivationVariant.paper.rawValue
    step.parameters = littleEndianBytes(parameters)
  }
}

extension UnaryFunction {
  /// A form of GELU, which ShiftGELU approximates.
  var isGelu: Bool {
    switch self {
    case .gelu, .quickGelu: true
    default: false
    }
  }

  /// x times a distribution function of x.
  var isGated: Bool { isGelu || self == .silu }
}
