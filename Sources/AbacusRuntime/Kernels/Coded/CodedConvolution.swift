import AbacusFormat
import CAbacus

// `convolution` in one group with weights of 4 or 2 bits. A unit is one output row of one image.

@c(abacus_run_coded_convolution)
public func runCodedConvolution(_ call: UnsafePointer<abacus_kernel_call>) {
  let call = unsafe Invocation(call)
  let parameters = call.parameters(ConvolutionParameters.self)
  let output = call.tensor(Operands.output)
  let geometry = WindowGeometry(parameters.window, input: call.tensor(Operands.input), output: output)
  let depth = geometry.height &* geometry.width &* geometry.channels
  let weights = CodedWeights(call, depth: depth)
  let channels = output.extent(3)
  #if ABACUS_DSP
  if PairedLayout.takes(parameters.stage, weightZeroPoint: 0),
    let product = CodedProduct(call, weights, channels: channels, rows: 3, staging: (depth &+ 3) & ~3)
  {
    return convolveWidened(call, parameters, geometry, product)
  }
  #endif
  let stage = ChannelStage(call, parameters.stage)
  let input: Elements<Int8> = call.elements(Operands.input)
  let scratch: MutableElements<Int8> = call.mutableElements(Operands.scratch)
  var target: MutableElements<Int8> = call.mutableElements(Operands.output)
  target = target.dropping(call.units.lowerBound &* geometry.outputWidth &* channels)
  for unit in call.units {
    let image = input.dropping(unit / geometry.outputHeight &* geometry.imageElements)
    for x in 0..<geometry.outputWidth {
      geometry.gather(
        image, y: unit % geometry.outputHeight, x: x, 0, geometry.channels,
        fill: Int8(truncatingIfNeeded: parameters.inputZeroPoint), into: scratch)
      for n in 0..<channels { target[n] = stage.apply(weights.dotProduct(row: n, scratch.readOnly), channel: n) }
      target = target.dropping(channels)
    }
  }
}

#if ABACUS_DSP
/// Three pixels at a time. Patches are gathered behind the rows that they are widened to.
private func convolveWidened(
  _ call: Invocation, _ parameters: ConvolutionParameters, _ geometry: WindowGeometry, _ product: CodedProduct
) {
  let input: Elements<Int8> = call.elements(Operands.input)
  let scratch: MutableElements<Int8> = call.mutableElements(Operands.scratch)
  let patch = scratch.dropping(product.bytes)
  var sink = RowSink<Int8>(call, parameters.stage, channelCount: product.channelCount)
  var pixel = call.units.lowerBound &* geometry.outputWidth
  let end = call.units.upperBound &* geometry.outputWidth
  while pixel < end {
    let count = min(3, end &- pixel)
    for lane in 0..<count {
      let (unit, x) = ((pixel &+ lane) / geometry.outputWidth, (pixel &+ lane) % geometry.outputWidth)
      geometry.gather(
        input.dropping(unit / geometry.outputHeight &* geometry.imageElements), y: unit % geometry.outputHeight, x: x, 0,
        geometry.channels, fill: Int8(truncatingIfNeeded: parameters.inputZeroPoint), into: patch)
      product.set(lane, patch.readOnly)
    }
    sink.move(to: pixel, rows: count)
    product.multiply(to: sink)
    pixel = pixel &+ count
  }
}
#endif

/// What becomes of the accumulator of each channel.
private struct ChannelStage {
  private let stage: OutputStage
  /// Bias and multiplier of each channel.
  private let channels: Elements<Int32>
  /// A shift of each channel's own, where `hasShifts`.
  private let shifts: Elements<UInt8>
  private let hasShifts: Bool

  init(_ call: Invocation, _ stage: OutputStage) {
    self.stage = stage
    channels = call.elements(Operands.channels)
    hasShifts = call.has(Operands.shifts)
    shifts = call.elements(hasShifts ? Operands.shifts : Operands.channels)
  }

  @inline(__always)
  func apply(_ sum: Int32, channel n: Int) -> Int8 {
    let shift = hasShifts ? Int32(shifts[n]) : stage.shift
    return Int8(
      truncatingIfNeeded: stage.apply(sum &+ channels[2 &* n], multiplier: channels[2 &* n &+ 1], shift: shift))
  }
}
