import AbacusFormat

/// How a convolution or pool goes over its images: where in memory it reads and writes, and when. A unit is
/// a row of output pixels, of one image after the other; an element is a byte.
struct WindowSweep {
  /// Rows, columns and channels of one image.
  struct Image {
    let height: Int
    let width: Int
    let channels: Int

    init(_ shape: [Int]) { (height, width, channels) = (shape[1], shape[2], shape[3]) }

    var rowBytes: Int { width * channels }
  }

  let window: Window
  let input: Image
  let output: Image
  let imageCount: Int
  let opcode: Opcode

  /// Nil for operators without a window.
  init?(_ step: Program.Step, in program: Program) {
    switch step.opcode {
    case .convolution, .depthwiseConvolution: window = step.parameters(ConvolutionParameters.self).window
    case .maxPool, .averagePool: window = step.parameters(PoolParameters.self).window
    default: return nil
    }
    guard let input = step.operands[Operands.input], let output = step.operands[Operands.output] else { return nil }
    self.input = Image(program.tensors[input].shape)
    self.output = Image(program.tensors[output].shape)
    imageCount = program.tensors[output].shape[0]
    opcode = step.opcode
  }

  var units: Int { imageCount * output.height }

  /// Rows of the whole input that a unit reads; empty where its windows lie in the padding.
  func rows(of unit: Int) -> Range<Int> {
    let first = unit % output.height * Int(window.strideHeight) - Int(window.padTop)
    let end = first + (Int(window.height) - 1) * Int(window.dilationHeight) + 1
    let start = unit / output.height * input.height
    let low = min(max(first, 0), input.height)
    return start + low..<start + max(low, min(end, input.height))
  }

  /// Whole rows of the input that units read.
  func bytes(readBy units: Range<Int>) -> Range<Int> {
    let rows = units.map(rows).filter { !$0.isEmpty }
    guard let first = rows.map(\.lowerBound).min(), let end = rows.map(\.upperBound).max() else { return 0..<0 }
    return first * input.rowBytes..<end * input.rowBytes
  }

  /// Bytes of the input from the first to the last that the window of an output pixel looks at.
  func bytes(readBy pixel: Int) -> Range<Int> {
    let rows = rows(of: pixel / output.width)
    if rows.isEmpty { return 0..<0 }
    let first = pixel % output.width * Int(window.strideWidth) - Int(window.padLeft)
    let last = first + (Int(window.width) - 1) * Int(window.dilationWidth)
    let columns = min(max(first, 0), input.width - 1)...min(max(last, 0), input.width - 1)
    return rows.lowerBound * input.rowBytes + columns.lowerBound * input.channels
      ..< (rows.upperBound - 1) * input.rowBytes + (columns.upperBound + 1) * input.channels
  }

  /// The first byte of the input that the window of an output pixel looks at, or a byte before it.
  private func firstByte(of pixel: Int) -> Int {
    let column = pixel % output.width * Int(window.strideWidth) - Int(window.padLeft)
    let row = rows(of: pixel / output.width).lowerBound
    return row * input.rowBytes + min(max(column, 0), input.width - 1) * input.channels
  }
}

// MARK: Distances

extension WindowSweep {
  /// Output pixels whose windows a kernel may still read while it writes another, besides those of the row
  /// before.
  static let pixelsBehind = 8
  /// Larger images never share memory: deciding that takes a step for each pixel.
  static let maximumPixels = 1 << 22

  /// How far below its input the output may begin although both are alive: kernels make rows in ascending
  /// order, and while they write pixels of a row they may still read what the row before needs, or the
  /// last few pixels. Nil where the output must lie elsewhere.
  var distanceBelow: Distance? {
    let pixels = units * output.width
    guard pixels <= Self.maximumPixels, let multiple = multipleBelow else { return nil }
    // What is still read from each pixel on.
    var needed = (0..<pixels).map(firstByte)
    for pixel in needed.indices.dropLast().reversed() { needed[pixel] = min(needed[pixel], needed[pixel + 1]) }
    let bytes = (0..<pixels).map { pixel in
      let behind = min(pixel - Self.pixelsBehind, (pixel / output.width - 1) * output.width)
      return (pixel + 1) * output.channels - needed[max(behind, 0)]
    }
    return Distance(atLeast: bytes.max() ?? 0, multipleOf: multiple)
  }

  /// Depthwise convolutions along lines (``DepthwiseLines``) finish one channel after the other: they
  /// overwrite nothing but that channel's elements if pixels lie on pixels. Lines that are columns of the
  /// image keep rows on rows besides.
  var multipleBelow: Int? {
    guard opcode == .depthwiseConvolution,
      DepthwiseLines.suits(window, outputHeight: UInt32(output.height), outputWidth: UInt32(output.width))
    else { return 1 }
    guard input.channels == output.channels else { return 1 }
    if output.height <= output.width { return input.channels }
    return input.rowBytes == output.rowBytes ? input.rowBytes : nil
  }

  /// Whether an output that overlaps its input in this distance is safe from an order of channels.
  func keepsChannelsApart(below distance: Int?) -> Bool {
    guard let distance, distance >= 0 else { return true }
    return multipleBelow.map { distance % $0 == 0 } ?? false
  }

  /// Units that one call makes where they run in descending order: so many that a call costs next to
  /// nothing beside its work. Nil where calls of few rows are slower.
  func unitsDescending(_ step: Program.Step) -> Int? {
    guard opcode == .convolution else { return nil }
    let work = max(Int(step.multiplyAccumulates) / step.units, 1)
    let units = (Self.workOfCall + work - 1) / work
    return min(max((units + 1) / Self.pixelsOfLoop * Self.pixelsOfLoop, Self.pixelsOfLoop), step.units)
  }

  /// Pixels that the loops for weights in pairs make at a time.
  private static let pixelsOfLoop = 3

  /// Multiply-accumulates beside which the beginning of a call does not count.
  private static let workOfCall = 50_000

  /// How far above its input the output may begin, where the last units come first, so many a call.
  func distanceAbove(unitsOfCall: Int) -> Distance {
    let bytes = stride(from: units, to: 0, by: -unitsOfCall).map { end in
      rows(of: end - 1).upperBound * input.rowBytes - max(end - unitsOfCall, 0) * output.rowBytes
    }
    return Distance(atLeast: bytes.max() ?? 0, multipleOf: 1)
  }
}

extension Program.Step {
  /// The parameter record.
  func parameters<Record: BitwiseCopyable>(_: Record.Type) -> Record {
    parameters.withUnsafeBytes { $0.loadUnaligned(as: Record.self) }
  }
}
