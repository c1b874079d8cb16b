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
  let geometry = kernel.geometry
  for unit in call.units {
    let image = kernel.input.dropping(unit / geometry.outputHeight &* geometry.imageElements)
    let y = unit % geometry.outputHeight
    for x in 0..<geometry.outputWidth {
      let output = kernel.output.dropping((unit &* geometry.outputWidth &+ x) &* kernel.channelsOut)
      kernel.pixel(image, DepthwiseTaps(geometry, y: y, x: x), output)
    }
  }
}

/// The taps of one window: which lie inside the image, and where the first of them is.
private struct DepthwiseTaps {
  let rows: Range<Int>
  let columns: Range<Int>
  /// Pixel under the first tap inside.
  let firstPixel: Int

  @inline(__always)
  init(_ geometry: WindowGeometry, y: Int, x: Int) {
    rows = DepthwiseTaps.inside(
      geometry.inputRow(y, 0), geometry.height, geometry.dilationHeight, geometry.inputHeight)
    columns = DepthwiseTaps.inside(
      geometry.inputColumn(x, 0), geometry.width, geometry.dilationWidth, geometry.inputWidth)
    firstPixel =
      geometry.inputRow(y, rows.lowerBound) &* geometry.inputWidth
      &+ geometry.inputColumn(x, columns.lowerBound)
  }

  /// Taps `t` with `0 <= start + t * dilation < limit`.
  @inline(__always)
  private static func inside(_ start: Int, _ count: Int, _ dilation: Int, _ limit: Int) -> Range<Int> {
    var first = 0
    while first < count && start &+ first &* dilation < 0 { first = first &+ 1 }
    var end = count
    while end > first && start &+ (end &- 1) &* dilation >= limit { end = end &- 1 }
    return first..<end
  }
}

private struct DepthwiseKernel {
  let geometry: WindowGeometry
  let stage: OutputStage
  let inputZeroPoint: Int32
  let weightZeroPoint: Int32
  let channelsOut: Int
  let multiplier: Int
  let input: Elements<Int8>
  let weights: Elements<Int8>
  let channels: Elements<Int32>
  let shifts: Elements<UInt8>
  let hasShifts: Bool
  let output: MutableElements<Int8>

  init(_ call: Invocation) {
    let parameters = call.parameters(ConvolutionParameters.self)
    geometry = WindowGeometry(
      parameters.window, input: call.tensor(Operands.input), output: call.tensor(Operands.output))
    stage = parameters.stage
    inputZeroPoint = parameters.inputZeroPoint
    weightZeroPoint = parameters.weightZeroPoint
    channelsOut = call.tensor(Operands.output).extent(3)
    multiplier = channelsOut / geometry.channels
    input = call.elements(Operands.input)
    weights = call.elements(Operands.weights)
    channels = call.elements(Operands.channels)
    hasShifts = call.has(Operands.shifts)
    shifts = call.elements(hasShifts ? Operands.shifts : Operands.weights)
    output = call.mutableElements(Operands.output)
  }

  /// All channels of one output pixel.
  @inline(__always)
  func pixel(_ image: Elements<Int8>, _ taps: DepthwiseTaps, _ output: MutableElements<Int8>) {
    let isInside = taps.rows.count &* taps.columns.count == geometry.height &* geometry.width
    var channel = 0
    if multiplier == 1 && weightZeroPoint == 0 {
      while channel &+ 4 <= channelsOut {
        var sums = fourChannels(image, taps, channel)
        if !isInside { sums = sums &+ padding(taps, channel) }
        for i in 0..<4 { output[channel &+ i] = finish(sums[i], channel &+ i) }
        channel = channel &+ 4
      }
    }
    while channel < channelsOut {
      output[channel] = finish(oneChannel(image, taps, channel), channel)
      channel = channel &+ 1
    }
  }

  @inline(__always)
  private func finish(_ sum: Int32, _ channel: Int) -> Int8 {
    let shift = hasShifts ? Int32(shifts[channel]) : stage.shift
    return Int8(
      truncatingIfNeeded: stage.apply(
        sum &+ channels[2 &* channel], multiplier: channels[2 &* channel &+ 1], shift: shift))
  }

  /// Four neighbouring channels at a time, over the taps inside the image: each tap's address is
  /// formed once for all of them.
  @inline(__always)
  private func fourChannels(_ image: Elements<Int8>, _ taps: DepthwiseTaps, _ channel: Int) -> SIMD4<Int32> {
    var s0: Int32 = 0
    var s1: Int32 = 0
    var s2: Int32 = 0
    var s3: Int32 = 0
    let columns = taps.columns.count
    let pixelStep = geometry.dilationWidth &* channelsOut
    let rowStep = geometry.dilationHeight &* geometry.inputWidth &* channelsOut
    var rowStart = taps.firstPixel &* channelsOut &+ channel
    var weightStart =
      (taps.rows.lowerBound &* geometry.width &+ taps.columns.lowerBound) &* channelsOut &+ channel
    for _ in taps.rows {
      var p = rowStart
      var w = weightStart
      for _ in 0..<columns {
        s0 = s0 &+ Int32(image[p]) &* Int32(weights[w])
        s1 = s1 &+ Int32(image[p &+ 1]) &* Int32(weights[w &+ 1])
        s2 = s2 &+ Int32(image[p &+ 2]) &* Int32(weights[w &+ 2])
        s3 = s3 &+ Int32(image[p &+ 3]) &* Int32(weights[w &+ 3])
        p = p &+ pixelStep
        w = w &+ channelsOut
      }
      rowStart = rowStart &+ rowStep
      weightStart = weightStart &+ geometry.width &* channelsOut
    }
    return SIMD4(s0, s1, s2, s3)
  }

  /// What the taps outside the image add to four channels: padding reads the zero point, because
  /// the bias has every weight's share of it folded in.
  @inline(never)
  private func padding(_ taps: DepthwiseTaps, _ channel: Int) -> SIMD4<Int32> {
    var sums = SIMD4<Int32>(repeating: 0)
    for row in 0..<geometry.height {
      for column in 0..<geometry.width
      where !(taps.rows.contains(row) && taps.columns.contains(column)) {
        let w = (row &* geometry.width &+ column) &* channelsOut &+ channel
        for i in 0..<4 { sums[i] = sums[i] &+ Int32(weights[w &+ i]) }
      }
    }
    return sums &* SIMD4(repeating: inputZeroPoint)
  }

  /// Any multiplier, any weight zero point.
  @inline(never)
  private func oneChannel(_ image: Elements<Int8>, _ taps: DepthwiseTaps, _ channel: Int) -> Int32 {
    let source = channel / multiplier
    var sum: Int32 = 0
    for row in 0..<geometry.height {
      for column in 0..<geometry.width {
        let weight = Int32(weights[(row &* geometry.width &+ column) &* channelsOut &+ channel])
        var value = inputZeroPoint
        if taps.rows.contains(row) && taps.columns.contains(column) {
          let pixel =
            taps.firstPixel
            &+ (row &- taps.rows.lowerBound) &* geometry.dilationHeight &* geometry.inputWidth
            &+ (column &- taps.columns.lowerBound) &* geometry.dilationWidth
          value = Int32(image[pixel &* geometry.channels &+ source])
        }
        sum = sum &+ value &* (weight &- weightZeroPoint)
      }
    }
    return sum
  }
}
