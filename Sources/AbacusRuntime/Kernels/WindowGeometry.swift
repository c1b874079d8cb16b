import AbacusFormat

/// Where a sliding window lies over an NHWC image; shared by convolutions and pools.
struct WindowGeometry {
  let height: Int
  let width: Int
  let strideHeight: Int
  let strideWidth: Int
  let dilationHeight: Int
  let dilationWidth: Int
  let padTop: Int
  let padLeft: Int
  let inputHeight: Int
  let inputWidth: Int
  let channels: Int
  let outputHeight: Int
  let outputWidth: Int

  init(_ window: Window, input: Tensor, output: Tensor) {
    height = Int(truncatingIfNeeded: window.height)
    width = Int(truncatingIfNeeded: window.width)
    strideHeight = Int(truncatingIfNeeded: window.strideHeight)
    strideWidth = Int(truncatingIfNeeded: window.strideWidth)
    dilationHeight = Int(truncatingIfNeeded: window.dilationHeight)
    dilationWidth = Int(truncatingIfNeeded: window.dilationWidth)
    padTop = Int(truncatingIfNeeded: window.padTop)
    padLeft = Int(truncatingIfNeeded: window.padLeft)
    inputHeight = input.extent(1)
    inputWidth = input.extent(2)
    channels = input.extent(3)
    outputHeight = output.extent(1)
    outputWidth = output.extent(2)
  }

  /// Elements of one input image.
  @inline(__always)
  var imageElements: Int { inputHeight &* inputWidth &* channels }

  /// One tap, stride 1, no padding: the window of an output pixel is the input pixel.
  @inline(__always)
  var isPointwise: Bool {
    height == 1 && width == 1 && strideHeight == 1 && strideWidth == 1
      && inputHeight == outputHeight && inputWidth == outputWidth && padTop == 0 && padLeft == 0
  }

  /// Input row under tap row `tap` of the window of output row `y`; may lie outside the image.
  @inline(__always)
  func inputRow(_ y: Int, _ tap: Int) -> Int {
    y &* strideHeight &- padTop &+ tap &* dilationHeight
  }

  /// Input column under tap column `tap` of the window of output column `x`.
  @inline(__always)
  func inputColumn(_ x: Int, _ tap: Int) -> Int {
    x &* strideWidth &- padLeft &+ tap &* dilationWidth
  }

  /// Output columns whose windows lie inside the image from left to right.
  var columnsInside: Range<Int> {
    let reach = (width &- 1) &* dilationWidth
    var first = 0
    while first < outputWidth && inputColumn(first, 0) < 0 { first = first &+ 1 }
    var end = outputWidth
    while end > first && inputColumn(end &- 1, 0) &+ reach >= inputWidth { end = end &- 1 }
    return first..<end
  }

  /// Columns from the first tap of an output row to the last, padding among them.
  var paddedWidth: Int { (outputWidth &- 1) &* strideWidth &+ (width &- 1) &* dilationWidth &+ 1 }

  /// The windows of an output row lie inside the image from top to bottom.
  @inline(__always)
  func isInsideRows(_ y: Int) -> Bool {
    inputRow(y, 0) >= 0 && inputRow(y, height &- 1) < inputHeight
  }

  /// Copies the window of output pixel (y, x), `depth` channels from `firstChannel` on, into
  /// `patch` [height, width, depth]; padding becomes `fill`.
  @inline(never)
  func gather(
    _ image: Elements<Int8>, y: Int, x: Int, _ firstChannel: Int, _ depth: Int, fill: Int8,
    into patch: MutableElements<Int8>
  ) {
    // Neighbouring taps are neighbours in memory where the window is dense and all channels count.
    let contiguous = dilationWidth == 1 && depth == channels
    let left = inputColumn(x, 0)
    let isInside = left >= 0 && left &+ (width &- 1) &* dilationWidth < inputWidth
    var at = 0
    var row = inputRow(y, 0)
    let end = height &* width &* depth
    while at < end {
      let rowEnd = at &+ width &* depth
      if row < 0 || row >= inputHeight {
        set(patch, at, width &* depth, fill)
        at = rowEnd
      } else if contiguous && isInside {
        copy(image, (row &* inputWidth &+ left) &* channels, patch, at, width &* depth)
        at = rowEnd
      }
      var column = left
      while at < rowEnd {
        if column < 0 || column >= inputWidth {
          set(patch, at, depth, fill)
        } else {
          copy(image, (row &* inputWidth &+ column) &* channels &+ firstChannel, patch, at, depth)
        }
        at = at &+ depth
        column = column &+ dilationWidth
      }
      row = row &+ dilationHeight
    }
  }

  @inline(__always)
  private func set(_ target: MutableElements<Int8>, _ start: Int, _ count: Int, _ value: Int8) {
    #if ABACUS_MVE
    target.dropping(start).fill(value, count)
    #else
    for i in 0..<count { target[start &+ i] = value }
    #endif
  }

  @inline(__always)
  private func copy(
    _ source: Elements<Int8>, _ from: Int, _ target: MutableElements<Int8>, _ to: Int, _ count: Int
  ) {
    #if ABACUS_MVE
    target.dropping(to).copy(source.dropping(from), count)
    #else
    var i = 0
    #if ABACUS_DSP
    while i &+ 4 <= count {
      target.set(word: source.word(from &+ i), at: to &+ i)
      i = i &+ 4
    }
    #endif
    while i < count {
      target[to &+ i] = source[from &+ i]
      i = i &+ 1
    }
    #endif
  }
}
