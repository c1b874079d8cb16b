import AbacusFormat

// From the scores of one row to the weights of its values, in place.

/// Exponentials on Q15 of what scores are below the greatest (integer-semantics 4.4); returns their sum.
@inline(never)
func exponentials(
  _ scores: MutableElements<Int32>, _ count: Int, greatest: Int32, _ scale: DyadicMultiplier
) -> UInt32 {
  var sum: UInt32 = 0
  for key in 0..<count {
    var e: UInt32 = 0
    if scores[key] != AttentionKeys.hidden {
      e = exponentQ15(
        exponentArgument(greatest &- scores[key], multiplier: scale.multiplier, shift: scale.shift))
    }
    scores[key] = Int32(bitPattern: e)
    sum = sum &+ e
  }
  return sum
}

/// Shiftmax of the scores in int8 steps, on k bits (integer-semantics 4.1).
@inline(never)
func shiftmax(
  _ scores: MutableElements<Int32>, _ count: Int, greatest: Int32, _ scale: DyadicMultiplier,
  _ exponent: ShiftExponentParameters
) {
  let greatestCode = scoreCode(greatest, scale)
  var sum: Int32 = 0
  for key in 0..<count {
    var e: Int32 = 0
    if scores[key] != AttentionKeys.hidden {
      e = shiftExponent(scoreCode(scores[key], scale) &- greatestCode, exponent)
    }
    scores[key] = e
    sum = saturatedSum(sum, e)
  }
  let quotient = PaperQuotient(divisor: max(sum, 1), bits: exponent.quotientBits)
  for key in 0..<count { scores[key] = quotient[scores[key]] }
}

/// A score as int8.
@inline(__always)
private func scoreCode(_ score: Int32, _ scale: DyadicMultiplier) -> Int32 {
  min(max(requantize(score, scale.multiplier, shift: scale.shift), -128), 127)
}
