import AbacusFormat
import CAbacus

/// Sum, mean, maximum or minimum over any axes. One unit.
@c(abacus_run_reduce)
public func runReduce(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe reduce(Invocation(call))
}

private func reduce(_ call: Invocation) {
  let p = call.parameters(ReduceParameters.self)
  let input: Elements<Int8> = call.elements(Operands.input)
  let output: MutableElements<Int8> = call.mutableElements(Operands.output)
  let variant = ReduceVariant(rawValue: call.record.variant)
  let record = call.tensor(Operands.input)
  // Two walks over the input: one over the kept axes, one over the reduced ones below it, of which the innermost is a run
  // of elements.
  var kept = Walk()
  var reduced = Walk()
  var run = (length: 1, stride: 0)
  var stride = 1
  for step in 0..<Limits.maximumRank {
    let dimension = Limits.maximumRank &- 1 &- step
    let extent = record.extent(dimension)
    let isReduced = p.axes &>> UInt32(truncatingIfNeeded: dimension) & 1 == 1
    if !isReduced {
      kept.add(extent: extent, stride: stride)
    } else if run.length == 1 {
      run = (extent, stride)
    } else {
      reduced.add(extent: extent, stride: stride)
    }
    stride = stride &* extent
  }
  let offset = Int32(truncatingIfNeeded: reduced.count &* run.length) &* p.inputZeroPoint

  for index in 0..<kept.count {
    let start = kept.offset
    var sum: Int32 = 0
    var least = Int32.max
    var greatest = Int32.min
    for _ in 0..<reduced.count {
      var element = start &+ reduced.offset
      for _ in 0..<run.length {
        let value = Int32(input[element])
        sum = sum &+ value
        least = min(least, value)
        greatest = max(greatest, value)
        element = element &+ run.stride
      }
      reduced.advance()
    }
    let accumulator =
      switch variant {
      case .maximum: greatest &- p.inputZeroPoint
      case .minimum: least &- p.inputZeroPoint
      default: sum &- offset
      }
    output[index] = Int8(truncatingIfNeeded: p.stage.apply(accumulator, multiplier: p.multiplier))
    kept.advance()
  }
}

/// Steps through the offsets of some dimensions of a tensor, the last added slowest. After as many
/// steps as there are elements it stands at the start again.
private struct Walk {
  private var extents = InlineArray<6, Int>(repeating: 1)
  private var strides = InlineArray<6, Int>(repeating: 0)
  private var indices = InlineArray<6, Int>(repeating: 0)
  private var rank = 0
  private(set) var offset = 0
  private(set) var count = 1

  mutating func add(extent: Int, stride: Int) {
    if extent == 1 { return }
    extents[rank] = extent
    strides[rank] = stride
    rank = rank &+ 1
    count = count &* extent
  }

  @inline(__always)
  mutating func advance() {
    for dimension in 0..<rank {
      indices[dimension] = indices[dimension] &+ 1
      offset = offset &+ strides[dimension]
      if indices[dimension] < extents[dimension] { return }
      offset = offset &- indices[dimension] &* strides[dimension]
      indices[dimension] = 0
    }
  }
}
