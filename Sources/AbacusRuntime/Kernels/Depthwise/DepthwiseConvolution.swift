import AbacusFormat
import CAbacus

// Depthwise convolution, NHWC, any channel multiplier. A unit is one output row of one image.
// Weights are [height, width, channels out].

/// 1 where all cores without vectors have loops along lines; 2 where no core takes several channels at a time; else 0.
@c(abacus_form_depthwise_convolution)
public func depthwiseConvolutionForm(_ call: UnsafePointer<abacus_kernel_call>) -> UInt32 {
  let call = unsafe Invocation(call)
  let channels = call.tensor(Operands.output).dims[3]
  if call.suitsLines && channels & 1 == 0 { return 1 }
  let weightZeroPoint = call.parameters(ConvolutionParameters.self).weightZeroPoint
  return weightZeroPoint != 0 || call.tensor(Operands.input).dims[3] != channels ? 2 : 0
}

@c(abacus_run_depthwise_convolution)
public func runDepthwiseConvolution(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe depthwiseConvolution(Invocation(call))
}

@c(abacus_run_depthwise_convolution_lines)
public func depthwiseConvolutionLines(_ call: UnsafePointer<abacus_kernel_call>) {
  #if ABACUS_DSP || ABACUS_SCALAR
  unsafe convolveLines(Invocation(call))
  #else
  unsafe depthwiseConvolution(Invocation(call))
  #endif
}

@c(abacus_run_depthwise_convolution_windows)
public func depthwiseConvolutionWindows(_ call: UnsafePointer<abacus_kernel_call>) {
  #if ABACUS_DSP
  unsafe convolveWindows(Invocation(call))
  #else
  unsafe depthwiseConvolution(Invocation(call))
  #endif
}

@c(abacus_run_depthwise_convolution_channels)
public func depthwiseConvolutionChannels(_ call: UnsafePointer<abacus_kernel_call>) {
  #if ABACUS_DSP
  unsafe convolveChannels(Invocation(call))
  #else
  unsafe depthwiseConvolution(Invocation(call))
  #endif
}

@inline(__always)
private func depthwiseConvolution(_ call: Invocation) {
  #if ABACUS_DSP || ABACUS_SCALAR
  if call.suitsLines && call.tensor(Operands.output).dims[3] % UInt32(LineBuffer.channels) == 0 {
    return convolveLines(call)
  }
  #elseif ABACUS_MVE
  if convolveVectors(call) { return }
  #elseif arch(x86_64) || arch(arm64)
  if convolveDepthwiseVectors(call) { return }
  #endif
  convolveWindows(call)
}

extension Invocation {
  /// All conditions of the loops along lines hold, except for the number of channels.
  @inline(never)
  fileprivate var suitsLines: Bool {
    let parameters = parameters(ConvolutionParameters.self)
    let output = tensor(Operands.output)
    return has(Operands.scratch) && !has(Operands.shifts) && parameters.weightZeroPoint == 0
      && tensor(Operands.input).dims[3] == output.dims[3] && (33...52).contains(parameters.stage.shift)
      && DepthwiseLines.suits(parameters.window, outputHeight: output.dims[1], outputWidth: output.dims[2])
  }
}

#if ABACUS_DSP || ABACUS_SCALAR
/// Not inlined, like the general form: the stack holds one of them at a time.
@inline(never)
private func convolveLines(_ call: Invocation) {
  let kernel = DepthwiseLineKernel(call)
  kernel.run(call.units)
}
#endif

@inline(never)
private func convolveWindows(_ call: Invocation) {
  let kernel = DepthwiseKernel(call)
  for unit in call.units { kernel.row(unit) }
}

#if ABACUS_DSP
/// One channel at a time.
@inline(never)
private func convolveChannels(_ call: Invocation) {
  let kernel = DepthwiseKernel(call)
  for unit in call.units { kernel.rowOfChannels(unit) }
}
#endif

/// The taps of one window: which lie inside the image, and where the first of them is.
struct DepthwiseTaps {
  let rows: Range<Int>
  let columns: Range<Int>
  /// Pixel under the first tap inside.
  let firstPixel: Int

  /// Taps of a column, those that lie inside the image.
  @inline(__always)
  static func rows(_ geometry: WindowGeometry, y: Int) -> Range<Int> {
    inside(geometry.inputRow(y, 0), geometry.height, geometry.dilationHeight, geometry.inputHeight)
  }

  /// - Parameter rows: those of the row.
  @inline(__always)
  init(_ geometry: WindowGeometry, rows: Range<Int>, y: Int, x: Int) {
    self.rows = rows
    columns = DepthwiseTaps.inside(
      geometry.inputColumn(x, 0), geometry.width, geometry.dilationWidth, geometry.inputWidth)
    firstPixel =
      geometry.inputRow(y, rows.lowerBound) &* geometry.inputWidth
      &+ geometry.inputColumn(x, columns.lowerBound)
  }

  /// Taps `t` with `0 <= start + t * dilation < limit`.
  @inline(never)
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
  #if ABACUS_DSP
  /// For one shift of all channels, such that only high words of products count.
  let byteStage: ByteStage
  let isNarrow: Bool
  #endif

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
    #if ABACUS_DSP
    byteStage = ByteStage(stage)
    isNarrow = ByteStage.suits(stage) && !hasShifts
    #endif
  }

  /// One row of output pixels. Not inlined: the kernel stays in memory, in one place, instead of
  /// being taken apart into more values than there are registers.
  @inline(never)
  func row(_ unit: Int) { row(unit, byFours: multiplier == 1 && weightZeroPoint == 0) }

  #if ABACUS_DSP
  /// The same for any multiplier, one channel at a time.
  @inline(never)
  func rowOfChannels(_ unit: Int) { row(unit, byFours: false) }
  #endif

  @inline(__always)
  private func row(_ unit: Int, byFours: Bool) {
    let image = input.dropping(unit / geometry.outputHeight &* geometry.imageElements)
    let y = unit % geometry.outputHeight
    let rows = DepthwiseTaps.rows(geometry, y: y)
    for x in 0..<geometry.outputWidth {
      pixel(
        image, DepthwiseTaps(geometry, rows: rows, y: y, x: x),
        output.dropping((unit &* geometry.outputWidth &+ x) &* channelsOut), byFours: byFours)
    }
  }

  /// All channels of one output pixel.
  @inline(__always)
  private func pixel(
    _ image: Elements<Int8>, _ taps: DepthwiseTaps, _ output: MutableElements<Int8>, byFours: Bool
  ) {
    let isInside = taps.rows.count &* taps.columns.count == geometry.height &* geometry.width
    var channel = 0
    if byFours {
      // A window that lies wholly in the padding has no first tap.
      let steps = tapSteps(taps)
      let (pixel, tap) = steps.rows == 0 ? (0, 0) : (taps.firstPixel, firstTap(taps))
      channel = fours(
        image.dropping(pixel &* channelsOut), weights.dropping(tap &* channelsOut), steps, isInside ? nil : taps, output)
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

  /// Four neighbouring channels at a time, as long as there are as many.
  ///
  /// - Parameter taps: where some of the window are outside the image.
  /// - Returns: the channels that are done.
  @inline(never)
  private func fours(
    _ image: Elements<Int8>, _ weights: Elements<Int8>, _ steps: TapSteps, _ taps: DepthwiseTaps?,
    _ output: MutableElements<Int8>
  ) -> Int {
    var channel = 0
    while channel &+ 4 <= channelsOut {
      var sums = depthwiseSums(image.dropping(channel), weights.dropping(channel), steps)
      if let taps { sums = sums &+ padding(taps, channel) }
      finish(sums, channel, output.dropping(channel))
      channel = channel &+ 4
    }
    return channel
  }

  /// Four neighbouring channels.
  @inline(__always)
  private func finish(_ sums: SIMD4<Int32>, _ channel: Int, _ output: MutableElements<Int8>) {
    #if ABACUS_DSP
    if isNarrow {
      let constants = channels.dropping(2 &* channel)
      for i in 0..<4 {
        output[i] = byteStage.apply(sums[i] &+ constants[2 &* i], constants[2 &* i &+ 1])
      }
      return byteStage.clamp(output, 4, step: 1)
    }
    #endif
    for i in 0..<4 { output[i] = finish(sums[i], channel &+ i) }
  }

  @inline(__always)
  private func firstTap(_ taps: DepthwiseTaps) -> Int {
    taps.rows.lowerBound &* geometry.width &+ taps.columns.lowerBound
  }

  /// How to go over the taps inside the image.
  @inline(__always)
  private func tapSteps(_ taps: DepthwiseTaps) -> TapSteps {
    let isColumn = geometry.width == 1
    let row = geometry.dilationHeight &* geometry.inputWidth &* channelsOut
    let (rows, columns) = (taps.columns.isEmpty ? 0 : taps.rows.count, taps.columns.count)
    // A column of taps is a row of steps.
    return TapSteps(
      rows: isColumn ? min(rows, 1) : rows, columns: isColumn ? rows : columns, channels: channelsOut,
      pixel: isColumn ? row : geometry.dilationWidth &* channelsOut, row: row,
      weightRow: geometry.width &* channelsOut)
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

/// How many taps there are, and how far it is from one to the next, in elements.
private struct TapSteps {
  let rows: Int
  let columns: Int
  /// From the weights of one tap to those of the next.
  let channels: Int
  let pixel: Int
  let row: Int
  let weightRow: Int
}

/// Products of four neighbouring channels, summed over a rectangle of taps. A leaf of its own, so
/// that sums and addresses find registers; three taps a row, by far the most common width, are
/// written out.
@inline(__always)
private func depthwiseSums(
  _ image: Elements<Int8>, _ weights: Elements<Int8>, _ steps: TapSteps
) -> SIMD4<Int32> {
  var sums = FourSums()
  var rowStart = 0
  var weightStart = 0
  for _ in 0..<steps.rows {
    var p = image.dropping(rowStart)
    var w = weights.dropping(weightStart)
    var left = steps.columns
    while left >= 3 {
      sums.add(p, w)
      sums.add(p.dropping(steps.pixel), w.dropping(steps.channels))
      sums.add(p.dropping(2 &* steps.pixel), w.dropping(2 &* steps.channels))
      left = left &- 3
      if left == 0 { break }
      p = p.dropping(3 &* steps.pixel)
      w = w.dropping(3 &* steps.channels)
    }
    while left > 0 {
      sums.add(p, w)
      left = left &- 1
      if left == 0 { break }
      p = p.dropping(steps.pixel)
      w = w.dropping(steps.channels)
    }
    rowStart = rowStart &+ steps.row
    weightStart = weightStart &+ steps.weightRow
  }
  return SIMD4(sums.s0, sums.s1, sums.s2, sums.s3)
}

private struct FourSums {
  var s0: Int32 = 0
  var s1: Int32 = 0
  var s2: Int32 = 0
  var s3: Int32 = 0

  #if ABACUS_DSP
  @inline(__always)
  mutating func add(_ p: Elements<Int8>, _ w: Elements<Int8>) {
    let (x, v) = (p.word(0), w.word(0))
    let (evenX, evenV) = (abacus_even_bytes(x), abacus_even_bytes(v))
    s0 = abacus_multiply_add_bottoms(evenX, evenV, s0)
    s2 = abacus_multiply_add_tops(evenX, evenV, s2)
    let (oddX, oddV) = (abacus_odd_bytes(x), abacus_odd_bytes(v))
    s1 = abacus_multiply_add_bottoms(oddX, oddV, s1)
    s3 = abacus_multiply_add_tops(oddX, oddV, s3)
  }
  #else
  @inline(__always)
  mutating func add(_ p: Elements<Int8>, _ w: Elements<Int8>) {
    s0 = s0 &+ Int32(p[0]) &* Int32(w[0])
    s1 = s1 &+ Int32(p[1]) &* Int32(w[1])
    s2 = s2 &+ Int32(p[2]) &* Int32(w[2])
    s3 = s3 &+ Int32(p[3]) &* Int32(w[3])
  }
  #endif
}
