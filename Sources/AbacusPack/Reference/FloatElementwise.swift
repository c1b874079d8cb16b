import Foundation

// Operations that compute each element of the output from one element of each input.

extension FloatKernelBuilder {
  func binary(_ function: BinaryFunction, _ activation: Activation) throws -> FloatKernel {
    switch function {
    case .add: try elementwise(activation) { $0 + $1 }
    case .subtract: try elementwise(activation) { $0 - $1 }
    case .multiply: try elementwise(activation) { $0 * $1 }
    case .squaredDifference: try elementwise(activation) { ($0 - $1) * ($0 - $1) }
    case .maximum: try elementwise(activation) { max($0, $1) }
    case .minimum: try elementwise(activation) { min($0, $1) }
    case .divide: try elementwise(activation) { $0 / $1 }
    case .power: try elementwise(activation) { Foundation.pow($0, $1) }
    }
  }

  func prelu() throws -> FloatKernel {
    try elementwise(.none) { value, slope in value >= 0 ? value : value * slope }
  }

  /// The function of both inputs, broadcast to the output in numpy's manner.
  private func elementwise(
    _ activation: Activation, _ function: @escaping @Sendable (Float, Float) -> Float
  ) throws -> FloatKernel {
    let shapes = [try shape(0), try shape(1)]
    guard let nest = LoopNest(broadcasting: shapes, to: output.shape) else {
      throw malformed("\(shapes[0]) and \(shapes[1]) do not broadcast to \(output.shape)")
    }
    let loops = nest.collapsed
    let (length, strides) = (loops.extents.last ?? 1, loops.strides.map { $0.last ?? 0 })
    let count = output.elementCount
    return { inputs in
      var result = [Float](count: count) { target in
        inputs[0].withUnsafeBufferPointer { a in
          inputs[1].withUnsafeBufferPointer { b in
            var row = target
            loops.forEachRow { offsets in
              let (a, b) = (a.baseAddress! + offsets[0], b.baseAddress! + offsets[1])
              for index in 0..<length {
                row[index] = function(a[index &* strides[0]], b[index &* strides[1]])
              }
              row += length
            }
          }
        }
      }
      activation.apply(to: &result)
      return result
    }
  }

  /// Where the first input is not 0, the second, else the third.
  func select() throws -> FloatKernel {
    let shapes = try (0..<3).map(shape)
    guard let nest = LoopNest(broadcasting: shapes, to: output.shape) else {
      throw malformed("\(shapes) do not broadcast to \(output.shape)")
    }
    let loops = nest.collapsed
    let (length, strides) = (loops.extents.last ?? 1, loops.strides.map { $0.last ?? 0 })
    let count = output.elementCount
    return { inputs in
      var result: [Float] = []
      result.reserveCapacity(count)
      loops.forEachRow { offsets in
        for index in 0..<length {
          let chosen = inputs[0][offsets[0] + index * strides[0]] != 0 ? 1 : 2
          result.append(inputs[chosen][offsets[chosen] + index * strides[chosen]])
        }
      }
      return result
    }
  }

  func unary(_ function: UnaryFunction) throws -> FloatKernel {
    let input = try shape(0)
    try expectOutput(input.reduce(1, *) == output.elementCount, from: input)
    if function == .relu { return { inputs in inputs[0].map { max($0, 0) } } }
    return { inputs in inputs[0].map { Float(function.evaluate(Double($0))) } }
  }

  /// The same values.
  func requantize() throws -> FloatKernel {
    let input = try shape(0)
    try expectOutput(input.reduce(1, *) == output.elementCount, from: input)
    return { inputs in inputs[0] }
  }
}
