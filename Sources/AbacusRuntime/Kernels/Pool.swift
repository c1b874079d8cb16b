import AbacusFormat
import CAbacus

// Pooling, NHWC. A unit is one output row of one image.

@c(abacus_run_max_pool)
public func runMaxPool(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe maxPool(Invocation(call))
}

@c(abacus_run_average_pool)
public func runAveragePool(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe averagePool(Invocation(call))
}

/// The taps of one window that lie inside the image.
struct PoolTaps {
  let rows: Range<Int>
  let columns: Range<Int>

  @inline(__always)
  init(_ geometry: WindowGeometry, y: Int, x: Int) {
    let top = geometry.inputRow(y, 0)
    let left = geometry.inputColumn(x, 0)
    rows = PoolTaps.clip(top, geometry.height, geometry.inputHeight)
    columns = PoolTaps.clip(left, geometry.width, geometry.inputWidth)
  }

  @inline(__always)
  private static func clip(_ start: Int, _ length: Int, _ limit: Int) -> Range<Int> {
    let first = min(max(start, 0), limit)
    return first..<max(first, min(start &+ length, limit))
  }

  var count: Int { (rows.upperBound &- rows.lowerBound) &* (columns.upperBound &- columns.lowerBound) }
}

private func maxPool(_ call: Invocation) {
  let p = call.parameters(PoolParameters.self)
  let geometry = WindowGeometry(
    p.window, input: call.tensor(Operands.input), output: call.tensor(Operands.output))
  let input: Elements<Int8> = call.elements(Operands.input)
  let output: MutableElements<Int8> = call.mutableElements(Operands.output)
  let low = Int8(truncatingIfNeeded: p.stage.low)
  let high = Int8(truncatingIfNeeded: p.stage.high)

  for unit in call.units {
    let image = input.dropping(unit / geometry.outputHeight &* geometry.imageElements)
    for x in 0..<geometry.outputWidth {
      let taps = PoolTaps(geometry, y: unit % geometry.outputHeight, x: x)
      let target = output.dropping((unit &* geometry.outputWidth &+ x) &* geometry.channels)
      #if ABACUS_MVE
      if geometry.channels >= 16 {
        maximumVectors(geometry, taps, image, target)
        target.clamp(low: p.stage.low, high: p.stage.high, geometry.channels)
        continue
      }
      #elseif arch(x86_64) || arch(arm64)
      if call.vectors != .common {
        var window = PixelVectors(call.vectors, geometry, taps, image, p.stage, target)
        window.findGreatest()
        continue
      }
      #endif
      for channel in 0..<geometry.channels { target[channel] = low }
      for row in taps.rows {
        for column in taps.columns {
          let pixel = image.dropping((row &* geometry.inputWidth &+ column) &* geometry.channels)
          for channel in 0..<geometry.channels {
            target[channel] = max(target[channel], pixel[channel])
          }
        }
      }
      for channel in 0..<geometry.channels { target[channel] = min(target[channel], high) }
    }
  }
}

private func averagePool(_ call: Invocation) {
  let pool = AveragePool(call)
  for unit in call.units {
    for x in 0..<pool.geometry.outputWidth { pool.window(unit, x) }
  }
}

private struct AveragePool {
  let geometry: WindowGeometry
  private let stage: OutputStage
  private let inputZeroPoint: Int32
  private let reciprocals: Elements<Int32>
  private let isCommon: Bool
  private let input: Elements<Int8>
  private let output: MutableElements<Int8>
  #if arch(x86_64) || arch(arm64)
  private let vectors: VectorInstructions
  #endif

  init(_ call: Invocation) {
    let p = call.parameters(PoolParameters.self)
    geometry = WindowGeometry(
      p.window, input: call.tensor(Operands.input), output: call.tensor(Operands.output))
    stage = p.stage
    inputZeroPoint = p.inputZeroPoint
    reciprocals = call.elements(Operands.weights)
    isCommon = call.storedCount(Operands.weights, Int32.self) == 1
    input = call.elements(Operands.input)
    output = call.mutableElements(Operands.output)
    #if arch(x86_64) || arch(arm64)
    vectors = call.vectors
    #endif
  }

  /// One output pixel. Not inlined: the kernel stays in memory, in one place.
  @inline(never)
  func window(_ unit: Int, _ x: Int) {
    let image = input.dropping(unit / geometry.outputHeight &* geometry.imageElements)
    let taps = PoolTaps(geometry, y: unit % geometry.outputHeight, x: x)
    let count = taps.count
    let multiplier = reciprocals[isCommon ? 0 : max(count &- 1, 0)]
    let offset = Int32(truncatingIfNeeded: count) &* inputZeroPoint
    let target = output.dropping((unit &* geometry.outputWidth &+ x) &* geometry.channels)
    #if ABACUS_MVE
    if geometry.channels >= 4 && stage.shift > 32 {
      return averageVectors(geometry, taps, image, stage, offset: offset, multiplier: multiplier, target)
    }
    #elseif arch(x86_64) || arch(arm64)
    if vectors != .common && stage.shift > 32 {
      var window = PixelVectors(vectors, geometry, taps, image, stage, target)
      return window.average(offset: offset, multiplier: multiplier)
    }
    #endif
    var channel = 0
    #if ABACUS_DSP
    while channel &+ 4 <= geometry.channels && count <= maximumTapsOfFourSums {
      let sums = fourSums(geometry, taps, image.dropping(channel))
      for i in 0..<4 { target[channel &+ i] = average(sums[i] &- offset, multiplier) }
      channel = channel &+ 4
    }
    #endif
    while channel < geometry.channels {
      target[channel] = average(sum(taps, image.dropping(channel)) &- offset, multiplier)
      channel = channel &+ 1
    }
  }

  /// Sum of the first channel over the taps of a window.
  @inline(never)
  private func sum(_ taps: PoolTaps, _ image: Elements<Int8>) -> Int32 {
    var sum: Int32 = 0
    for row in taps.rows {
      let line = image.dropping(row &* geometry.inputWidth &* geometry.channels)
      for column in taps.columns { sum = sum &+ Int32(line[column &* geometry.channels]) }
    }
    return sum
  }

  @inline(never)
  private func average(_ sum: Int32, _ multiplier: Int32) -> Int8 {
    Int8(truncatingIfNeeded: stage.apply(sum, multiplier: multiplier))
  }
}
