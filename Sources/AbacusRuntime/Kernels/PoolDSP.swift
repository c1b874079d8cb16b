#if ABACUS_DSP
import CAbacus

/// Sums of so many taps fit 16 bits.
let maximumTapsOfFourSums = 255

/// Sums of the first four channels over the taps of a window, two in a word.
@inline(never)
func fourSums(_ geometry: WindowGeometry, _ taps: PoolTaps, _ image: Elements<Int8>) -> SIMD4<Int32> {
  let channels = geometry.channels
  var (even, odd): (UInt32, UInt32) = (0, 0)
  for row in taps.rows {
    var pixel = (row &* geometry.inputWidth &+ taps.columns.lowerBound) &* channels
    for _ in 0..<taps.columns.count {
      let word = image.word(pixel)
      even = abacus_add_even_bytes(even, word)
      odd = abacus_add_odd_bytes(odd, word)
      pixel = pixel &+ channels
    }
  }
  return SIMD4(lower(even), lower(odd), Int32(bitPattern: even) &>> 16, Int32(bitPattern: odd) &>> 16)
}

@inline(__always)
private func lower(_ halves: UInt32) -> Int32 { Int32(Int16(truncatingIfNeeded: halves)) }
#endif
