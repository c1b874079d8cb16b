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
    for unit in call.units { kernel.row(unit) }
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
      || call.has(Operands.shifts) || stage.shift <= 32 || !stage.isFullRange
    {
      return nil
    }
  }

  /// One row of output pixels.
  @inline(__always)
  func row(_ unit: Int) {
    let image = input.dropping(unit / geometry.outputHeight &* geometry.imageElements)
    let y = unit % geometry.outputHeight
    for x in 0..<geometry.outputWidth {
      pixel(image, y: y, x: x, output.dropping((unit &* geometry.outputWidth &+ x) &* geometry.channels))
    }
  }

  /// Finds the taps inside the image. Not inlined: the kernel stays in memory, in one place, which takes
  /// less stack.
  @inline(never)
  private func pixel(_ image: Elements<Int8>, y: Int, x: Int, _ output: MutableElements<Int8>) {
    let taps = DepthwiseTaps(geometry, y: y, x: x)
    let isEmpty = taps.rows.isEmpty || taps.columns.isEmpty
    let isInside = taps.rows.count &* taps.columns.count == geometry.height &* geometry.width
    let first = taps.rows.lowerBound &* geometry.width &+ taps.columns.lowerBound
    let walk = TapWalk(
      rows: isEmpty ? 0 : taps.rows.count, columns: taps.columns.count, channels: geometry.channels,
      pixel: geometry.dilationWidth &* geometry.channels,
      row: (geometry.dilationHeight &* geometry.inputWidth &- taps.columns.count &* geometry.dilationWidth)
        &* geometry.channels,
      weightRow: (geometry.width &- taps.columns.count) &* geometry.channels)
    pixelChannels(
      image.dropping(isEmpty ? 0 : taps.firstPixel &* geometry.channels),
      weights.dropping(isEmpty ? 0 : first &* geometry.channels), walk, isInside, output)
  }

  /// All channels of one output pixel.
  @inline(never)
  private func pixelChannels(
    _ image: Elements<Int8>, _ weights: Elements<Int8>, _ walk: TapWalk, _ isInside: Bool,
    _ output: MutableElements<Int8>
  ) {
    var channel = 0
    while channel &+ 8 <= walk.channels {
      eight(image, weights, walk, isInside, output, channel, 8)
      channel = channel &+ 8
    }
    if channel < walk.channels {
      eight(image, weights, walk, isInside, output, channel, UInt32(truncatingIfNeeded: walk.channels &- channel))
    }
  }

  /// Up to eight channels. The padding reads as the zero point: taken off every element inside, it is
  /// left to be added once for all weights of the window.
  @inline(__always)
  private func eight(
    _ image: Elements<Int8>, _ weights: Elements<Int8>, _ walk: TapWalk, _ isInside: Bool,
    _ output: MutableElements<Int8>, _ channel: Int, _ count: UInt32
  ) {
    let lanes = abacus_half_lanes(count)
    let zero = isInside ? 0 : inputZeroPoint
    var sums = walk.sums(
      image.dropping(channel), weights.dropping(channel), zero: Int16(truncatingIfNeeded: zero), lanes)
    if !isInside { sums.add(windowWeights(channel, lanes), times: zero) }
    let even = channels.dropping(2 &* channel)
    let values = abacus_interleave(
      finish(sums.even, even, abacus_word_lanes((count &+ 1) / 2)),
      finish(sums.odd, even.dropping(count > 1 ? 2 : 0), abacus_word_lanes(count / 2)))
    output.dropping(channel).store(values, lanes)
  }

  /// Every other of eight channels.
  @inline(__always)
  private func finish(_ sums: SIMD4<Int32>, _ channels: Elements<Int32>, _ lanes: UInt16) -> SIMD4<Int32> {
    let places = SIMD4<Int32>(0, 16, 32, 48)
    return stage.saturateHigh(
      sums &+ channels.words(at: places, lanes), multipliers: channels.dropping(1).words(at: places, lanes))
  }

  /// Sums of all weights of the window.
  @inline(__always)
  private func windowWeights(_ channel: Int, _ lanes: UInt16) -> HalfSums {
    var sums = HalfSums()
    var w = weights.dropping(channel)
    for _ in 0..<geometry.height &* geometry.width {
      sums.add(w.halves(lanes))
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

/// A rectangle of taps, and how far it is from one to the next, in elements.
private struct TapWalk {
  let rows: Int
  let columns: Int
  /// From the weights of one tap to those of the next.
  let channels: Int
  let pixel: Int
  /// From behind the last tap of a row to the first of the next.
  let row: Int
  let weightRow: Int

  /// Sums of products of eight channels. An element less its zero point has nine bits, so that its
  /// product with a weight still fits a halfword.
  @inline(__always)
  func sums(_ image: Elements<Int8>, _ weights: Elements<Int8>, zero: Int16, _ lanes: UInt16) -> HalfSums {
    var sums = HalfSums()
    var (p, w) = (image, weights)
    for _ in 0..<rows {
      for _ in 0..<columns {
        sums.add((p.halves(lanes) &- SIMD8(repeating: zero)) &* w.halves(lanes))
        (p, w) = (p.skipping(pixel), w.skipping(channels))
      }
      (p, w) = (p.skipping(row), w.skipping(weightRow))
    }
    return sums
  }
}
#endif
