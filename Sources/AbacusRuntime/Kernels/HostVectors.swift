#if arch(x86_64) || arch(arm64)
import AbacusFormat
import CAbacus

// Where the inner loops of hosts begin: views become the pointers of a C record, and the module of the
// session's vector instructions goes on.

#if arch(x86_64)
extension VectorInstructions {
  func multiplyRows(_ product: UnsafePointer<abacus_row_product>) {
    if self == .vnni { unsafe abacus_vnni_row_product(product) } else { unsafe abacus_avx2_row_product(product) }
  }

  func multiplyBlocks(_ product: UnsafePointer<abacus_row_product>) {
    if self == .vnni { unsafe abacus_vnni_block_product(product) } else { unsafe abacus_avx2_block_product(product) }
  }

  func addBytes(_ row: UnsafePointer<abacus_row_sums>) {
    if self == .vnni { unsafe abacus_vnni_sums_of_bytes(row) } else { unsafe abacus_avx2_sums_of_bytes(row) }
  }

  func addHalves(_ row: UnsafePointer<abacus_row_sums>) {
    if self == .vnni { unsafe abacus_vnni_sums_of_halves(row) } else { unsafe abacus_avx2_sums_of_halves(row) }
  }

  func convolve(_ row: UnsafePointer<abacus_depthwise_row>) {
    if self == .vnni { unsafe abacus_vnni_depthwise_row(row) } else { unsafe abacus_avx2_depthwise_row(row) }
  }

  func add(_ sum: UnsafePointer<abacus_weighted_sum>) {
    if self == .vnni { unsafe abacus_vnni_weighted_sum(sum) } else { unsafe abacus_avx2_weighted_sum(sum) }
  }

  func gather(_ windows: UnsafePointer<abacus_window_gather>) {
    if self == .vnni { unsafe abacus_vnni_gather(windows) } else { unsafe abacus_avx2_gather(windows) }
  }

  func findGreatest(_ window: UnsafePointer<abacus_pool_window>) {
    if self == .vnni { unsafe abacus_vnni_greatest(window) } else { unsafe abacus_avx2_greatest(window) }
  }

  func average(_ window: UnsafePointer<abacus_pool_window>) {
    if self == .vnni { unsafe abacus_vnni_average(window) } else { unsafe abacus_avx2_average(window) }
  }
}
#else
extension VectorInstructions {
  func multiplyRows(_ product: UnsafePointer<abacus_row_product>) { unsafe abacus_sdot_row_product(product) }
  func multiplyBlocks(_ product: UnsafePointer<abacus_row_product>) { unsafe abacus_sdot_block_product(product) }
  func addBytes(_ row: UnsafePointer<abacus_row_sums>) { unsafe abacus_sdot_sums_of_bytes(row) }
  func addHalves(_ row: UnsafePointer<abacus_row_sums>) { unsafe abacus_sdot_sums_of_halves(row) }
  func convolve(_ row: UnsafePointer<abacus_depthwise_row>) { unsafe abacus_sdot_depthwise_row(row) }
  func add(_ sum: UnsafePointer<abacus_weighted_sum>) { unsafe abacus_sdot_weighted_sum(sum) }
  func gather(_ windows: UnsafePointer<abacus_window_gather>) { unsafe abacus_sdot_gather(windows) }
  func findGreatest(_ window: UnsafePointer<abacus_pool_window>) { unsafe abacus_sdot_greatest(window) }
  func average(_ window: UnsafePointer<abacus_pool_window>) { unsafe abacus_sdot_average(window) }
}
#endif

extension Invocation {
  /// Vector loops take an operator that is requantised with one shift above 32, without a zero point of
  /// weights, on CPUs that have such loops.
  @inline(__always)
  func hasVectors(_ stage: OutputStage, weightZeroPoint: Int32) -> Bool {
    vectors != .common && stage.shift > 32 && weightZeroPoint == 0 && !has(Operands.shifts)
  }
}

/// Rows times constant weights, in rows or in blocks of 16 channels by 4 columns.
@safe
struct VectorRows {
  /// A part of a row is multiplied as so many elements.
  let granule: Int
  private let vectors: VectorInstructions
  private var product: abacus_row_product

  /// Nil where the loops for vectors do not apply.
  init?(_ call: Invocation, _ stage: OutputStage, weightZeroPoint: Int32) {
    let record = call.tensor(Operands.weights)
    let isInQuads =
      record.layout == Layout.blocked.rawValue && record.blockRows == QuadLayout.rows
      && record.blockColumns == QuadLayout.columns
    guard call.hasVectors(stage, weightZeroPoint: weightZeroPoint),
      isInQuads || record.layout == Layout.plain.rawValue
    else { return nil }
    vectors = call.vectors
    granule = isInQuads ? Int(QuadLayout.columns) : 1
    let weights: Elements<Int8> = call.elements(Operands.weights)
    let channels: Elements<Int32> = call.elements(Operands.channels)
    let output: MutableElements<Int8> = call.mutableElements(Operands.output)
    unsafe product = abacus_row_product(
      rows: weights.base, row_count: 0, row_stride: 0, part_count: 1, part_length: 0, part_stride: 0,
      weights: weights.base, channels: channels.base, channel_count: record.extent(0), output: output.base,
      output_stride: record.extent(0), shift: stage.shift, zero_point: stage.zeroPoint, low: stage.low, high: stage.high)
  }

  /// Rows of `depth` elements each.
  ///
  /// - Parameter outputStride: rows of the output from one to the next.
  @inline(__always)
  mutating func multiply(
    _ rows: Elements<Int8>, count: Int, depth: Int, stride: Int, to output: MutableElements<Int8>, outputStride: Int = 1
  ) {
    multiply(
      rows, count: count, stride: stride, parts: 1, partLength: depth, partStride: 0, to: output,
      outputStride: outputStride)
  }

  /// - Parameters:
  ///   - stride: elements from one row to the next.
  ///   - parts: a row is so many parts of `partLength` elements, `partStride` apart.
  @inline(__always)
  mutating func multiply(
    _ rows: Elements<Int8>, count: Int, stride: Int, parts: Int, partLength: Int, partStride: Int,
    to output: MutableElements<Int8>, outputStride: Int = 1
  ) {
    unsafe product.rows = rows.base
    unsafe product.row_count = count
    unsafe product.row_stride = stride
    unsafe product.part_count = parts
    unsafe product.part_length = partLength
    unsafe product.part_stride = partStride
    unsafe product.output = output.base
    unsafe product.output_stride = product.channel_count &* outputStride
    if granule == 1 {
      unsafe vectors.multiplyRows(&product)
    } else {
      unsafe vectors.multiplyBlocks(&product)
    }
  }
}

/// Elements of rows whose sums of products vectors have loops for.
protocol VectorElement: ProductElement {
  /// Sums of products of a row and up to 16 rows of weights, which follow each other.
  static func add(
    _ vectors: VectorInstructions, _ x: Elements<Self>, _ weights: Elements<Int8>, depth: Int, channels: Int,
    to sums: inout InlineArray<16, Int32>)
}

extension Int8: VectorElement {
  @inline(__always)
  static func add(
    _ vectors: VectorInstructions, _ x: Elements<Int8>, _ weights: Elements<Int8>, depth: Int, channels: Int,
    to sums: inout InlineArray<16, Int32>
  ) {
    unsafe withSums(&sums) { sums in
      var row = unsafe abacus_row_sums(
        bytes: x.base, halves: UnsafeRawPointer(x.base).assumingMemoryBound(to: Int16.self), weights: weights.base,
        depth: depth, channel_count: channels, sums: sums)
      unsafe vectors.addBytes(&row)
    }
  }
}

extension Int16: VectorElement {
  @inline(__always)
  static func add(
    _ vectors: VectorInstructions, _ x: Elements<Int16>, _ weights: Elements<Int8>, depth: Int, channels: Int,
    to sums: inout InlineArray<16, Int32>
  ) {
    unsafe withSums(&sums) { sums in
      var row = unsafe abacus_row_sums(
        bytes: weights.base, halves: x.base, weights: weights.base, depth: depth, channel_count: channels, sums: sums)
      unsafe vectors.addHalves(&row)
    }
  }
}

@inline(__always)
private func withSums(_ sums: inout InlineArray<16, Int32>, _ body: (UnsafeMutablePointer<Int32>) -> Void) {
  unsafe withUnsafeMutableBytes(of: &sums) { bytes in
    unsafe body(bytes.baseAddress!.assumingMemoryBound(to: Int32.self))
  }
}

/// Windows that are gathered into scratch, as many as there is room for.
@safe
struct GatheredWindows {
  private let vectors: VectorInstructions
  private let scratch: MutableElements<Int8>
  private let depth: Int
  private let room: Int
  private let geometry: WindowGeometry
  private let channels: Int
  private var gather: abacus_window_gather

  init(_ call: Invocation, _ geometry: WindowGeometry, depth: Int, granule: Int, fill: Int8) {
    vectors = call.vectors
    scratch = call.mutableElements(Operands.scratch)
    let stride = (depth &+ 3) & ~3
    self.depth = granule == 1 ? depth : stride
    room = min(call.storedCount(Operands.scratch, Int8.self) / stride, QuadLayout.windows)
    self.geometry = geometry
    channels = call.tensor(Operands.output).extent(3)
    unsafe gather = abacus_window_gather(
      image: scratch.base, image_height: geometry.inputHeight, image_width: geometry.inputWidth,
      channel_count: geometry.channels, height: geometry.height, width: geometry.width, first_row: 0,
      row_step: geometry.dilationHeight, first_column: 0, column_step: geometry.dilationWidth,
      pixel_step: geometry.strideWidth, pixel_count: 0, padding: fill, patches: scratch.base, patch_stride: stride)
  }

  /// Some pixels of an output row.
  mutating func multiply(
    _ image: Elements<Int8>, y: Int, _ pixels: Range<Int>, _ rows: inout VectorRows, _ output: MutableElements<Int8>
  ) {
    var x = pixels.lowerBound
    while x < pixels.upperBound {
      let count = min(room, pixels.upperBound &- x)
      multiply(image, y: y, x: x, count: count, step: 1, &rows, output)
      x = x &+ count
    }
  }

  /// The first pixel of an output row and the last.
  mutating func multiplyEnds(
    _ image: Elements<Int8>, y: Int, _ rows: inout VectorRows, _ output: MutableElements<Int8>
  ) {
    multiply(image, y: y, x: 0, count: 2, step: geometry.outputWidth &- 1, &rows, output)
  }

  private mutating func multiply(
    _ image: Elements<Int8>, y: Int, x: Int, count: Int, step: Int, _ rows: inout VectorRows,
    _ output: MutableElements<Int8>
  ) {
    unsafe gather.image = image.base
    unsafe gather.first_row = geometry.inputRow(y, 0)
    unsafe gather.first_column = geometry.inputColumn(x, 0)
    unsafe gather.pixel_step = geometry.strideWidth &* step
    unsafe gather.pixel_count = count
    unsafe vectors.gather(&gather)
    unsafe rows.multiply(
      scratch.readOnly, count: count, depth: depth, stride: gather.patch_stride, to: output.dropping(x &* channels),
      outputStride: step)
  }
}

/// The lines of an image under the windows of one output row, with their padding: a copy in scratch in which
/// all windows of the row are.
@safe
struct PaddedLines {
  private let geometry: WindowGeometry
  private let vectors: VectorInstructions
  private let scratch: MutableElements<Int8>
  private var gather: abacus_window_gather

  /// Nil where there is no room for them, or where neighbouring taps are no neighbours in memory.
  init?(_ call: Invocation, _ geometry: WindowGeometry, fill: Int8) {
    let columns = geometry.paddedWidth
    guard geometry.dilationWidth == 1,
      geometry.height &* columns &* geometry.channels <= call.storedCount(Operands.scratch, Int8.self)
    else { return nil }
    self.geometry = geometry
    vectors = call.vectors
    scratch = call.mutableElements(Operands.scratch)
    // To the loop that gathers windows they are one window, as wide as all together.
    unsafe gather = abacus_window_gather(
      image: scratch.base, image_height: geometry.inputHeight, image_width: geometry.inputWidth,
      channel_count: geometry.channels, height: geometry.height, width: columns, first_row: 0,
      row_step: geometry.dilationHeight, first_column: 0 &- geometry.padLeft, column_step: 1, pixel_step: 0,
      pixel_count: 1, padding: fill, patches: scratch.base, patch_stride: 0)
  }

  /// All pixels of an output row.
  mutating func multiply(
    _ image: Elements<Int8>, y: Int, _ rows: inout VectorRows, _ output: MutableElements<Int8>
  ) {
    unsafe gather.image = image.base
    unsafe gather.first_row = geometry.inputRow(y, 0)
    unsafe vectors.gather(&gather)
    rows.multiply(
      scratch.readOnly, count: geometry.outputWidth, stride: geometry.strideWidth &* geometry.channels,
      parts: geometry.height, partLength: geometry.width &* geometry.channels,
      partStride: geometry.paddedWidth &* geometry.channels, to: output)
  }
}

/// Executes depthwise convolutions with one filter a channel.
///
/// - Returns: false where the loops for vectors do not apply.
func convolveDepthwiseVectors(_ call: Invocation) -> Bool {
  let parameters = call.parameters(ConvolutionParameters.self)
  let geometry = WindowGeometry(
    parameters.window, input: call.tensor(Operands.input), output: call.tensor(Operands.output))
  guard call.hasVectors(parameters.stage, weightZeroPoint: parameters.weightZeroPoint),
    geometry.channels == call.tensor(Operands.output).extent(3)
  else { return false }
  let input: Elements<Int8> = call.elements(Operands.input)
  let weights: Elements<Int8> = call.elements(Operands.weights)
  let channels: Elements<Int32> = call.elements(Operands.channels)
  let output: MutableElements<Int8> = call.mutableElements(Operands.output)
  let stage = parameters.stage
  let vectors = call.vectors
  let padding = UInt64(UInt8(truncatingIfNeeded: parameters.inputZeroPoint)) &* 0x0101_0101_0101_0101
  var row = unsafe abacus_depthwise_row(
    image: input.base, image_width: geometry.inputWidth, channel_count: geometry.channels, height: geometry.height,
    width: geometry.width, first_row: 0, row_step: geometry.dilationHeight, row_count: geometry.inputHeight,
    first_column: geometry.inputColumn(0, 0), column_step: geometry.dilationWidth, pixel_step: geometry.strideWidth,
    pixel_count: geometry.outputWidth, padding: (padding, padding, padding, padding), weights: weights.base,
    channels: channels.base, output: output.base, shift: stage.shift, zero_point: stage.zeroPoint, low: stage.low,
    high: stage.high)
  for unit in call.units {
    let image = input.dropping(unit / geometry.outputHeight &* geometry.imageElements)
    unsafe row.image = image.base
    unsafe row.first_row = geometry.inputRow(unit % geometry.outputHeight, 0)
    unsafe row.output = output.dropping(unit &* geometry.outputWidth &* geometry.channels).base
    unsafe vectors.convolve(&row)
  }
  return true
}

extension DenseAdd {
  /// `run` in vectors.
  func run(
    _ vectors: VectorInstructions, _ a: Elements<Int8>, _ b: Elements<Int8>, _ output: MutableElements<Int8>, _ count: Int
  ) {
    var sum = unsafe abacus_weighted_sum(
      a: a.base, b: b.base, output: output.base, count: count, multiplier_a: multiplierA, multiplier_b: multiplierB,
      scale: scale, summand: summand, shift: shift, low: low, high: high)
    unsafe vectors.add(&sum)
  }
}

/// A window of pixels, clipped to its image.
@safe
struct PixelVectors {
  private let vectors: VectorInstructions
  private var window: abacus_pool_window

  init(
    _ vectors: VectorInstructions, _ geometry: WindowGeometry, _ taps: PoolTaps, _ image: Elements<Int8>,
    _ stage: OutputStage, _ output: MutableElements<Int8>
  ) {
    self.vectors = vectors
    // A window that lies wholly in the padding has no first pixel.
    let first = taps.count == 0 ? 0 : taps.rows.lowerBound &* geometry.inputWidth &+ taps.columns.lowerBound
    unsafe window = abacus_pool_window(
      pixels: image.dropping(first &* geometry.channels).base, height: taps.rows.count, width: taps.columns.count,
      row_stride: geometry.inputWidth &* geometry.channels, channel_count: geometry.channels, output: output.base,
      offset: 0, multiplier: 0, shift: stage.shift, zero_point: stage.zeroPoint, low: stage.low, high: stage.high)
  }

  /// Sums, less an offset, requantised.
  mutating func average(offset: Int32, multiplier: Int32) {
    unsafe window.offset = offset
    unsafe window.multiplier = multiplier
    unsafe vectors.average(&window)
  }

  /// The greatest elements, clamped.
  mutating func findGreatest() { unsafe vectors.findGreatest(&window) }
}
#endif
