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

  var count: Int { rows.count &* columns.count }
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
  let p = call.parameters(PoolParameters.self)
  let geometry = WindowGeometry(
    p.window, input: call.tensor(Operands.input), output: call.tensor(Operands.output))
  let input: Elements<Int8> = call.elements(Operands.input)
  let reciprocals: Elements<Int32> = call.elements(Operands.weights)
  let isCommon = call.storedCount(Operands.weights, Int32.self) == 1
  let output: MutableElements<Int8> = call.mutableElements(Operands.output)

  for unit in call.units {
    let image = input.dropping(unit / geometry.outputHeight &* geometry.imageElements)
    for x in 0..<geometry.outputWidth {
      let taps = PoolTaps(geometry, y: unit % geometry.outputHeight, x: x)
      let count = taps.count
      let multiplier = reciprocals[isCommon ? 0 : max(count &- 1, 0)]
      let offset = Int32(truncatingIfNeeded: count) &* p.inputZeroPoint
      let target = output.dropping((unit &* geometry.outputWidth &+ x) &* geometry.channels)
      #if ABACUS_MVE
      if geometry.channels >= 4 && p.stage.shift > 32 {
        averageVectors(geometry, taps, image, p.stage, offset: offset, multiplier: multiplier, target)
        continue
      }
      #elseif arch(x86_64) || arch(arm64)
      if call.vectors != .common && p.stage.shift > 32 {
        var window = PixelVectors(call.vectors, geometry, taps, image, p.stage, target)
        window.average(offset: offset, multiplier: multiplier)
        continue
      }
      #endif
      var first = 0
      #if ABACUS_DSP
      while first &+ 4 <= geometry.channels && count <= maximumTapsOfFourSums {
        let sums = fourSums(geometry, taps, image.dropping(first))
        for i in 0..<4 {
          target[first &+ i] = average(sums[i] &- offset, p.stage, multiplier)
        }
        first = first &+ 4
      }
      #endif
      for channel in first..<geometry.channels {
        var sum: Int32 = 0
        for row in taps.rows {
          let line = image.dropping(row &* geometry.inputWidth &* geometry.channels &+ channel)
          for column in taps.columns { sum = sum &+ Int32(line[column &* geometry.channels]) }
        }
        target[channel] = average(sum &- offset, p.stage, multiplier)
      }
    }
  }
}

/// Not inlined: it is the smaller part of a window.
@inline(never)
private func average(_ sum: Int32, _ stage: OutputStage, _ multiplier: Int32) -> Int8 {
  Int8(truncatingIfNeeded: stage.apply(sum, multiplier: multiplier))
}
