import AbacusFormat

/// Rows of int8 activations times a constant matrix: what fully connected layers and convolutions
/// share. `output[m, n] = stage(sum_k rows[m, k] * weights[n, k] + bias[n])`.
struct RowProduct {
  let weights: WeightMatrix
  /// Bias and multiplier of each channel.
  let channels: Elements<Int32>
  /// A shift of each channel's own, where `hasShifts`.
  let shifts: Elements<UInt8>
  let hasShifts: Bool
  let stage: OutputStage
  let weightZeroPoint: Int32

  @inline(__always)
  init(_ call: Invocation, depth: Int, stage: OutputStage, weightZeroPoint: Int32) {
    weights = WeightMatrix(
      call.elements(Operands.weights), record: call.tensor(Operands.weights), depth: depth)
    channels = call.elements(Operands.channels)
    hasShifts = call.has(Operands.shifts)
    shifts = call.elements(hasShifts ? Operands.shifts : Operands.weights)
    self.stage = stage
    self.weightZeroPoint = weightZeroPoint
  }

  @inline(__always)
  private func finish(_ sum: Int32, rowSum: Int32, _ n: Int) -> Int8 {
    let accumulator = sum &+ channels[2 &* n] &- weightZeroPoint &* rowSum
    let shift = hasShifts ? Int32(shifts[n]) : stage.shift
    return Int8(
      truncatingIfNeeded: stage.apply(accumulator, multiplier: channels[2 &* n &+ 1], shift: shift))
  }

  /// Sum of a row, needed only where weights have a zero point.
  @inline(__always)
  private func rowSum(_ x: Elements<Int8>) -> Int32 {
    if weightZeroPoint == 0 { return 0 }
    var sum: Int32 = 0
    for k in 0..<weights.depth { sum = sum &+ Int32(x[k]) }
    return sum
  }

  /// One row, channels `range`; `output[n - range.lowerBound]`.
  @inline(never)
  func one(_ x: Elements<Int8>, channels range: Range<Int>, _ output: MutableElements<Int8>) {
    let sumX = rowSum(x)
    let depth = weights.depth
    for n in range {
      let sum =
        weights.isRowMajor
        ? Int8.dot(x, weights.row(n), depth) : weights.dotProduct(row: n, x)
      output[n &- range.lowerBound] = finish(sum, rowSum: sumX, n)
    }
  }

  /// Two rows at once, so that each weight is loaded once for both.
  @inline(never)
  func two(
    _ x0: Elements<Int8>, _ x1: Elements<Int8>, channels range: Range<Int>,
    _ output0: MutableElements<Int8>, _ output1: MutableElements<Int8>
  ) {
    if !weights.isRowMajor {
      one(x0, channels: range, output0)
      one(x1, channels: range, output1)
      return
    }
    let sumX0 = rowSum(x0)
    let sumX1 = rowSum(x1)
    let depth = weights.depth
    var n = range.lowerBound
    while n &+ 1 < range.upperBound {
      let sums = Int8.dot(x0, x1, weights.row(n), weights.row(n &+ 1), depth)
      let i = n &- range.lowerBound
      output0[i] = finish(sums[0], rowSum: sumX0, n)
      output0[i &+ 1] = finish(sums[1], rowSum: sumX0, n &+ 1)
      output1[i] = finish(sums[2], rowSum: sumX1, n)
      output1[i &+ 1] = finish(sums[3], rowSum: sumX1, n &+ 1)
      n = n &+ 2
    }
    if n < range.upperBound {
      let i = n &- range.lowerBound
      output0[i] = finish(Int8.dot(x0, weights.row(n), depth), rowSum: sumX0, n)
      output1[i] = finish(Int8.dot(x1, weights.row(n), depth), rowSum: sumX1, n)
    }
  }
}
