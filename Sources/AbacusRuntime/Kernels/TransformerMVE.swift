#if ABACUS_MVE
import AbacusFormat
import CAbacus

// Loops of transformers over single elements, four at a time. They compute what the functions of the same purpose
// compute for one, step by step.

// MARK: Exponentials

/// `exponentQ15` of differences from the greatest score; returns their sum. A weight is written where scores are
/// that have been read.
@inline(never)
func exponentialVectors(
  _ row: ScoreRow, _ count: Int, greatest: Int32, multiplier: UInt32, lift: UInt32, limit: UInt32
) -> UInt32 {
  let factors = SIMD4(repeating: Int32(bitPattern: multiplier))
  let limits = SIMD4(repeating: Int32(bitPattern: limit))
  let lift = Int32(bitPattern: lift)
  var (scores, weights, left) = (row.scores.readOnly, row.weights, count)
  var sum: UInt32 = 0
  while left > 0 {
    let lanes = abacus_word_lanes(UInt32(truncatingIfNeeded: left))
    let d = SIMD4(repeating: greatest) &- scores.words(lanes)
    let lifted = abacus_shift_lanes_left(abacus_lesser_unsigned(d, limits), lift)
    // High words are below 2^31, so that half a step has room.
    let t = (abacus_multiply_high_unsigned(lifted, factors) &+ SIMD4(repeating: 128)) &>> 8
    let e = exponentVector(t)
    weights.store(e, lanes)
    sum = abacus_add_words(sum, e, lanes)
    (scores, weights, left) = (scores.skipping(4), weights.skipping(4), left &- 4)
  }
  return sum
}

/// `exponentQ15` of arguments below 2^23.
@inline(__always)
private func exponentVector(_ t: SIMD4<Int32>) -> SIMD4<Int32> {
  let octaves = t &>> 16
  let f = t & SIMD4(repeating: 0xFFFF)
  let u = f &* (SIMD4(repeating: 0x1_0000) &- f)
  let w = SIMD4(repeating: 49 &<< 22) &- f &* SIMD4(repeating: 640)
  let fraction =
    SIMD4(repeating: 1 &<< 30) &- f &<< 13 &- abacus_multiply_high_unsigned(u, w)
  // From 16 octaves on everything is shifted out; the shift counts as 8 bits with sign.
  let shift = abacus_lesser_words(octaves &+ octaves &>> 4, SIMD4(repeating: 32))
  let e = abacus_round_by_lanes(fraction, SIMD4(repeating: -15) &- shift)
  return abacus_lesser_words(e, SIMD4(repeating: 32767))
}

// MARK: Curves

/// `activationCurve` of elements on its grid, requantised with a shift above 32.
@inline(never)
func curveVectors(
  _ input: Elements<Int16>, _ count: Int, _ table: Elements<Int16>, last: Int, multiplier: Int32,
  _ stage: OutputStage, to output: MutableElements<Int8>
) {
  let multipliers = SIMD4(repeating: multiplier)
  let limit = UInt32(truncatingIfNeeded: last)
  var (input, target, left) = (input, output, count)
  while left > 0 {
    let lanes = abacus_word_lanes(UInt32(truncatingIfNeeded: left))
    let x = abacus_greater_words(input.words(lanes), SIMD4(repeating: -32767))
    let magnitude = abacus_magnitudes(x)
    let index = magnitude &>> 5
    // Lanes from the last entry on read 0.
    let inside = abacus_lanes_below(index, limit, lanes)
    let entry = table.words(at: index &+ index, inside)
    let next = table.dropping(1).words(at: index &+ index, inside)
    let rise = (next &- entry) &* (magnitude & SIMD4(repeating: 31))
    let y =
      abacus_greater_words(x, .zero) &<< 6 &- entry &- ((rise &+ SIMD4(repeating: 16)) &>> 5)
    target.store(stage.saturateHigh(y, multipliers: multipliers), lanes)
    (input, target, left) = (input.skipping(4), target.skipping(4), left &- 4)
  }
  if !stage.isFullRange { output.clamp(low: stage.low, high: stage.high, count) }
}

// MARK: Normalisation

/// What becomes of `count * x - offset` in the rows of a normalisation.
struct AffineVectors {
  let count: Int32
  let offset: Int32
  let mantissa: Int32
  let preShift: Int32
  let shift: Int32
  let stage: OutputStage

  /// Saturated to the type of the output, not clamped.
  @inline(never)
  func write<Source: WidenedWords, Output: WidenedWords>(
    _ row: Elements<Source>, _ affines: Elements<Int32>, _ length: Int, to target: MutableElements<Output>
  ) {
    let mantissas = SIMD4(repeating: mantissa)
    let (half, affineHalf) = (Int32(1) &<< shift, Int32(1) &<< (stage.shift &- 33))
    var (row, affines, target, left) = (row, affines, target, length)
    while left > 0 {
      let lanes = abacus_word_lanes(UInt32(truncatingIfNeeded: left))
      let d = Source.words(row, lanes) &* SIMD4(repeating: count) &- SIMD4(repeating: offset)
      let high = abacus_multiply_high(abacus_shift_lanes_left(d, preShift), mantissas)
      let z = abacus_shift_lanes_right(high &+ SIMD4(repeating: half), shift &+ 1)
      let places = SIMD4<Int32>(0, 8, 16, 24)
      let scaled = abacus_multiply_high(z, affines.words(at: places, lanes))
      let moved = scaled &+ affines.dropping(1).words(at: places, lanes) &+ SIMD4(repeating: affineHalf)
      let y = abacus_shift_lanes_right(moved, stage.shift &- 32)
      Output.store(y &+ SIMD4(repeating: stage.zeroPoint), target, lanes)
      (row, affines, target, left) = (row.skipping(4), affines.skipping(8), target.skipping(4), left &- 4)
    }
  }
}

/// Elements that are words in vectors.
protocol WidenedWords: FixedWidthInteger, BitwiseCopyable {
  static func words(_ elements: Elements<Self>, _ lanes: UInt16) -> SIMD4<Int32>
  /// Saturates.
  static func store(_ words: SIMD4<Int32>, _ target: MutableElements<Self>, _ lanes: UInt16)
}

extension Int8: WidenedWords {
  @inline(__always)
  static func words(_ elements: Elements<Int8>, _ lanes: UInt16) -> SIMD4<Int32> { elements.words(lanes) }

  @inline(__always)
  static func store(_ words: SIMD4<Int32>, _ target: MutableElements<Int8>, _ lanes: UInt16) {
    target.store(abacus_saturate_words(words), lanes)
  }
}

extension Int16: WidenedWords {
  @inline(__always)
  static func words(_ elements: Elements<Int16>, _ lanes: UInt16) -> SIMD4<Int32> { elements.words(lanes) }

  @inline(__always)
  static func store(_ words: SIMD4<Int32>, _ target: MutableElements<Int16>, _ lanes: UInt16) {
    target.store(abacus_saturate_to_halves(words), lanes)
  }
}
#endif
