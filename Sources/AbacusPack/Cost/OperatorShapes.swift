import AbacusFormat

/// The extents of an operator's loops.
///
/// A new operator is added here: the nests of its loops, and in ``CalibrationModels`` shapes to measure it on.
struct OperatorShapes {
  private typealias Extent = CostFeatures.Extent

  /// A window that takes pixels as they lie.
  let isPointwise: Bool
  private let opcode: Opcode
  private let units: Int
  private let input: [Int]
  private let output: [Int]
  private let weights: [Int]
  private let groups: Int
  private let window: Window?
  /// Results are clamped to less than a byte holds, which takes a pass over them.
  private let isClamped: Bool

  init(_ blob: BlobDescription, _ index: Int, _ opcode: Opcode) {
    func shape(_ slot: Int) -> [Int] {
      guard let tensor = blob.operand(index, slot).map({ blob.tensors[$0] }) else { return [] }
      return (0..<Int(tensor.rank)).map { Int(tensor.dims[$0]) }
    }
    self.opcode = opcode
    units = max(Int(blob.operators[index].units), 1)
    (input, output, weights) = (shape(Operands.input), shape(Operands.output), shape(Operands.weights))
    groups = shape(Operands.groupScales).last ?? 1
    window =
      switch opcode {
      case .convolution, .codedConvolution, .depthwiseConvolution: blob.parameters(index, ConvolutionParameters.self).window
      case .maxPool, .averagePool: blob.parameters(index, PoolParameters.self).window
      default: nil
      }
    let stage: OutputStage? =
      switch opcode {
      case .convolution, .codedConvolution, .depthwiseConvolution: blob.parameters(index, ConvolutionParameters.self).stage
      case .fullyConnected: blob.parameters(index, FullyConnectedParameters.self).stage
      default: nil
      }
    isClamped = stage.map { $0.low > Int32(Int8.min) || $0.high < Int32(Int8.max) } ?? false
    isPointwise =
      (opcode == .convolution || opcode == .codedConvolution) && window?.height == 1 && window?.width == 1
      && window?.strideHeight == 1 && window?.strideWidth == 1
  }

  /// Adds the features of a call of so many units.
  func addFeatures(units count: Int, to features: inout CostFeatures) {
    if isClamped { features.add("clamped", output.reduce(1, *) * count / units) }
    switch opcode {
    case .fullyConnected, .project, .codedProject:
      addProduct(rows: count, channels: weights.first ?? 1, depth: weights.dropFirst().reduce(1, *), &features)
    case .convolution, .codedConvolution: addConvolution(count, &features)
    case .depthwiseConvolution: addDepthwise(count, &features)
    case .maxPool, .averagePool: addPool(count, &features)
    case .reduce:
      let (results, elements) = (output.reduce(1, *), input.reduce(1, *))
      features.addNest(
        [Extent(name: "results", count: results * count / units), Extent(name: "reduced", count: elements / max(results, 1))])
    case .softmax, .softmaxWide, .normalize:
      let length = input.last ?? 1
      features.addNest([Extent(name: "rows", count: input.reduce(1, *) / length * count / units), Extent(name: "length", count: length)])
    default:
      let elements = output.reduce(1, *)
      features.addNest([Extent(name: "units", count: count)])
      features.addNest([.elements("elements", elements * count / units)])
    }
  }

  /// Rows by channels by depth.
  private func addProduct(rows: Int, channels: Int, depth: Int, _ features: inout CostFeatures) {
    let perRow = Extent.rows(rows)
    features.addNest([perRow, .channels(channels), .elements("depth", depth)])
    if groups > 1 { features.addNest([perRow, Extent(name: "groups", count: groups * channels)]) }
  }

  private func addConvolution(_ count: Int, _ features: inout CostFeatures) {
    guard let window, output.count == 4, weights.count == 4 else { return }
    let pixels = count * output[2], taps = Int(window.height * window.width)
    addProduct(rows: pixels, channels: weights[0], depth: taps * weights[3], &features)
    features.add("image rows", count)
    guard !isPointwise else { return }
    let inside = pixelsInside(window)
    features.add("window rows", pixels * Int(window.height))
    features.add("taps", pixels * taps)
    features.add("border windows", Int(Double(pixels) * (1 - inside)))
    features.add("border taps", Int(Double(pixels * taps) * (1 - inside)))
  }

  private func addDepthwise(_ count: Int, _ features: inout CostFeatures) {
    guard let window, output.count == 4, input.count == 4 else { return }
    let (height, width, channels) = (Int(window.height), Int(window.width), output[3])
    let perChannel = Extent.elements("channels", channels)
    if DepthwiseLines.suits(window, outputHeight: UInt32(output[1]), outputWidth: UInt32(output[2])) {
      addLines(window, count, &features)
    }
    features.addNest([Extent(name: "image rows", count: count), perChannel])
    features.addNest(
      [Extent(name: "pixels", count: count * output[2]), Extent(name: "window rows", count: height), perChannel])
    features.addNest([Extent(name: "taps", count: count * output[2] * height * width), perChannel])
    features.addNest([Extent(name: "window", count: height * width), perChannel])
  }

  /// What loops along lines do (`DepthwiseLineKernel`): for each pair of channels they gather lines and slide over them. Lines
  /// run along the longer side.
  private func addLines(_ window: Window, _ count: Int, _ features: inout CostFeatures) {
    let (height, width, pairs) = (count, output[2], (output[3] + 1) / 2)
    let isDown = height > width
    let strides = (Int(window.strideHeight), Int(window.strideWidth))
    let (along, over) = isDown ? (height, width) : (width, height)
    let (alongStride, overStride) = isDown ? strides : (strides.1, strides.0)
    let (alongInput, overInput) = isDown ? (input[1], input[2]) : (input[2], input[1])
    let lines = min((over - 1) * overStride + Int(isDown ? window.width : window.height), overInput)
    let length = min((along - 1) * alongStride + Int(isDown ? window.height : window.width), alongInput)
    features.add("pairs", pairs)
    features.add("gathered lines", pairs * lines)
    features.add("gathered elements", pairs * lines * length)
    features.add("lines by \(alongStride)", pairs * over)
    features.add("outputs/2 by \(alongStride)", pairs * over * (along / 2))
    features.add("outputs%2 by \(alongStride)", pairs * over * (along % 2))
  }

  private func addPool(_ count: Int, _ features: inout CostFeatures) {
    guard let window, output.count == 4 else { return }
    let perChannel = Extent.elements("channels", output[3])
    let pixels = count * output[2]
    features.add("image rows", count)
    features.addNest([Extent(name: "pixels", count: pixels), Extent(name: "window rows", count: Int(window.height)), perChannel])
    features.addNest([Extent(name: "taps", count: pixels * Int(window.height * window.width)), perChannel])
  }

  /// Share of the output pixels whose windows do not reach over the border.
  private func pixelsInside(_ window: Window) -> Double {
    func inside(_ extent: Int, _ source: Int, _ size: UInt32, _ stride: UInt32, _ dilation: UInt32, _ pad: UInt32) -> Double {
      let fits = (0..<extent).filter {
        let first = $0 * Int(stride) - Int(pad)
        return first >= 0 && first + Int((size - 1) * dilation) < source
      }
      return Double(fits.count) / Double(max(extent, 1))
    }
    return inside(output[1], input[1], window.height, window.strideHeight, window.dilationHeight, window.padTop)
      * inside(output[2], input[2], window.width, window.strideWidth, window.dilationWidth, window.padLeft)
  }
}
