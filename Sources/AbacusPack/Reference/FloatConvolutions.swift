// Convolutions. Whole ones copy the values under each window into a row and multiply rows by the
// weights; depthwise ones are summed directly.

extension FloatKernelBuilder {
  func convolution(
    _ window: WindowAttributes, groups: Int, _ activation: Activation
  ) throws -> FloatKernel {
    let (input, weights, result) = (try shape(0), try shape(1), output.shape)
    try window.check(input: input, output: result, origin: node.origin)
    guard groups >= 1, weights.count == 4, weights[0] == result[3], weights[0] % groups == 0,
      weights[3] * groups == input[3], Array(weights[1...2]) == window.size
    else {
      throw malformed(
        "weights \(weights) [out, height, width, in / groups] and \(groups) groups do not take "
          + "\(input) to \(result)")
    }
    try checkOptional(2, count: result[3], "bias")
    let hasBias = hasInput(2)
    let rows = WindowRows(window, input: input, output: result, channels: weights[3])
    let channels = weights[0] / groups
    let positions = result[0] * result[1] * result[2]
    let product = RowProduct(
      rows: positions, columns: channels, depth: rows.length, strideA: rows.length,
      strideB: rows.length, strideC: result[3])
    // A window of one element that visits every element: the image is its own rows.
    let isPointwise =
      groups == 1 && window.size == [1, 1] && window.strides == [1, 1]
      && window.padBefore == [0, 0] && window.padAfter == [0, 0]
    return { inputs in
      var values = [Float](count: positions * result[3]) { target in
        inputs[0].withUnsafeBufferPointer { image in
          inputs[1].withUnsafeBufferPointer { weights in
            let (image, weights) = (image.baseAddress!, weights.baseAddress!)
            if isPointwise { return product.run(image, weights, into: target) }
            for group in 0..<groups {
              rows.multiply(
                image + group * rows.channels, weights + group * channels * rows.length, product,
                into: target + group * channels)
            }
          }
        }
      }
      if hasBias { addBias(inputs[2], to: &values) }
      activation.apply(to: &values)
      return values
    }
  }

  func depthwiseConvolution(
    _ window: WindowAttributes, multiplier: Int, _ activation: Activation
  ) throws -> FloatKernel {
    let (input, weights, result) = (try shape(0), try shape(1), output.shape)
    try window.check(input: input, output: result, origin: node.origin)
    let (depth, channels) = (input[3], result[3])
    guard multiplier >= 1, weights == [1] + window.size + [channels],
      depth.multipliedReportingOverflow(by: multiplier) == (channels, false)
    else {
      throw malformed(
        "weights \(weights) [1, height, width, in * multiplier] and multiplier \(multiplier) do not "
          + "take \(input) to \(result)")
    }
    try checkOptional(2, count: channels, "bias")
    let hasBias = hasInput(2)
    let geometry = WindowTaps(window, input: input, output: result)
    return { inputs in
      var values = [Float](count: result.reduce(1, *)) { target in
        inputs[0].withUnsafeBufferPointer { image in
          inputs[1].withUnsafeBufferPointer { weights in
            geometry.forEachPosition { position, taps in
              let sums = target + position * channels
              sums.update(repeating: 0, count: channels)
              for tap in taps {
                let pixel = image.baseAddress! + tap.pixel * depth
                let row = weights.baseAddress! + tap.index * channels
                if multiplier == 1 {
                  for channel in 0..<channels { sums[channel] += pixel[channel] * row[channel] }
                } else {
                  for channel in 0..<channels {
                    sums[channel] += pixel[channel / multiplier] * row[channel]
                  }
                }
              }
            }
          }
        }
      }
      if hasBias { addBias(inputs[2], to: &values) }
      activation.apply(to: &values)
      return values
    }
  }
}

/// Which elements of the image lie under the window at each position of the output (NHWC).
struct WindowTaps: Sendable {
  let window: WindowAttributes
  let input: [Int]
  let output: [Int]

  init(_ window: WindowAttributes, input: [Int], output: [Int]) {
    self.window = window
    self.input = input
    self.output = output
  }

  struct Tap {
    /// Which element of the window, row-major.
    var index: Int
    /// Which element of the image, channels not counted.
    var pixel: Int
  }

  var positions: Int { output[0] * output[1] * output[2] }

  /// The taps that lie inside the image, in order; padding has none.
  func taps(at position: Int, into taps: inout [Tap]) {
    taps.removeAll(keepingCapacity: true)
    let (row, column) = (position / output[2] % output[1], position % output[2])
    let image = position / (output[1] * output[2]) * input[1]
    let top = row * window.strides[0] - window.padBefore[0]
    let left = column * window.strides[1] - window.padBefore[1]
    let columns = elementsInside(1, from: left)
    for i in elementsInside(0, from: top) {
      let line = (image + top + i * window.dilations[0]) * input[2] + left
      for j in columns {
        taps.append(Tap(index: i * window.size[1] + j, pixel: line + j * window.dilations[1]))
      }
    }
  }

  /// Elements of the window along one axis that lie inside the image, where its first one lies at
  /// `start`.
  private func elementsInside(_ axis: Int, from start: Int) -> Range<Int> {
    let (extent, dilation) = (input[axis + 1], window.dilations[axis])
    let first = start < 0 ? (dilation - 1 - start) / dilation : 0
    let end = start < extent ? min((extent - start + dilation - 1) / dilation, window.size[axis]) : 0
    return first..<max(first, end)
  }

  func forEachPosition(_ body: (_ position: Int, _ taps: [Tap]) -> Void) {
    var inside: [Tap] = []
    for position in 0..<positions {
      taps(at: position, into: &inside)
      body(position, inside)
    }
  }
}

/// The values under a window, copied side by side: row-major weights [out, length] multiply them.
private struct WindowRows: Sendable {
  let geometry: WindowTaps
  /// Channels of one group.
  let channels: Int
  let length: Int

  /// Elements of the rows that are made at a time: they stay in cache until they are multiplied.
  private static let blockElements = 1 << 16

  init(_ window: WindowAttributes, input: [Int], output: [Int], channels: Int) {
    geometry = WindowTaps(window, input: input, output: output)
    self.channels = channels
    length = window.size[0] * window.size[1] * channels
  }

  /// - Parameters:
  ///   - image: the first channel of the group in the first element.
  ///   - whole: the product for all positions at once.
  func multiply(
    _ image: UnsafePointer<Float>, _ weights: UnsafePointer<Float>, _ whole: RowProduct,
    into target: UnsafeMutablePointer<Float>
  ) {
    let block = max(Self.blockElements / length, 1)
    var rows = [Float](repeating: 0, count: block * length)
    var taps: [WindowTaps.Tap] = []
    for start in stride(from: 0, to: whole.rows, by: block) {
      var product = whole
      product.rows = min(block, whole.rows - start)
      rows.withUnsafeMutableBufferPointer { rows in
        let rows = rows.baseAddress!
        rows.update(repeating: 0, count: product.rows * length)
        for row in 0..<product.rows {
          geometry.taps(at: start + row, into: &taps)
          for tap in taps {
            (rows + row * length + tap.index * channels)
              .update(from: image + tap.pixel * geometry.input[3], count: channels)
          }
        }
        product.run(rows, weights, into: target + start * whole.strideC)
      }
    }
  }
}
