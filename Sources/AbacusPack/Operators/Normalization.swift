import AbacusFormat
import Foundation

// LayerNorm and RMSNorm (integer-semantics section 7).

extension Lowering {
  /// Inputs: rows, scale? [n], bias? [n].
  func lowerNormalization(_ node: Node, _ variant: NormalizeVariant, epsilon: Double) throws {
    let input = try wide(try self.input(node, 0), node)
    let output = try wide(try makeOutput(node), node)
    let length = input.rowLength
    guard input.elementCount == output.elementCount, epsilon >= 0, epsilon.isFinite else {
      throw PackError(.malformed, "\(node.origin): normalising \(input.shape) to \(output.shape), epsilon \(epsilon)")
    }
    guard length <= Int(Limits.maximumNormalizedRow) else {
      throw PackError(
        .unsupported,
        "\(node.origin): normalising \(length) elements; at most \(Limits.maximumNormalizedRow) are supported")
    }
    let scale = try realConstant(node, 1, count: length) ?? Array(repeating: 1, count: length)
    let bias = try realConstant(node, 2, count: length) ?? Array(repeating: 0, count: length)
    var step = Program.Step(.normalize, origin: node.origin)
    step.operands = [Operands.input: input.index, Operands.output: output.index]
    step.rowSlots = [Operands.output, Operands.input]
    step.isCheap = true
    if input.type == output.type { step.inPlaceSlots = [Operands.input] }
    step.units = input.rows
    if variant == .layer, options.arithmetic.normalization == .paper {
      try finishPaper(&step, node, input, output, scale, bias)
    } else {
      try finishRefined(&step, node, variant, input, output, scale, bias, epsilon)
    }
    program.steps.append(step)
  }

  private func finishRefined(
    _ step: inout Program.Step, _ node: Node, _ variant: NormalizeVariant, _ input: Wide, _ output: Wide,
    _ scale: [Double], _ bias: [Double], _ epsilon: Double
  ) throws {
    let affine = try NormAffine(scale: scale, bias: bias, outputScale: output.scale, node)
    let length = Double(scale.count)
    let e = epsilon * length * (variant == .layer ? length : 1) / (input.scale * input.scale)
    step.variant = variant.rawValue
    var parameters = NormalizeParameters(
      stage: stage(output, shift: affine.shift), rowLength: UInt32(scale.count),
      epsilon: UInt64(min((e + 0.5).rounded(.down), Double(variant == .layer ? Limits.layerEpsilon : Limits.rootMeanSquareEpsilon))))
    parameters.inputZeroPoint = Int32(input.zeroPoint)
    step.parameters = littleEndianBytes(parameters)
    step.operands[Operands.channels] = addConstant(
      "\(node.origin), scale and bias", shape: [scale.count, 2], type: .int32,
      zip(affine.scale, affine.bias).flatMap { littleEndianBytes($0) + littleEndianBytes($1) })
  }

  /// I-LayerNorm: the bias comes before the scale, which is then a multiplier of each channel.
  private func finishPaper(
    _ step: inout Program.Step, _ node: Node, _ input: Wide, _ output: Wide, _ scale: [Double], _ bias: [Double]
  ) throws {
    let root = Double(scale.count).squareRoot()
    let codes = try zip(scale, bias).map { gamma, beta -> Int32 in
      let code = (beta / gamma * 0x1p30 / root).rounded(.down)
      guard code.isFinite, code.magnitude < 0x1p31 - 0x1p30 else {
        throw PackError(
          .unsupported,
          "\(node.origin): bias \(beta) over scale \(gamma) is more than I-LayerNorm can hold; use the refined "
            + "normalisation for this model")
      }
      return Int32(code)
    }
    let factors = scale.map { $0 * root / 0x1p30 / output.scale }
    for factor in factors { try checkFactor(factor, node) }
    let own = factors.map(Dyadic.init)
    step.variant = NormalizeVariant.paper.rawValue
    var parameters = NormalizeParameters(stage: stage(output, shift: own[0].shift), rowLength: UInt32(scale.count))
    parameters.inputZeroPoint = Int32(input.zeroPoint)
    step.parameters = littleEndianBytes(parameters)
    step.operands[Operands.channels] = addConstant(
      "\(node.origin), bias and multiplier", shape: [scale.count, 2], type: .int32,
      zip(codes, own).flatMap { littleEndianBytes($0) + littleEndianBytes($1.multiplier) })
    step.operands[Operands.shifts] = addConstant(
      "\(node.origin), shifts", shape: [scale.count], type: .uint8, own.map { UInt8($0.shift) })
  }
}

/// Scale and bias of a normalisation, aligned with the high word of a product with a Q22 number.
private struct NormAffine {
  var scale: [Int32]
  var bias: [Int32]
  /// sg of integer-semantics 7.2, 33...56.
  var shift: Int32

  init(scale gamma: [Double], bias beta: [Double], outputScale: Double, _ node: Node) throws {
    let top = max((gamma.map(\.magnitude).max() ?? 0) / outputScale, 1e-30)
    let most = (beta.map(\.magnitude).max() ?? 0) / outputScale
    // top = f * 2^exponent with 0.5 <= f < 1: the largest scale fills 30 bits.
    var shift = min(56, 30 - (Int(top.exponent) + 1) + 22)
    // The bias must fit, too, which may cost bits of the scale.
    while shift > 33, most * pow(2, Double(shift - 32)) >= 0x1p30 { shift -= 1 }
    guard shift >= 33, most * pow(2, Double(shift - 32)) < 0x1p30 else {
      throw PackError(
        .unsupported,
        "\(node.origin): scale \(top) or bias \(most), in steps of the output, is too large for a normalisation")
    }
    self.shift = Int32(shift)
    scale = gamma.map { Int32(($0 / outputScale * pow(2, Double(shift - 22)) + 0.5).rounded(.down)) }
    bias = beta.map { Int32(($0 / outputScale * pow(2, Double(shift - 32)) + 0.5).rounded(.down)) }
  }
}
