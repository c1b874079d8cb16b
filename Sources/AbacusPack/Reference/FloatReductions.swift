// Pools, and reductions over whole dimensions.

extension FloatKernelBuilder {
  func pool(
    _ kind: PoolKind, _ window: WindowAttributes, _ activation: Activation
  ) throws -> FloatKernel {
    let (input, result) = (try shape(0), output.shape)
    try window.check(input: input, output: result, origin: node.origin)
    let channels = input[3]
    try expectOutput(channels == result[3], from: input)
    let geometry = WindowTaps(window, input: input, output: result)
    return { inputs in
      var values = [Float](count: result.reduce(1, *)) { target in
        inputs[0].withUnsafeBufferPointer { image in
          geometry.forEachPosition { position, taps in
            let pixels = taps.map { image.baseAddress! + $0.pixel * channels }
            let place = target + position * channels
            switch kind {
            case .max:
              place.update(repeating: -.infinity, count: channels)
              for pixel in pixels {
                for channel in 0..<channels { place[channel] = max(place[channel], pixel[channel]) }
              }
            case .average:
              // Padding does not count.
              place.update(repeating: 0, count: channels)
              for pixel in pixels {
                for channel in 0..<channels { place[channel] += pixel[channel] }
              }
              let count = Float(max(pixels.count, 1))
              for channel in 0..<channels { place[channel] /= count }
            }
          }
        }
      }
      activation.apply(to: &values)
      return values
    }
  }

  func reduce(_ kind: ReduceKind, axes: [Int]) throws -> FloatKernel {
    let input = try shape(0)
    guard axes.allSatisfy(input.indices.contains), Set(axes).count == axes.count else {
      throw malformed("axes \(axes) of a tensor of shape \(input)")
    }
    let count = axes.map { input[$0] }.reduce(1, *)
    let results = output.elementCount
    try expectOutput(input.reduce(1, *) == count * results, from: input)
    var kept = input
    for axis in axes { kept[axis] = 1 }
    let own = rowMajorStrides(kept)
    let loops = LoopNest(
      extents: input,
      strides: [rowMajorStrides(input), input.indices.map { axes.contains($0) ? 0 : own[$0] }]
    ).collapsed
    return { inputs in
      switch kind {
      case .sum: combine(inputs[0], loops, results, 0, +).map { Float($0) }
      case .mean: combine(inputs[0], loops, results, 0, +).map { Float($0 / Double(count)) }
      case .maximum: combine(inputs[0], loops, results, -.infinity, max).map { Float($0) }
      case .minimum: combine(inputs[0], loops, results, .infinity, min).map { Float($0) }
      }
    }
  }
}

/// Combines all elements that the loops' second strides send to the same result.
private func combine(
  _ values: [Float], _ loops: LoopNest, _ results: Int, _ start: Double,
  _ function: (Double, Double) -> Double
) -> [Double] {
  var combined = [Double](repeating: start, count: results)
  let (length, from, to) = (loops.extents.last ?? 1, loops.strides[0].last ?? 0, loops.strides[1].last ?? 0)
  values.withUnsafeBufferPointer { values in
    combined.withUnsafeMutableBufferPointer { combined in
      loops.forEachRow { offsets in
        for index in 0..<length {
          let place = offsets[1] + index * to
          combined[place] = function(combined[place], Double(values[offsets[0] + index * from]))
        }
      }
    }
  }
  return combined
}
