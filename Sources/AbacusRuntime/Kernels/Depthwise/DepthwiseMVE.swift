#if ABACUS_MVE
import AbacusFormat
import CAbacus

/// Executes depthwise convolutions that the loops below are for.
///
/// - Returns: false where they do not apply.
@inline(never)
func convolveVectors(_ call: Invocation) -> Bool {
  if DepthwiseColumns.suits(call) {
    let kernel = DepthwiseColumns(call)
    kernel.run(call.units)
    return true
  }
  guard let kernel = DepthwiseVectors(call) else { return false }
  for unit in call.units { kernel.row(unit) }
  return true
}

/// Depthwise convolution with one filter a channel, eight channels at a time: products of bytes fit
/// halfwords, which are widened into two vectors of sums, of even and of odd channels.
private struct DepthwiseVectors {
  private let geometry: WindowGeometry
  private let stage: OutputStage
  private let inputZeroPoint: Int32
  private let input: Elements<Int8>
  private let weights: Elements<Int8>
  /// Bias and multiplier of each channel.
  private let channels: Elements<Int32>
  private let output: MutableElements<Int8>

  /// Nil where the loops below do not apply.
  @inline(__always)
  init?(_ call: Invocation) {
    let parameters = call.parameters(ConvolutionParameters.self)
    geometry = WindowGeometry(
      parameters.window, input: call.tensor(Operands.input), output: call.tensor(Operands.output))
    stage = parameters.stage
    inputZeroPoint = parameters.inputZeroPoint
    input = call.elements(Operands.input)
    weights = call.elements(Operands.weights)
    channels = call.elements(Operands.channels)
    output = call.mutableElements(Operands.output)
    if geometry.channels != call.tensor(Operands.output).extent(3) || parameters.weightZeroPoint != 0
      || call.has(Operands.shifts) || stage.shift <= 32 || geometry.channels < 8
    {
      return nil
    }
  }

  /// One row of output pixels.
  @inline(__always)
  func row(_ unit: Int) {
    let image = input.dropping(unit / geometry.outputHeight &* geometry.imageElements)
    let y = unit % geometry.outputHeight
    let rows = DepthwiseTaps.rows(geometry, y: y)
    for x in 0..<geometry.outputWidth {
      pixel(
        image, DepthwiseTaps(geometry, rows: rows, y: y, x: x),
        output.dropping((unit &* geometry.outputWidth &+ x) &* geometry.channels))
    }
  }

  /// Goes over the taps inside the image. Not inlined: the kernel stays in memory, in one place, which takes
  /// less stack.
  @inline(never)
  private func pixel(_ image: Elements<Int8>, _ taps: DepthwiseTaps, _ output: MutableElements<Int8>) {
    let isEmpty = taps.rows.isEmpty || taps.columns.isEmpty
    let isInside = taps.rows.count &* taps.columns.count == geometry.height &* geometry.width
    let first = taps.rows.lowerBound &* geometry.width &+ taps.columns.lowerBound
    let columns = TapLine(
      count: isEmpty ? 0 : taps.columns.count, step: geometry.dilationWidth &* geometry.channels,
      weightStep: geometry.channels)
    let rows = TapLine(
      count: isEmpty ? 0 : taps.rows.count, step: geometry.dilationHeight &* geometry.inputWidth &* geometry.channels,
      weightStep: geometry.width &* geometry.channels)
    // A column of taps is one run, not many of one tap.
    let walk = columns.count == 1 ? TapWalk(inner: rows, outer: columns) : TapWalk(inner: columns, outer: rows)
    pixelChannels(
      image.dropping(isEmpty ? 0 : taps.firstPixel &* geometry.channels),
      weights.dropping(isEmpty ? 0 : first &* geometry.channels), walk, isInside, output)
    if !stage.isFullRange { output.clamp(low: stage.low, high: stage.high, geometry.channels) }
  }

  /// All channels of one output pixel, eight at a time. Where they do not come out even, the last eight begin
  /// early, and some are computed again.
  ///
  /// The padding reads as the zero point: taken off every element inside, it is left to be added once for all
  /// weights of the window. An element less its zero point has nine bits, so that its product with a weight
  /// still fits a halfword.
  @inline(never)
  private func pixelChannels(
    _ image: Elements<Int8>, _ weights: Elements<Int8>, _ walk: TapWalk, _ isInside: Bool,
    _ output: MutableElements<Int8>
  ) {
    var next = 0
    while next < geometry.channels {
      let channel = min(next, geometry.channels &- 8)
      let (p, w) = (image.dropping(channel), weights.dropping(channel))
      var sums: HalfSums
      if isInside {
        sums = walk.sums(p, w) { $0 &* $1 }
      } else {
        sums = walk.sums(p, w) { ($0 &- SIMD8(repeating: Int16(truncatingIfNeeded: inputZeroPoint))) &* $1 }
        sums.add(windowWeights(channel), times: inputZeroPoint)
      }
      let constants = channels.dropping(2 &* channel).quads
      let even = stage.applyHigh(sums.even &+ constants.0, multipliers: constants.1)
      let odd = stage.applyHigh(sums.odd &+ constants.2, multipliers: constants.3)
      output.dropping(channel).store(abacus_saturate_pairs(even, odd))
      next = next &+ 8
    }
  }

  /// Sums of all weights of the window.
  @inline(never)
  private func windowWeights(_ channel: Int) -> HalfSums {
    var sums = HalfSums()
    var w = weights.dropping(channel)
    for _ in 0..<geometry.height &* geometry.width {
      sums.add(w.halves)
      w = w.skipping(geometry.channels)
    }
    return sums
  }
}

/// Sums of halfwords, of even and odd lanes.
private struct HalfSums {
  var even = SIMD4<Int32>(repeating: 0)
  var odd = SIMD4<Int32>(repeating: 0)

  @inline(__always)
  mutating func add(_ halves: SIMD8<Int16>) {
    even = even &+ abacus_even_halves(halves)
    odd = odd &+ abacus_odd_halves(halves)
  }

  @inline(__always)
  mutating func add(_ other: HalfSums, times factor: Int32) {
    even = even &+ other.even &* SIMD4(repeating: factor)
    odd = odd &+ other.odd &* SIMD4(repeating: factor)
  }
}

/// Taps in one direction, and how far it is from one to the next, in elements of the image and weights.
private struct TapLine {
  let count: Int
  let step: Int
  let weightStep: Int
}

/// A rectangle of taps.
private struct TapWalk {
  let inner: TapLine
  let outer: TapLine

  /// Sums of `product` of eight channels, which an element and a weight go into.
  @inline(__always)
  func sums(
    _ image: Elements<Int8>, _ weights: Elements<Int8>, _ product: (SIMD8<Int16>, SIMD8<Int16>) -> SIMD8<Int16>
  ) -> HalfSums {
    var sums = HalfSums()
    var (line, weightLine, rows) = (image, weights, outer.count)
    while rows > 0 {
      var (p, w, left) = (line, weightLine, inner.count)
      while left > 0 {
        sums.add(product(p.halves, w.halves))
        (p, w, left) = (p.skipping(inner.step), w.skipping(inner.weightStep), left &- 1)
      }
      (line, weightLine, rows) = (line.skipping(outer.step), weightLine.skipping(outer.weightStep), rows &- 1)
    }
    return sums
  }
}
#endif
