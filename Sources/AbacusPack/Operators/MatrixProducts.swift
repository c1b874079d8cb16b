import AbacusFormat

// Products with constant matrices: fully connected, convolution, depthwise convolution. They share
// the quantisation rule: input zero point and bias fold into one int32 per channel, and each
// channel has a multiplier of its own.

/// Weights and bias of a layer, folded for the device.
struct FoldedWeights {
  var multipliers: ChannelMultipliers
  /// Bias with the input zero point folded in, one a channel.
  var bias: [Int32]
  var zeroPoint: Int32
  /// Largest accumulator of any channel.
  var bound: Int64

  /// {bias, multiplier} of each channel, as the kernels read them.
  var channelBytes: [UInt8] {
    zip(bias, multipliers.multipliers).flatMap { littleEndianBytes($0) + littleEndianBytes($1) }
  }
}

extension Lowering {
  /// - Parameters:
  ///   - codes: weights as integers, `channelOf(i)` being the output channel of code i.
  private func fold(
    _ node: Node, input: Quantized, output: Quantized, weights: Tensor, codes: [Int], channels: Int,
    axis: Int, channelOf: (Int) -> Int
  ) throws -> FoldedWeights {
    var (sums, scales) = try foldSums(
      node, input: Wide(input), weights: weights, codes: codes, channels: channels, axis: axis, channelOf: channelOf)
    let factors = scales.map { input.scale * $0 / output.scale }
    for factor in factors { try checkFactor(factor, node) }
    let multipliers = ChannelMultipliers(factors: factors, sums: &sums, outputSteps: 255)
    return FoldedWeights(
      multipliers: multipliers, bias: sums.bias, zeroPoint: sums.zeroPoint, bound: sums.bounds.max() ?? 0)
  }

  /// What the accumulators are made of, and the scale of each channel's weights.
  func foldSums(
    _ node: Node, input: Wide, weights: Tensor, codes: [Int], channels: Int, axis: Int, channelOf: (Int) -> Int
  ) throws -> (sums: AccumulatorSums, scales: [Double]) {
    guard let quantization = weights.quantization else {
      throw PackError(.unsupported, "\(node.origin): weights \"\(weights.name)\" have no scale")
    }
    guard quantization.scales.count == 1 || (quantization.scales.count == channels && quantization.axis == axis)
    else {
      throw PackError(
        .unsupported,
        "\(node.origin): weights \"\(weights.name)\" have \(quantization.scales.count) scales along "
          + "dimension \(quantization.axis); one, or one for each of \(channels) output channels, is supported")
    }
    let zeroPoints = Set(quantization.zeroPoints)
    guard zeroPoints.count == 1, let zeroPoint = zeroPoints.first else {
      throw PackError(
        .unsupported, "\(node.origin): weights \"\(weights.name)\" have several zero points; one is supported")
    }
    // Sums of each channel: of (w - z) for the fold, of |w| and the count for the bound.
    var sums = [Int64](repeating: 0, count: channels)
    var magnitudes = sums
    for (index, code) in codes.enumerated() {
      let channel = channelOf(index)
      sums[channel] += Int64(code - zeroPoint)
      magnitudes[channel] += Int64(code.magnitude) + Int64(zeroPoint.magnitude)
    }
    let scales = (0..<channels).map { quantization.scales[quantization.scales.count == 1 ? 0 : $0] }
    let bias = try biasCodes(node, inputScale: input.scale, weightScales: scales)
    var result = AccumulatorSums(bias: [], products: [], zeroPoint: Int32(zeroPoint))
    for channel in 0..<channels {
      let value = bias[channel] - Int64(input.zeroPoint) * sums[channel]
      let products = UInt64(input.largestCode) * UInt64(magnitudes[channel])
      try proveBound(Int64(clamping: value.magnitude + products), node)
      result.bias.append(Int32(value))
      result.products.append(Int64(products))
    }
    return (result, scales)
  }

  /// The bias of each channel on the grid input scale times weight scale.
  private func biasCodes(_ node: Node, inputScale: Double, weightScales: [Double]) throws -> [Int64] {
    guard hasInput(node, 2) else { return weightScales.map { _ in 0 } }
    let bias = try source(node, 2)
    guard bias.isConstant, bias.elementCount == weightScales.count else {
      throw PackError(
        .unsupported,
        "\(node.origin): bias \"\(bias.name)\" must be a constant of \(weightScales.count) elements")
    }
    let codes = try bias.integers()
    guard codes.allSatisfy({ $0.magnitude <= Int32.max }) else {
      throw PackError(.unsupported, "\(node.origin): bias \"\(bias.name)\" has values beyond 32 bits")
    }
    return try weightScales.indices.map { channel in
      let grid = inputScale * weightScales[channel]
      guard let scales = bias.quantization?.scales, !scales.isEmpty else { return Int64(codes[channel]) }
      let ratio = scales[scales.count == 1 ? 0 : channel] / grid
      // Converters store the product of two floats; anything further off is another grid.
      if abs(ratio - 1) < 1e-3 || !ratio.isFinite { return Int64(codes[channel]) }
      let value = (Double(codes[channel]) * ratio).rounded()
      guard value.magnitude <= Double(Int32.max) else {
        throw PackError(
          .unsupported, "\(node.origin): bias \"\(bias.name)\" is \(value) steps of its layer, beyond 32 bits")
      }
      return Int64(value)
    }
  }

  /// How the weights of an operator lie.
  enum WeightLayout {
    case rowMajor
    /// In blocks as the options say.
    case blocked
    case paired
    /// Of few bits.
    case codes(RoundedWeights)
    /// Groups that are kept.
    case groups(WeightGroups)
  }

  /// Adds the operands that every product with constant weights has.
  func attach(
    _ folded: FoldedWeights, weights: Tensor, shape: [Int], _ codes: [Int], to step: inout Program.Step,
    _ layout: WeightLayout
  ) {
    let channels = folded.bias.count
    let format = if case .codes(let rounded) = layout { rounded.format } else { WeightFormat.int8 }
    let bytes =
      switch layout {
      case .rowMajor: codes.map { UInt8(truncatingIfNeeded: $0) }
      case .blocked:
        blockedLayout(codes, rows: shape[0], blockRows: options.blockRows, blockColumns: options.blockColumns)
      case .paired: pairedLayout(codes, rows: shape[0])
      case .codes(let rounded): rounded.codeBytes
      case .groups(let groups): groups.values.map { UInt8(truncatingIfNeeded: $0) }
      }
    let shape = if case .groups(let groups) = layout { [groups.indices.count, GroupLayout.size] } else { shape }
    let index = addConstant(weights.name, shape: shape, type: format.elementType, bytes)
    switch layout {
    case .rowMajor: break
    case .blocked:
      program.tensors[index].layout = .blocked
      program.tensors[index].blockRows = options.blockRows
      program.tensors[index].blockColumns = options.blockColumns
    case .paired:
      program.tensors[index].layout = .paired
      program.tensors[index].blockRows = Int(PairedLayout.rows)
      program.tensors[index].blockColumns = Int(PairedLayout.columns)
    case .codes(let rounded): attachCodes(rounded, to: &step, index)
    case .groups(let groups):
      step.operands[Operands.groupCounts] = addConstant(
        "\(weights.name), groups of channels", shape: [channels], type: .uint8, groups.counts)
      step.operands[Operands.groupIndices] = addConstant(
        "\(weights.name), kept groups", shape: [groups.indices.count], type: .uint8, groups.indices)
    }
    step.operands[Operands.weights] = index
    step.operands[Operands.channels] = addConstant(
      "\(weights.name), bias and multiplier", shape: [channels, 2], type: .int32, folded.channelBytes)
    if let shifts = folded.multipliers.shifts {
      step.operands[Operands.shifts] = addConstant(
        "\(weights.name), shifts", shape: [channels], type: .uint8, shifts)
    }
    step.accumulatorBound = folded.bound
  }

  /// Grid and groups of weights of few bits.
  private func attachCodes(_ rounded: RoundedWeights, to step: inout Program.Step, _ index: Program.TensorIndex) {
    program.tensors[index].layout = .codes
    program.tensors[index].blockColumns = Int(rounded.format.codeGrid.rawValue)
    guard let groupSize = rounded.format.groupSize else {
      program.tensors[index].blockRows = rounded.lift
      return
    }
    program.tensors[index].groupSize = groupSize
    let (name, shape) = (program.tensors[index].name, [rounded.channels, rounded.groups])
    step.operands[Operands.groupScales] = addConstant(
      "\(name), scales of groups", shape: shape, type: .uint8, rounded.relativeScales)
    guard rounded.format.grid == .offset else { return }
    step.operands[Operands.groupZeros] = addConstant(
      "\(name), zero points of groups", shape: shape, type: .int8, rounded.zeros.map { UInt8(bitPattern: $0) })
  }

  /// The layout that the options ask for, as far as the operator's loops take it.
  ///
  /// - Parameter takesPairs: the loops for pairs of channels take requantisation and types.
  func weightLayout(_ folded: FoldedWeights, depth: Int, takesPairs: Bool) -> WeightLayout {
    if options.pairsChannels && takesPairs && folded.bias.count % 2 == 0 && folded.multipliers.shifts == nil
      && depth <= Int(PairedLayout.maximumDepth)
    {
      return .paired
    }
    return options.blockRows > 1 || options.blockColumns > 1 ? .blocked : .rowMajor
  }

  /// The same for an int8 layer.
  private func weightLayout(_ folded: FoldedWeights, depth: Int, _ stage: OutputStage) -> WeightLayout {
    weightLayout(
      folded, depth: depth, takesPairs: PairedLayout.takes(stage, weightZeroPoint: folded.zeroPoint))
  }

  /// Scratch for rows that are widened for weights in pairs or of few bits.
  func addScratch(for layout: WeightLayout, depth: Int, rows: Int, to step: inout Program.Step) {
    if case .codes(let rounded) = layout, options.pairsChannels, rounded.channels % 2 == 0 {
      step.operands[Operands.scratch] = addScratch(
        bytes: CodeLayout.widenedBytes(depth: depth, groups: rounded.groups, rows: rows), origin: step.origin)
    }
    guard case .paired = layout else { return }
    step.operands[Operands.scratch] = addScratch(
      bytes: Int(PairedLayout.scratchBytes(depth: UInt32(depth), rows: UInt32(rows))), origin: step.origin)
  }

  // MARK: Fully connected

  func lowerFullyConnected(_ node: Node, _ activation: Activation) throws {
    let weights = try source(node, 1)
    guard weights.isConstant else {
      return try lowerRunTimeFullyConnected(node, activation)
    }
    guard weights.shape.count == 2 else {
      throw PackError(.malformed, "\(node.origin): weights have shape \(weights.shape), expected [out, in]")
    }
    try checkType(of: weights, node)
    if try needsProjection(node) {
      return try lowerProjection(node, activation, weights: weights)
    }
    try addFullyConnected(
      node, activation, weights: weights, codes: try weights.integers(), channels: weights.shape[0],
      depth: weights.shape[1], axis: 0)
  }

  /// - Parameter codes: row-major [channels, depth].
  private func addFullyConnected(
    _ node: Node, _ activation: Activation, weights: Tensor, codes: [Int], channels: Int, depth: Int,
    axis: Int
  ) throws {
    let input = try quantized(try self.input(node, 0), node)
    let output = try quantized(try makeOutput(node), node)
    let rows = input.elementCount / depth
    guard rows * depth == input.elementCount, rows * channels == output.elementCount else {
      throw PackError(
        .malformed,
        "\(node.origin): input \(input.shape), weights [\(channels), \(depth)] and output "
          + "\(output.shape) do not go together")
    }
    let folded = try fold(
      node, input: input, output: output, weights: weights, codes: codes, channels: channels, axis: axis,
      channelOf: { $0 / depth })
    var step = Program.Step(.fullyConnected, origin: node.origin)
    step.operands = [Operands.input: input.index, Operands.output: output.index]
    let outputStage = stage(output, activation, shift: folded.multipliers.shift)
    let layout = weightLayout(folded, depth: depth, outputStage)
    attach(folded, weights: weights, shape: [channels, depth], codes, to: &step, layout)
    step.parameters = littleEndianBytes(
      FullyConnectedParameters(stage: outputStage, weightZeroPoint: folded.zeroPoint))
    step.units = rows
    addScratch(for: layout, depth: depth, rows: rows, to: &step)
    step.rowSlots = [Operands.output, Operands.input]
    step.multiplyAccumulates = UInt64(rows * channels * depth)
    program.steps.append(step)
  }

  /// A product with a constant right-hand matrix [depth, columns] is a fully connected layer with
  /// the transposed weights. False where it is not of that form.
  func lowerAsFullyConnected(_ node: Node, transposeA: Bool, transposeB: Bool) throws -> Bool {
    let b = try source(node, 1)
    guard b.isConstant, b.type == .int8, !transposeA, b.shape.count >= 2, b.shape.dropLast(2).allSatisfy({ $0 == 1 }),
      b.quantization?.isPerTensor == true
    else { return false }
    let (rows, columns) = (b.shape[b.shape.count - 2], b.shape[b.shape.count - 1])
    let codes = try b.integers()
    let (channels, depth) = transposeB ? (rows, columns) : (columns, rows)
    let a = try source(node, 0)
    guard a.shape.last == depth else {
      throw PackError(.malformed, "\(node.origin): \(a.shape) times \(b.shape): the inner dimensions differ")
    }
    let ordered =
      transposeB
      ? codes : (0..<channels).flatMap { n in (0..<depth).map { codes[$0 * columns + n] } }
    try addFullyConnected(
      node, .none, weights: b, codes: ordered, channels: channels, depth: depth, axis: 0)
    return true
  }

  // MARK: Convolutions

  func lowerConvolution(
    _ node: Node, _ window: WindowAttributes, groups: Int, _ activation: Activation
  ) throws {
    let weights = try constantWeights(node)
    guard weights.shape.count == 4 else {
      throw PackError(
        .malformed, "\(node.origin): weights have shape \(weights.shape), expected [out, height, width, in]")
    }
    try addConvolution(
      node, window, groups: groups, activation, weights: weights, shape: weights.shape,
      codes: try weights.integers(), axis: 0)
  }

  /// - Parameters:
  ///   - shape: [out, height, width, in / groups], the order of `codes`.
  ///   - axis: dimension of `weights` that per-channel scales run along.
  private func addConvolution(
    _ node: Node, _ window: WindowAttributes, groups: Int, _ activation: Activation, weights: Tensor,
    shape: [Int], codes: [Int], axis: Int
  ) throws {
    let input = try quantized(try self.input(node, 0), node)
    let output = try quantized(try makeOutput(node), node)
    let (channels, depth) = (shape[0], shape[1] * shape[2] * shape[3])
    try window.check(input: input.shape, output: output.shape, origin: node.origin)
    guard groups >= 1, shape[3] * groups == input.shape[3], channels % groups == 0,
      channels == output.shape[3], shape[1] == window.size[0], shape[2] == window.size[1]
    else {
      throw PackError(
        .malformed,
        "\(node.origin): input \(input.shape), weights \(shape) and output \(output.shape) do not go together")
    }
    let folded = try fold(
      node, input: input, output: output, weights: weights, codes: codes, channels: channels, axis: axis,
      channelOf: { $0 / depth })
    let coversInput =
      groups == 1 && input.elementCount == input.shape[0] * depth && output.shape[1] == 1
      && output.shape[2] == 1 && window.padBefore == [0, 0] && window.padAfter == [0, 0]
    let outputStage = stage(output, activation, shift: folded.multipliers.shift)
    // Weights whose channels run along another axis than the first have been put in another order.
    let codedLayout = groups == 1 && axis == 0 ? weights.fewBits.map(WeightLayout.codes) : nil
    let layout = codedLayout ?? (groups == 1 ? weightLayout(folded, depth: depth, outputStage) : .rowMajor)
    var step: Program.Step
    if coversInput {
      // The window is the whole image: a fully connected layer.
      step = Program.Step(codedLayout == nil ? .fullyConnected : .codedProject, origin: node.origin)
      attach(folded, weights: weights, shape: [channels, depth], codes, to: &step, layout)
      step.parameters =
        codedLayout == nil
        ? littleEndianBytes(FullyConnectedParameters(stage: outputStage, weightZeroPoint: folded.zeroPoint))
        : littleEndianBytes(ProjectParameters(stage: outputStage))
      step.units = input.shape[0]
      addScratch(for: layout, depth: depth, rows: step.units, to: &step)
    } else {
      step = Program.Step(codedLayout == nil ? .convolution : .codedConvolution, origin: node.origin)
      attach(folded, weights: weights, shape: shape, codes, to: &step, layout)
      step.parameters = littleEndianBytes(
        ConvolutionParameters(
          window: record(window), stage: outputStage, inputZeroPoint: Int32(input.zeroPoint),
          weightZeroPoint: folded.zeroPoint))
      step.units = output.shape[0] * output.shape[1]
      let isPointwise =
        window.size == [1, 1] && window.strides == [1, 1] && window.padBefore == [0, 0] && groups == 1
        && input.shape[1...2] == output.shape[1...2]
      if isPointwise && codedLayout == nil {
        addScratch(for: layout, depth: depth, rows: 3, to: &step)
      } else {
        var bytes = 2 * ((depth + 3) & ~3)
        if case .blocked = layout {
          // Some windows that are gathered, or the lines under a row of windows with their padding.
          let columns = (output.shape[2] - 1) * window.strides[1] + (window.size[1] - 1) * window.dilations[1] + 1
          bytes = max(QuadLayout.windows / 2 * bytes, window.size[0] * columns * input.shape[3])
        }
        if case .codes(let rounded) = layout {
          let patch = (depth + 3) & ~3
          let widened = CodeLayout.widenedBytes(depth: depth, groups: rounded.groups, rows: 3)
          bytes = options.pairsChannels && channels % 2 == 0 ? widened + patch : patch
        }
        if case .paired = layout {
          bytes = Int(PairedLayout.gatherBytes(depth: UInt32(depth), channels: UInt32(shape[3])))
        }
        step.operands[Operands.scratch] = addScratch(bytes: bytes, origin: node.origin)
      }
    }
    step.operands[Operands.input] = input.index
    step.operands[Operands.output] = output.index
    step.multiplyAccumulates = UInt64(output.elementCount * depth)
    program.steps.append(step)
  }

  func lowerDepthwiseConvolution(
    _ node: Node, _ window: WindowAttributes, multiplier: Int, _ activation: Activation
  ) throws {
    let weights = try constantWeights(node)
    let inputShape = try source(node, 0).shape
    guard weights.shape.count == 4, weights.shape[0] == 1, inputShape.count == 4,
      weights.shape[3] == inputShape[3] * multiplier
    else {
      throw PackError(
        .malformed,
        "\(node.origin): weights have shape \(weights.shape) for input \(inputShape) and multiplier "
          + "\(multiplier), expected [1, height, width, in * multiplier]")
    }
    let (height, width, channels) = (weights.shape[1], weights.shape[2], weights.shape[3])
    let codes = try weights.integers()
    if inputShape[3] == 1 {
      // One input channel: an ordinary convolution, whose inner loop is longer.
      let taps = height * width
      let ordered = (0..<channels).flatMap { n in (0..<taps).map { codes[$0 * channels + n] } }
      return try addConvolution(
        node, window, groups: 1, activation, weights: weights, shape: [channels, height, width, 1],
        codes: ordered, axis: 3)
    }
    let input = try quantized(try self.input(node, 0), node)
    let output = try quantized(try makeOutput(node), node)
    try window.check(input: input.shape, output: output.shape, origin: node.origin)
    guard output.shape[3] == channels, window.size == [height, width] else {
      throw PackError(.malformed, "\(node.origin): output \(output.shape) does not have \(channels) channels")
    }
    let folded = try fold(
      node, input: input, output: output, weights: weights, codes: codes, channels: channels, axis: 3,
      channelOf: { $0 % channels })
    var step = Program.Step(.depthwiseConvolution, origin: node.origin)
    step.operands = [Operands.input: input.index, Operands.output: output.index]
    attach(folded, weights: weights, shape: [height, width, channels], codes, to: &step, .rowMajor)
    step.parameters = littleEndianBytes(
      ConvolutionParameters(
        window: record(window), stage: stage(output, activation, shift: folded.multipliers.shift),
        inputZeroPoint: Int32(input.zeroPoint), weightZeroPoint: folded.zeroPoint))
    if multiplier == 1 { addLineScratch(folded, record(window), output: output.shape, to: &step) }
    step.units = output.shape[0] * output.shape[1]
    step.multiplyAccumulates = UInt64(output.elementCount * height * width)
    program.steps.append(step)
  }

  /// Scratch for the lines of ``DepthwiseLines``, where cores without vectors can use them.
  private func addLineScratch(_ folded: FoldedWeights, _ window: Window, output: [Int], to step: inout Program.Step) {
    let (height, width) = (UInt32(output[1]), UInt32(output[2]))
    guard folded.zeroPoint == 0, folded.multipliers.shifts == nil, folded.multipliers.shift > 32,
      DepthwiseLines.suits(window, outputHeight: height, outputWidth: width)
    else { return }
    step.operands[Operands.scratch] = addScratch(
      bytes: Int(DepthwiseLines.scratchBytes(window, outputHeight: height, outputWidth: width)), origin: step.origin)
  }

  private func constantWeights(_ node: Node) throws -> Tensor {
    let weights = try source(node, 1)
    guard weights.isConstant else {
      throw PackError(
        .unsupported,
        "\(node.origin): weights \"\(weights.name)\" are computed at run time; constant weights are supported")
    }
    try checkType(of: weights, node)
    return weights
  }

  private func checkType(of weights: Tensor, _ node: Node) throws {
    guard weights.type == .int8 || weights.fewBits != nil else {
      throw PackError(
        .unsupported, "\(node.origin): weights \"\(weights.name)\" are \(weights.type), expected int8, uint8 or int4")
    }
  }
}

/// A row-major [N, K] matrix as ``PairedLayout`` has it.
func pairedLayout(_ codes: [Int], rows: Int) -> [UInt8] {
  let depth = codes.count / rows
  let quads = (depth + 3) / 4
  var bytes = [UInt8](repeating: 0, count: (rows + 1) / 2 * quads * 8)
  for (position, code) in codes.enumerated() {
    let (n, k) = (position / depth, position % depth)
    bytes[(n / 2 * quads + k / 4) * 8 + PairedLayout.offset(row: n, column: k)] = UInt8(truncatingIfNeeded: code)
  }
  return bytes
}

/// `[N/nr][K/kr][nr][kr]` of a row-major [N, K] matrix, padded with zeros.
func blockedLayout(_ codes: [Int], rows: Int, blockRows: Int, blockColumns: Int) -> [UInt8] {
  let depth = codes.count / rows
  let groups = (rows + blockRows - 1) / blockRows
  let columns = (depth + blockColumns - 1) / blockColumns
  var bytes: [UInt8] = []
  bytes.reserveCapacity(groups * columns * blockRows * blockColumns)
  for group in 0..<groups {
    for column in 0..<columns {
      for row in group * blockRows..<(group + 1) * blockRows {
        for k in column * blockColumns..<(column + 1) * blockColumns {
          let inside = row < rows && k < depth
          bytes.append(inside ? UInt8(truncatingIfNeeded: codes[row * depth + k]) : 0)
        }
      }
    }
  }
  return bytes
}
