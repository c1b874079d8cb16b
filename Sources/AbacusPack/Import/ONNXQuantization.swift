// Translation of quantised operators.
//
// A tensor of integers with a scale stands for real numbers, so dequantising changes nothing but the
// meaning of a value, an operator in quantised form is the operator on such tensors, and only
// quantising is a node. `Graph.settleQuantization` then lets the operator before it give integers.

extension ONNXTranslator {
  // MARK: Scales

  /// What the inputs say about a tensor: scales and zero points, one or one for each index of `axis`.
  private func quantization(
    scale: Int, zeroPoint: Int, axis: Int, of shape: [Int], type: DataType
  ) throws -> Quantization {
    let scales = try reals(scale, "the scale")
    guard scales.allSatisfy({ $0.isFinite && $0 > 0 }) else {
      throw PackError(.malformed, "every scale (input \(scale)) must be finite and greater than 0")
    }
    var zeroPoints = [0]
    if optional(zeroPoint) != nil {
      zeroPoints = try zeroPointValues(zeroPoint)
      guard type.isInteger, zeroPoints.allSatisfy(type.integerRange.contains) else {
        throw PackError(.malformed, "every zero point (input \(zeroPoint)) must be a number of type \(type)")
      }
    }
    if zeroPoints.count == 1 { zeroPoints = Array(repeating: zeroPoints[0], count: scales.count) }
    guard zeroPoints.count == scales.count else {
      throw PackError(.malformed, "has \(scales.count) scales but \(zeroPoints.count) zero points")
    }
    if scales.count == 1 { return Quantization(scales: scales, zeroPoints: zeroPoints) }
    guard shape.indices.contains(axis), shape[axis] == scales.count else {
      throw PackError(
        .unsupported,
        "\(scales.count) scales for \(shape) along dimension \(axis) are not supported; supported: one, or one "
          + "for each index")
    }
    return Quantization(scales: scales, zeroPoints: zeroPoints, axis: axis)
  }

  private func zeroPointValues(_ input: Int) throws -> [Int] {
    try reals(input, "the zero point").map { value in
      guard let whole = Int(exactly: value) else {
        throw PackError(.malformed, "the zero point \(value) (input \(input)) is not a whole number")
      }
      return whole
    }
  }

  /// An input of integers, with the real values that scale and zero point give it.
  private mutating func dequantized(
    _ input: Int, scale: Int, zeroPoint: Int, axis: Int = 0
  ) throws -> Graph.TensorID {
    let tensor = try tensor(input)
    let quantization = try quantization(
      scale: scale, zeroPoint: zeroPoint, axis: axis, of: tensor.shape, type: tensor.type)
    return try dequantized(id(input), quantization)
  }

  private mutating func dequantized(
    _ id: Graph.TensorID, _ quantization: Quantization
  ) throws -> Graph.TensorID {
    var tensor = build[id]
    guard tensor.type.isInteger, tensor.type != .bool else {
      throw PackError(.malformed, "\"\(tensor.name)\" is \(tensor.type), and cannot be dequantised")
    }
    if tensor.quantization == quantization { return id }
    if tensor.isConstant {
      tensor.quantization = quantization
      return build.add(tensor)
    }
    guard tensor.quantization == nil else {
      throw PackError(.unsupported, "\"\(tensor.name)\" is dequantised with two different scales")
    }
    build.quantize(id, quantization)
    return id
  }

  /// Real values as integers of the zero point's type.
  private mutating func quantized(
    _ x: Graph.TensorID, scale: Int, zeroPoint: Int, axis: Int = 0, unstated type: DataType = .uint8
  ) throws -> Graph.TensorID {
    guard build.isReal(x) else {
      throw PackError(.malformed, "\"\(build[x].name)\" is \(build[x].type), and cannot be quantised")
    }
    let type = try optional(zeroPoint) == nil ? type : tensor(zeroPoint).type
    let quantization = try quantization(
      scale: scale, zeroPoint: zeroPoint, axis: axis, of: build.shape(x), type: type)
    return try build.requantize(x, type: type, quantization: quantization)
  }

  // MARK: Quantise and dequantise

  /// The dimension that several scales belong to.
  private func scaleAxis() throws -> Int {
    guard try site.int("block_size", default: 0) == 0 else {
      throw PackError(.unsupported, "scales for blocks are not supported; supported: one, or one for each index")
    }
    let rank = try shape(0).count
    let axis = try site.int("axis", default: 1)
    // A scalar has no dimension, and the default may name one that there is not.
    return axis < 0 ? axis + rank : axis
  }

  mutating func dequantizeLinear() throws -> Graph.TensorID {
    try expect(inputs: 2...3)
    return try dequantized(0, scale: 1, zeroPoint: 2, axis: scaleAxis())
  }

  mutating func quantizeLinear() throws -> Graph.TensorID {
    try expect(inputs: 2...3)
    let code = try site.int("output_dtype", default: 0)
    let type = try code == 0 ? .uint8 : ONNXTensorSource.type(ofCode: Int32(truncatingIfNeeded: code))
    return try quantized(id(0), scale: 1, zeroPoint: 2, axis: scaleAxis(), unstated: type)
  }

  /// Scales that follow the values at run time are left to the packer's own quantisation: the result
  /// stands for the real values, with a scale of 1. Only products of integers take it.
  mutating func dynamicQuantizeLinear() throws -> [Graph.TensorID] {
    try expect(inputs: 1...1)
    let standIn = try build.add(.requantize, [id(0)], shape: shape(0))
    dynamic[standIn] = try id(0)
    return [standIn, build.scalar(1), build.integers([0], shape: [], type: .uint8)]
  }

  // MARK: Operators in quantised form

  mutating func quantizedConvolution() throws -> Graph.TensorID {
    try expect(inputs: 8...9)
    let x = try dequantized(0, scale: 1, zeroPoint: 2)
    let weights = try dequantized(3, scale: 4, zeroPoint: 5)
    let result = try convolution(x, weights, accumulatorBias(8, x, weights))
    return try quantized(result, scale: 6, zeroPoint: 7)
  }

  /// A bias whose scale is the product of those of an operand and of the weights.
  private mutating func accumulatorBias(
    _ input: Int, _ x: Graph.TensorID, _ weights: Graph.TensorID
  ) throws -> Graph.TensorID? {
    guard let bias = optional(input) else { return nil }
    let (operand, weights) = (build[x].quantization, build[weights].quantization)
    guard let operand, let weights, operand.isPerTensor else {
      throw PackError(.unsupported, "needs an operand with one scale to give one to the bias")
    }
    let scales = weights.scales.map { $0 * operand.scales[0] }
    guard scales.count == 1 || build.shape(bias) == [scales.count] else {
      throw PackError(.malformed, "the bias \(build.shape(bias)) does not fit \(scales.count) scales")
    }
    return try dequantized(bias, Quantization(scales: scales, zeroPoints: scales.map { _ in 0 }))
  }

  mutating func quantizedMatrixProduct() throws -> Graph.TensorID {
    try expect(inputs: 8...8)
    let a = try dequantized(0, scale: 1, zeroPoint: 2, axis: shape(0).count - 2)
    let b = try dequantized(3, scale: 4, zeroPoint: 5, axis: shape(3).count - 1)
    return try quantized(build.matrixMultiply(a, b), scale: 6, zeroPoint: 7)
  }

  mutating func quantizedGeneralProduct() throws -> Graph.TensorID {
    try expect(inputs: 6...9)
    let a = try dequantized(0, scale: 1, zeroPoint: 2)
    let b = try dequantized(3, scale: 4, zeroPoint: 5, axis: site.flag("transB") ? 0 : 1)
    let result = try generalProduct(a, b, accumulatorBias(6, a, b))
    return optional(7) == nil ? result : try quantized(result, scale: 7, zeroPoint: 8)
  }

  mutating func quantizedBinary(_ function: BinaryFunction) throws -> Graph.TensorID {
    try expect(inputs: 7...8)
    let a = try dequantized(0, scale: 1, zeroPoint: 2)
    let b = try dequantized(3, scale: 4, zeroPoint: 5)
    return try quantized(build.binary(function, a, b), scale: 6, zeroPoint: 7)
  }

  /// Inputs: x with scale and zero point, scale and zero point of the result.
  mutating func quantized(
    _ function: (inout Self, Graph.TensorID) throws -> Graph.TensorID
  ) throws -> Graph.TensorID {
    try expect(inputs: 4...5)
    let x = try dequantized(0, scale: 1, zeroPoint: 2)
    return try quantized(function(&self, x), scale: 3, zeroPoint: 4)
  }

  mutating func quantizedImage(
    _ function: (inout Self, Graph.TensorID) throws -> Graph.TensorID
  ) throws -> Graph.TensorID {
    guard try !site.flag("channels_last") else {
      throw PackError(.unsupported, "channels in the last dimension are not supported")
    }
    return try quantized(function)
  }

  mutating func quantizedSoftmax() throws -> Graph.TensorID {
    let flattens = try site.int("opset", default: 13) < 13
    return try quantized { try $0.softmax($1, flattens: flattens) }
  }

  /// Inputs: scale and zero point of the result, then each part with its own.
  mutating func quantizedConcatenation() throws -> Graph.TensorID {
    guard inputs.count >= 5, inputs.count % 3 == 2 else {
      throw PackError(.malformed, "needs a scale, a zero point, and three inputs for each part")
    }
    let parts = try stride(from: 2, to: inputs.count, by: 3).map {
      try dequantized($0, scale: $0 + 1, zeroPoint: $0 + 2)
    }
    let axis = try axis(default: 1, rank: build.shape(parts[0]).count)
    return try quantized(build.concatenate(parts, axis: axis), scale: 0, zeroPoint: 1)
  }

  // MARK: Products of stored integers

  mutating func integerMatrixProduct() throws -> Graph.TensorID {
    try expect(inputs: 2...4)
    let a = try stored(0, zeroPoint: 2, axis: shape(0).count - 2)
    let b = try stored(1, zeroPoint: 3, axis: shape(1).count - 1)
    let product = try build.matrixMultiply(a.id, b.id)
    return try build.binary(.multiply, product, reciprocal(a.scales, b.scales, followedBy: 0))
  }

  mutating func integerConvolution() throws -> Graph.TensorID {
    try expect(inputs: 2...4)
    let x = try stored(0, zeroPoint: 2, axis: 0)
    let weights = try stored(1, zeroPoint: 3, axis: 0)
    let product = try convolution(x.id, weights.id, nil)
    return try build.binary(
      .multiply, product, reciprocal(x.scales, weights.scales, followedBy: build.shape(product).count - 2))
  }

  /// An input of which an operator takes the stored integers, and the scales that these have.
  private mutating func stored(
    _ input: Int, zeroPoint: Int, axis: Int
  ) throws -> (id: Graph.TensorID, scales: [Double]) {
    let tensor = try tensor(input)
    if let real = dynamic[try id(input)] { return (real, [1]) }
    let zeroPoints = try optional(zeroPoint) == nil ? [0] : zeroPointValues(zeroPoint)
    if let quantization = tensor.quantization {
      guard quantization.isPerTensor, quantization.zeroPoints == zeroPoints else {
        throw PackError(.unsupported, "\"\(tensor.name)\" is used with two different zero points")
      }
      return (try id(input), quantization.scales)
    }
    guard zeroPoints.count == 1 || tensor.shape.indices.contains(axis) && zeroPoints.count == tensor.shape[axis]
    else {
      throw PackError(.unsupported, "\(zeroPoints.count) zero points for \(tensor.shape) are not supported")
    }
    let ones = Quantization(
      scales: zeroPoints.map { _ in 1 }, zeroPoints: zeroPoints, axis: zeroPoints.count == 1 ? 0 : axis)
    return (try dequantized(id(input), ones), [1])
  }

  /// What turns real products back into products of stored integers; a multiplication by the scales
  /// that usually follows cancels it.
  private mutating func reciprocal(
    _ a: [Double], _ b: [Double], followedBy ones: Int
  ) -> Graph.TensorID {
    let factors = b.map { Float(1 / (a[0] * $0)) }
    let shape = factors.count == 1 ? [] : [factors.count] + Array(repeating: 1, count: ones)
    return build.constant(factors, shape: shape)
  }
}
