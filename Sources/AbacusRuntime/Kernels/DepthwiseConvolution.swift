import AbacusFormat
import CAbacus

/// Depthwise convolution, NHWC, any channel multiplier. A unit is one output row of one image.
/// Weights are [height, width, channels out].
@c(abacus_run_depthwise_convolution)
public func runDepthwiseConvolution(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe depthwiseConvolution(Invocation(call))
}

private func depthwiseConvolution(_ call: Invocation) {
  let kernel = DepthwiseKernel(call)
  for unit in call.units {
    for x in 0..<kernel.geometry.outputWidth {
      kernel.pixel(unit, x)
    }
  }
}

private struct DepthwiseKernel {
  let geometry: WindowGeometry
  let parameters: ConvolutionParameters
  let channelsOut: Int
  let multiplier: Int
  let input: Elements<Int8>
  let weights: Elements<Int8>
  let channels: Elements<Int32>
  let shifts: Elements<UInt8>
  let hasShifts: Bool
  let output: MutableElements<Int8>

  init(_ call: Invocation) {
    parameters = call.parameters(ConvolutionParameters.self)
    geometry = WindowGeometry(
      parameters.window, input: call.tensor(Operands.input), output: call.tensor(Operands.output))
    channelsOut = call.tensor(Operands.output).extent(3)
    multiplier = channelsOut / geometry.channels
    input = call.elements(Operands.input)
    weights = call.elements(Operands.weights)
    channels = call.elements(Operands.channels)
    hasShifts = call.has(Operands.shifts)
    shifts = call.elements(hasShifts ? Operands.shifts : Operands.weights)
    output = call.mutableElements(Operands.output)
  }

  /// All channels of output pixel `x` in row `unit`.
  func pixel(_ unit: Int, _ x: Int) {
    let target = (unit &* geometry.outputWidth &+ x) &* channelsOut
    let image = input.dropping(unit / geometry.outputHeight &* geometry.imageElements)
    let y = unit % geometry.outputHeight
    var channel = 0
    if multiplier == 1 {
      while channel &+ 4 <= channelsOut {
        let sums = fourChannels(image, y, x, channel)
        for i in 0..<4 { output[target &+ channel &+ i] = finish(sums[i], channel &+ i) }
        channel = channel &+ 4
      }
    }
    while channel < channelsOut {
      output[target &+ channel] = finish(oneChannel(image, y, x, channel), channel)
      channel = channel &+ 1
    }
  }

  @inline(__always)
  private func finish(_ sum: Int32, _ channel: Int) -> Int8 {
    let shift = hasShifts ? Int32(shifts[channel]) : parameters.stage.shift
    return Int8(
      truncatingIfNeeded: parameters.stage.apply(
        sum &+ channels[2 &* channel], multiplier: channels[2 &* channel &+ 1], shift: shift))
  }

  /// Four neighbouring channels at a time: each tap's address is formed once for all of them.
  @inline(__always)
  private func fourChannels(_ image: Elements<Int8>, _ y: Int, _ x: Int, _ channel: Int) -> SIMD4<Int32> {
    var s0: Int32 = 0
    var s1: Int32 = 0
    var s2: Int32 = 0
    var s3: Int32 = 0
    let zero = parameters.weightZeroPoint
    for tapRow in 0..<geometry.height {
      let row = geometry.inputRow(y, tapRow)
      let rowInside = row >= 0 && row < geometry.inputHeight
      for tap in 0..<geometry.width {
        let column = geometry.inputColumn(x, tap)
        let w = weights.dropping((tapRow &* geometry.width &+ tap) &* channelsOut &+ channel)
        if rowInside && column >= 0 && column < geometry.inputWidth {
          let p = image.dropping((row &* geometry.inputWidth &+ column) &* geometry.channels &+ channel)
          s0 = s0 &+ Int32(p[0]) &* (Int32(w[0]) &- zero)
          s1 = s1 &+ Int32(p[1]) &* (Int32(w[1]) &- zero)
          s2 = s2 &+ Int32(p[2]) &* (Int32(w[2]) &- zero)
          s3 = s3 &+ Int32(p[3]) &* (Int32(w[3]) &- zero)
        } else {
          s0 = s0 &+ parameters.inputZeroPoint &* (Int32(w[0]) &- zero)
          s1 = s1 &+ parameters.inputZeroPoint &* (Int32(w[1]) &- zero)
          s2 = s2 &+ parameters.inputZeroPoint &* (Int32(w[2]) &- zero)
          s3 = s3 &+ parameters.inputZeroPoint &* (Int32(w[3]) &- zero)
        }
      }
    }
    return SIMD4(s0, s1, s2, s3)
  }

  @inline(__always)
  private func oneChannel(_ image: Elements<Int8>, _ y: Int, _ x: Int, _ channel: Int) -> Int32 {
    let source = channel / multiplier
    var sum: Int32 = 0
    for tapRow in 0..<geometry.height {
      let row = geometry.inputRow(y, tapRow)
      for tap in 0..<geometry.width {
        let column = geometry.inputColumn(x, tap)
        let isInside =
          row >= 0 && row < geometry.inputHeight && column >= 0 && column < geometry.inputWidth
        let value =
          isInside
          ? Int32(image[(row &* geometry.inputWidth &+ column) &* geometry.channels &+ source])
          : parameters.inputZeroPoint
        let weight = weights[(tapRow &* geometry.width &+ tap) &* channelsOut &+ channel]
        sum = sum &+ value &* (Int32(weight) &- parameters.weightZeroPoint)
      }
    }
    return sum
  }
}
