// Fully connected layers and products of run-time matrices.

extension FloatKernelBuilder {
  func fullyConnected(_ activation: Activation) throws -> FloatKernel {
    let (input, weights) = (try shape(0), try shape(1))
    guard weights.count == 2 else { throw malformed("weights \(weights), expected [out, in]") }
    let (channels, depth) = (weights[0], weights[1])
    let rows = input.reduce(1, *) / depth
    try expectOutput(
      input.last == depth && rows * channels == output.elementCount, from: input, weights)
    try checkOptional(2, count: channels, "bias")
    let hasBias = hasInput(2)
    let product = RowProduct(
      rows: rows, columns: channels, depth: depth, strideA: depth, strideB: depth, strideC: channels)
    return { inputs in
      var result = [Float](count: rows * channels) { product.run(inputs[0], inputs[1], into: $0) }
      if hasBias { addBias(inputs[2], to: &result) }
      activation.apply(to: &result)
      return result
    }
  }

  func matrixMultiply(transposeA: Bool, transposeB: Bool) throws -> FloatKernel {
    let (a, b, result) = (try shape(0), try shape(1), output.shape)
    guard a.count >= 2, b.count >= 2, result.count >= 2 else {
      throw malformed("\(a) times \(b) into \(result): each needs two dimensions")
    }
    let (matrixA, matrixB) = (Array(a.suffix(2)), Array(b.suffix(2)))
    let (rows, depth) = transposeA ? (matrixA[1], matrixA[0]) : (matrixA[0], matrixA[1])
    let (columns, depthB) = transposeB ? (matrixB[0], matrixB[1]) : (matrixB[1], matrixB[0])
    try expectOutput(depth == depthB && result.suffix(2) == [rows, columns], from: a, b)
    let batch = Array(result.dropLast(2))
    let loops = try broadcastLoops(
      [Array(a.dropLast(2)), Array(b.dropLast(2))], to: batch,
      units: [rows * depth, columns * depth])
    let product = RowProduct(
      rows: rows, columns: columns, depth: depth, strideA: depth, strideB: depth, strideC: columns)
    // Products want the summed dimension innermost; a constant is brought into that form once.
    let turnsA = transposeA, turnsB = !transposeB
    let turnedB = turnsB ? constant(1).map { transposeMatrices($0, rows: depth, columns: columns) } : nil
    let count = output.elementCount
    return { inputs in
      let left = turnsA ? transposeMatrices(inputs[0], rows: depth, columns: rows) : inputs[0]
      let right =
        turnedB ?? (turnsB ? transposeMatrices(inputs[1], rows: depth, columns: columns) : inputs[1])
      return [Float](count: count) { target in
        left.withUnsafeBufferPointer { left in
          right.withUnsafeBufferPointer { right in
            var place = target
            loops.forEachRow { offsets in
              product.run(
                left.baseAddress! + offsets[0], right.baseAddress! + offsets[1], into: place)
              place += rows * columns
            }
          }
        }
      }
    }
  }

  /// Loops over `batch`, every index a row, with inputs broadcast to it in numpy's manner.
  ///
  /// - Parameter units: elements that one index of each input spans.
  func broadcastLoops(_ inputs: [[Int]], to batch: [Int], units: [Int]) throws -> LoopNest {
    guard let loops = LoopNest(broadcasting: inputs, to: batch, units: units) else {
      let shapes = inputs.map(\.description).joined(separator: " and ")
      throw malformed("\(shapes) do not broadcast to \(batch)")
    }
    // A loop of one round inside.
    return LoopNest(extents: loops.extents + [1], strides: loops.strides.map { $0 + [0] })
  }
}

/// Adds a bias to the last dimension.
func addBias(_ bias: [Float], to values: inout [Float]) {
  bias.withUnsafeBufferPointer { bias in
    values.withUnsafeMutableBufferPointer { values in
      for start in stride(from: 0, to: values.count, by: bias.count) {
        for channel in 0..<bias.count { values[start + channel] += bias[channel] }
      }
    }
  }
}

/// The transpose of each matrix [rows, columns] of a stack of them.
private func transposeMatrices(_ values: [Float], rows: Int, columns: Int) -> [Float] {
  [Float](count: values.count) { target in
    values.withUnsafeBufferPointer { values in
      for start in stride(from: 0, to: values.count, by: rows * columns) {
        transposeMatrix(
          values.baseAddress! + start, rows: rows, columns: columns, stride: columns,
          into: target + start)
      }
    }
  }
}
