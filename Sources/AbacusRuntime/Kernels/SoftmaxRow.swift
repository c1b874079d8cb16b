import AbacusFormat

/// The exponentials of one row, on Q20, of elements below its greatest.
protocol RowExponentials {
  subscript(index: Int) -> Int32 { get }
}

/// Normalises a row (integer-semantics 4.5): int16 on scale 2^-15 or int8 on scale 1/256 with zero
/// point -128.
@inline(__always)
func softmaxRow(
  _ exponentials: some RowExponentials, count: Int, to output: WideOutput, at target: Int
) {
  var sum: UInt32 = 0
  for i in 0..<count { sum = sum &+ UInt32(bitPattern: exponentials[i]) }
  let reciprocal = Reciprocal(sum)
  let isNarrow = output.isNarrow
  let shift = reciprocal.length &+ (isNarrow ? 22 : 15)
  let limit: Int32 = isNarrow ? 255 : 32767
  let zeroPoint: Int32 = isNarrow ? -128 : 0
  for i in 0..<count {
    let y = requantize(exponentials[i], reciprocal.mantissa, shift: shift)
    output.store(min(y, limit) &+ zeroPoint, at: target &+ i)
  }
}
