import AbacusFormat
import CAbacus

// Two-dimensional convolution, NHWC. A unit is one output row of one image.
//
// A few output pixels at a time are gathered into scratch (never a whole im2col matrix) and multiplied like
// rows of a fully connected layer; a 1x1 window of stride 1 reads the input as it lies.

/// Where weights in pairs have loops of their own: 1 for pixels as they lie, 2 for windows whose pixels are whole fours of
/// channels, 3 for other windows; else 0.
@c(abacus_form_convolution)
public func convolutionForm(_ call: UnsafePointer<abacus_kernel_call>) -> UInt32 {
  let call = unsafe Invocation(call)
  let parameters = call.parameters(ConvolutionParameters.self)
  let isDense = call.tensor(Operands.weights).dims[3] == call.tensor(Operands.input).dims[3]
  if !isDense || !call.takesPairs(parameters.stage, weightZeroPoint: parameters.weightZeroPoint) { return 0 }
  let geometry = WindowGeometry(
    parameters.window, input: call.tensor(Operands.input), output: call.tensor(Operands.output))
  return geometry.isPointwise ? 1 : geometry.channels & 3 == 0 ? 2 : 3
}

@c(abacus_run_convolution)
public func runConvolution(_ call: UnsafePointer<abacus_kernel_call>) {
  switch unsafe convolutionForm(call) {
  case 1: unsafe convolutionPairs(call)
  case 2: unsafe convolutionPairsOfQuads(call)
  case 3: unsafe convolutionPairsOfBytes(call)
  default: unsafe convolutionRows(call)
  }
}

@c(abacus_run_convolution_pairs)
public func convolutionPairs(_ call: UnsafePointer<abacus_kernel_call>) {
  #if ABACUS_DSP
  let call = unsafe Invocation(call)
  let stage = call.parameters(ConvolutionParameters.self).stage
  let (depth, channels) = (call.tensor(Operands.weights).extent(3), call.tensor(Operands.weights).extent(0))
  let width = call.tensor(Operands.output).extent(2)
  let first = call.units.lowerBound &* width
  let input: Elements<Int8> = call.elements(Operands.input)
  var sink = ByteSink(call, stage, channelCount: channels)
  multiplyPaired(
    call, input.dropping(first &* depth), rows: call.units.count &* width, depth: depth, channels: channels,
    to: &sink, row: first)
  #else
  unsafe convolutionRows(call)
  #endif
}

@c(abacus_run_convolution_pairs_of_quads)
public func convolutionPairsOfQuads(_ call: UnsafePointer<abacus_kernel_call>) {
  #if ABACUS_DSP
  unsafe convolvePaired(Invocation(call), WindowWidening(widen: widenQuads))
  #else
  unsafe convolutionRows(call)
  #endif
}

@c(abacus_run_convolution_pairs_of_bytes)
public func convolutionPairsOfBytes(_ call: UnsafePointer<abacus_kernel_call>) {
  #if ABACUS_DSP
  unsafe convolvePaired(Invocation(call), WindowWidening(widen: widenBytes))
  #else
  unsafe convolutionRows(call)
  #endif
}

@c(abacus_run_convolution_rows)
public func convolutionRows(_ call: UnsafePointer<abacus_kernel_call>) {
  let call = unsafe Invocation(call)
  #if ABACUS_MVE
  if convolveOnVectors(call) { return }
  #endif
  convolution(call)
}

/// Any layout of weights.
@inline(never)
private func convolution(_ call: Invocation) {
  let parameters = call.parameters(ConvolutionParameters.self)
  let inputRecord = call.tensor(Operands.input)
  let outputRecord = call.tensor(Operands.output)
  let weights = call.tensor(Operands.weights)
  let geometry = WindowGeometry(parameters.window, input: inputRecord, output: outputRecord)
  let channels = weights.extent(0)
  let groupDepth = weights.extent(3)
  let depth = geometry.height &* geometry.width &* groupDepth
  let groups = geometry.channels / groupDepth
  let product = RowProduct(
    call, depth: depth, stage: parameters.stage, weightZeroPoint: parameters.weightZeroPoint)
  let input: Elements<Int8> = call.elements(Operands.input)
  let output: MutableElements<Int8> = call.mutableElements(Operands.output)

  #if arch(x86_64) || arch(arm64)
  if groups == 1, let rows = VectorRows(call, parameters.stage, weightZeroPoint: parameters.weightZeroPoint),
    depth % rows.granule == 0 || !geometry.isPointwise
  {
    return convolveVectors(call, rows, geometry, depth: depth, fill: Int8(truncatingIfNeeded: parameters.inputZeroPoint))
  }
  #elseif ABACUS_LANES
  if groups == 1 && LaneProduct.suits(call, parameters.stage, weightZeroPoint: parameters.weightZeroPoint) {
    let product = LaneProduct(call, depth: depth, channels: channels, parameters.stage)
    if !geometry.isPointwise {
      return product.convolve(
        call, geometry, fill: Int8(truncatingIfNeeded: parameters.inputZeroPoint), channels: channels)
    }
    let first = call.units.lowerBound &* geometry.outputWidth
    return product.multiply(
      input.dropping(first &* depth), rows: call.units.count &* geometry.outputWidth,
      call.mutableElements(Operands.scratch), output.dropping(first &* channels))
  }
  #endif
  if geometry.isPointwise && groups == 1 {
    // Pixels follow each other in memory, so rows of pixels need not end a pair.
    let first = call.units.lowerBound &* geometry.outputWidth
    multiplyPixels(
      product, input.dropping(first &* depth), output.dropping(first &* channels),
      pixels: call.units.count &* geometry.outputWidth, depth: depth, channels: channels)
    return
  }

  let scratch: MutableElements<Int8> = call.mutableElements(Operands.scratch)
  let second = scratch.dropping((depth &+ 3) & ~3)
  let fill = Int8(truncatingIfNeeded: parameters.inputZeroPoint)
  let groupChannels = channels / groups
  for unit in call.units {
    let image = input.dropping(unit / geometry.outputHeight &* geometry.imageElements)
    let y = unit % geometry.outputHeight
    for group in 0..<groups {
      let range = group &* groupChannels..<(group &+ 1) &* groupChannels
      let firstChannel = group &* groupDepth
      var x = 0
      while x < geometry.outputWidth {
        let target = output.dropping((unit &* geometry.outputWidth &+ x) &* channels &+ range.lowerBound)
        geometry.gather(image, y: y, x: x, firstChannel, groupDepth, fill: fill, into: scratch)
        if x &+ 1 < geometry.outputWidth {
          geometry.gather(image, y: y, x: x &+ 1, firstChannel, groupDepth, fill: fill, into: second)
          product.two(
            scratch.readOnly, second.readOnly, channels: range, target, target.dropping(channels))
        } else {
          product.one(scratch.readOnly, channels: range, target)
        }
        x = x &+ 2
      }
    }
  }
}

/// Neighbouring pixels of a pointwise convolution.
@inline(__always)
private func multiplyPixels(
  _ product: RowProduct, _ input: Elements<Int8>, _ output: MutableElements<Int8>, pixels: Int,
  depth: Int, channels: Int
) {
  var x = 0
  while x &+ 1 < pixels {
    product.two(
      input.dropping(x &* depth), input.dropping((x &+ 1) &* depth), channels: 0..<channels,
      output.dropping(x &* channels), output.dropping((x &+ 1) &* channels))
    x = x &+ 2
  }
  if x < pixels {
    product.one(
      input.dropping(x &* depth), channels: 0..<channels, output.dropping(x &* channels))
  }
}

#if arch(x86_64) || arch(arm64)
/// Convolution on vectors: windows inside the image are read as they lie, others are gathered, some at a time.
private func convolveVectors(
  _ call: Invocation, _ rows: VectorRows, _ geometry: WindowGeometry, depth: Int, fill: Int8
) {
  var rows = rows
  let input: Elements<Int8> = call.elements(Operands.input)
  let output: MutableElements<Int8> = call.mutableElements(Operands.output)
  let channels = call.tensor(Operands.output).extent(3)
  if geometry.isPointwise {
    let first = call.units.lowerBound &* geometry.outputWidth
    return rows.multiply(
      input.dropping(first &* depth), count: call.units.count &* geometry.outputWidth, depth: depth, stride: depth,
      to: output.dropping(first &* channels))
  }
  // A row of taps is one part of a window.
  let tapRow = geometry.width &* geometry.channels
  let isDense = geometry.dilationWidth == 1 && tapRow % rows.granule == 0
  let inside = isDense ? geometry.columnsInside : 0..<0
  var lines = isDense ? PaddedLines(call, geometry, fill: fill) : nil
  var windows = GatheredWindows(call, geometry, depth: depth, granule: rows.granule, fill: fill)
  for unit in call.units {
    let image = input.dropping(unit / geometry.outputHeight &* geometry.imageElements)
    let y = unit % geometry.outputHeight
    let target = output.dropping(unit &* geometry.outputWidth &* channels)
    let direct = geometry.isInsideRows(y) ? inside : 0..<0
    if direct.count < geometry.outputWidth && lines != nil {
      lines?.multiply(image, y: y, &rows, target)
      continue
    }
    if direct.count &+ 2 == geometry.outputWidth && direct.lowerBound == 1 {
      windows.multiplyEnds(image, y: y, &rows, target)
    } else {
      windows.multiply(image, y: y, 0..<direct.lowerBound, &rows, target)
      windows.multiply(image, y: y, direct.upperBound..<geometry.outputWidth, &rows, target)
    }
    if !direct.isEmpty {
      let first = geometry.inputRow(y, 0) &* geometry.inputWidth &+ geometry.inputColumn(direct.lowerBound, 0)
      rows.multiply(
        image.dropping(first &* geometry.channels), count: direct.count,
        stride: geometry.strideWidth &* geometry.channels, parts: geometry.height, partLength: tapRow,
        partStride: geometry.dilationHeight &* geometry.inputWidth &* geometry.channels,
        to: target.dropping(direct.lowerBound &* channels))
    }
  }
}
#endif
