import Foundation

// Softmax and the normalisations of transformers: all over the last dimension. Sums of a row run in
// double precision.

extension FloatKernelBuilder {
  func softmax(beta: Double) throws -> FloatKernel {
    let beta = Float(beta)
    return try rowwise { row, length in softmaxRow(row, length, scale: beta) }
  }

  func layerNormalization(epsilon: Double) throws -> FloatKernel {
    try normalization { row, length in
      var sum = 0.0
      for index in 0..<length { sum += Double(row[index]) }
      let mean = Float(sum / Double(length))
      var squares = 0.0
      for index in 0..<length {
        row[index] -= mean
        squares += Double(row[index]) * Double(row[index])
      }
      return 1 / (squares / Double(length) + epsilon).squareRoot()
    }
  }

  func rmsNormalization(epsilon: Double) throws -> FloatKernel {
    try normalization { row, length in
      var squares = 0.0
      for index in 0..<length { squares += Double(row[index]) * Double(row[index]) }
      return 1 / (squares / Double(length) + epsilon).squareRoot()
    }
  }

  /// - Parameter prepare: centres a row where it has to be, and says by how much to multiply it.
  private func normalization(
    _ prepare: @escaping @Sendable (UnsafeMutablePointer<Float>, Int) -> Double
  ) throws -> FloatKernel {
    let length = try shape(0).last ?? 1
    try checkOptional(1, count: length, "scale")
    try checkOptional(2, count: length, "bias")
    let (hasScale, hasBias) = (hasInput(1), hasInput(2))
    let normalize = try rowwise { row, length in
      let factor = Float(prepare(row, length))
      for index in 0..<length { row[index] *= factor }
    }
    return { inputs in
      var values = try normalize(inputs)
      if hasScale { multiplyRows(&values, by: inputs[1]) }
      if hasBias { addBias(inputs[2], to: &values) }
      return values
    }
  }

  /// The first input, changed row by row.
  private func rowwise(
    _ change: @escaping @Sendable (_ row: UnsafeMutablePointer<Float>, _ length: Int) -> Void
  ) throws -> FloatKernel {
    let input = try shape(0)
    let length = input.last ?? 1
    try expectOutput(input.reduce(1, *) == output.elementCount, from: input)
    return { inputs in
      var values = inputs[0]
      values.withUnsafeMutableBufferPointer { values in
        for start in stride(from: 0, to: values.count, by: length) {
          change(values.baseAddress! + start, length)
        }
      }
      return values
    }
  }
}

/// exp(scale * x) of a row, divided by its sum. Elements of minus infinity become 0.
func softmaxRow(_ row: UnsafeMutablePointer<Float>, _ length: Int, scale: Float) {
  var largest = -Float.infinity
  for index in 0..<length {
    row[index] *= scale
    largest = max(largest, row[index])
  }
  var sum = 0.0
  for index in 0..<length {
    row[index] = Foundation.exp(row[index] - largest)
    sum += Double(row[index])
  }
  let factor = Float(1 / sum)
  for index in 0..<length { row[index] *= factor }
}

private func multiplyRows(_ values: inout [Float], by factors: [Float]) {
  factors.withUnsafeBufferPointer { factors in
    values.withUnsafeMutableBufferPointer { values in
      for start in stride(from: 0, to: values.count, by: factors.count) {
        for index in 0..<factors.count { values[start + index] *= factors[index] }
      }
    }
  }
}
