import AbacusFormat

// From the scores of one row to the weights of its values: 15 bits each, over the scores, of which one is
// read before its weight is written.

/// Scores, each an int32, and the weights that take their place, each an int16.
struct ScoreRow {
  let scores: MutableElements<Int32>
  let weights: MutableElements<Int16>

  @inline(__always)
  init(_ call: Invocation) {
    scores = call.mutableElements(Operands.scratch)
    weights = call.mutableElements(Operands.scratch)
  }
}

/// Exponentials on Q15 of what scores are below the greatest (integer-semantics 4.4); returns their sum.
func exponentials(_ row: ScoreRow, _ count: Int, greatest: Int32, _ scale: DyadicMultiplier) -> UInt32 {
  if greatest != AttentionKeys.hidden, let argument = HighArgument(scale) {
    return exponentials(row, count, greatest: greatest, argument)
  }
  var sum: UInt32 = 0
  for key in 0..<count {
    let score = row.scores[key]
    var e: UInt32 = 0
    if score != AttentionKeys.hidden {
      e = exponentQ15(exponentArgument(greatest &- score, multiplier: scale.multiplier, shift: scale.shift))
    }
    row.weights[key] = Int16(truncatingIfNeeded: e)
    sum = sum &+ e
  }
  return sum
}

/// The same in fewer instructions, where a key is visible. A hidden one is at least 2^30 below the greatest, which
/// is 16 octaves for the shifts in question.
@inline(never)
private func exponentials(_ row: ScoreRow, _ count: Int, greatest: Int32, _ argument: HighArgument) -> UInt32 {
  #if ABACUS_MVE
  return exponentialVectors(
    row, count, greatest: greatest, multiplier: argument.multiplier, lift: argument.lift, limit: argument.limit)
  #else
  var sum: UInt32 = 0
  for key in 0..<count {
    let e = exponentQ15(argument[UInt32(bitPattern: greatest &- row.scores[key])])
    row.weights[key] = Int16(truncatingIfNeeded: e)
    sum = sum &+ e
  }
  return sum
  #endif
}

/// `exponentArgument` by the high word of one product, whatever the shift: differences move to the left until
/// the shift is 40. What no longer fits then is 16 octaves or more, and its exponential is 0.
private struct HighArgument {
  let multiplier: UInt32
  let lift: UInt32
  let limit: UInt32

  /// nil for multipliers that are not normalised.
  @inline(__always)
  init?(_ scale: DyadicMultiplier) {
    guard scale.multiplier >= 1 &<< 30, scale.shift >= 10, scale.shift <= 40 else { return nil }
    multiplier = UInt32(bitPattern: scale.multiplier)
    lift = UInt32(bitPattern: 40 &- scale.shift)
    limit = .max &>> lift
  }

  @inline(__always)
  subscript(d: UInt32) -> UInt32 {
    ((min(d, limit) &<< lift).multipliedFullWidth(by: multiplier).high &+ 128) &>> 8
  }
}

/// Shiftmax of the scores in int8 steps, on k bits (integer-semantics 4.1).
@inline(never)
func shiftmax(
  _ row: ScoreRow, _ count: Int, greatest: Int32, _ scale: DyadicMultiplier, _ exponent: ShiftExponentParameters
) {
  let greatestCode = scoreCode(greatest, scale)
  var sum: Int32 = 0
  for key in 0..<count {
    var e: Int32 = 0
    if row.scores[key] != AttentionKeys.hidden {
      e = shiftExponent(scoreCode(row.scores[key], scale) &- greatestCode, exponent)
    }
    row.scores[key] = e
    sum = saturatedSum(sum, e)
  }
  let quotient = PaperQuotient(divisor: max(sum, 1), bits: exponent.quotientBits)
  for key in 0..<count { row.weights[key] = Int16(truncatingIfNeeded: quotient[row.scores[key]]) }
}

/// A score as int8.
@inline(__always)
private func scoreCode(_ score: Int32, _ scale: DyadicMultiplier) -> Int32 {
  min(max(requantize(score, scale.multiplier, shift: scale.shift), -128), 127)
}
