#if ABACUS_MVE
import AbacusFormat
import CAbacus

// One pixel of a pool on vectors of neighbouring channels. Where these do not come out even, the last vector
// begins early, and some channels are computed again.

/// Averages, four channels at a time.
@inline(never)
func averageVectors(
  _ geometry: WindowGeometry, _ taps: PoolTaps, _ image: Elements<Int8>, _ stage: OutputStage, offset: Int32,
  multiplier: Int32, _ target: MutableElements<Int8>
) {
  var next = 0
  while next < geometry.channels {
    let channel = min(next, geometry.channels &- 4)
    var sums = SIMD4<Int32>(repeating: 0)
    for row in taps.rows {
      let first = row &* geometry.inputWidth &+ taps.columns.lowerBound
      var pixel = image.dropping(first &* geometry.channels &+ channel)
      for _ in taps.columns {
        sums = sums &+ pixel.words
        pixel = pixel.skipping(geometry.channels)
      }
    }
    target.dropping(channel).store(
      stage.saturateHigh(sums &- SIMD4(repeating: offset), multipliers: SIMD4(repeating: multiplier)))
    next = next &+ 4
  }
  if !stage.isFullRange { target.clamp(low: stage.low, high: stage.high, geometry.channels) }
}

/// Maxima, sixteen channels at a time, not clamped.
@inline(never)
func maximumVectors(
  _ geometry: WindowGeometry, _ taps: PoolTaps, _ image: Elements<Int8>, _ target: MutableElements<Int8>
) {
  var next = 0
  while next < geometry.channels {
    let channel = min(next, geometry.channels &- 16)
    var greatest = SIMD16<Int8>(repeating: .min)
    for row in taps.rows {
      let first = row &* geometry.inputWidth &+ taps.columns.lowerBound
      var pixel = image.dropping(first &* geometry.channels &+ channel)
      for _ in taps.columns {
        greatest = abacus_greater_bytes(greatest, pixel.bytes)
        pixel = pixel.skipping(geometry.channels)
      }
    }
    target.dropping(channel).store(greatest)
    next = next &+ 16
  }
}
#endif
