import AbacusFormat
import CAbacus

/// Rotary position embedding: each head's pairs of elements are turned by angles that grow with the
/// position of the row. A unit is one row. Both elements of a pair are read before either is written.
@c(abacus_run_rotary)
public func runRotary(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe rotate(Invocation(call))
}

private func rotate(_ call: Invocation) {
  let p = call.parameters(RotaryParameters.self)
  let input = WideElements(call, Operands.input)
  let output = WideOutput(call)
  let angles: Elements<Int16> = call.elements(Operands.weights)
  let scales: Elements<Int32> = call.elements(Operands.channels)
  let heads = Int(truncatingIfNeeded: p.heads)
  let depth = Int(truncatingIfNeeded: p.depth)
  let half = depth / 2
  // From pair to pair, and from the first element of a pair to the second.
  let step = p.isInterleaved == 0 ? 1 : 2
  let distance = p.isInterleaved == 0 ? half : 1
  let last = Int(truncatingIfNeeded: p.positions) &- 1
  let begin = min(call.position, last)

  for unit in call.units {
    let pairs = angles.dropping(min(begin &+ unit, last) &* depth)
    var source = (unit &- call.origin(Operands.input)) &* heads &* depth
    var target = (unit &- call.origin(Operands.output)) &* heads &* depth
    for head in 0..<heads {
      let multiplier = scales[2 &* head]
      let shift = scales[2 &* head &+ 1]
      for pair in 0..<half {
        let (cosine, sine) = (Int32(pairs[2 &* pair]), Int32(pairs[2 &* pair &+ 1]))
        let x = input[source &+ pair &* step]
        let y = input[source &+ pair &* step &+ distance]
        output.store(
          p.stage.apply(x &* cosine &- y &* sine, multiplier: multiplier, shift: shift),
          at: target &+ pair &* step)
        output.store(
          p.stage.apply(x &* sine &+ y &* cosine, multiplier: multiplier, shift: shift),
          at: target &+ pair &* step &+ distance)
      }
      source = source &+ depth
      target = target &+ depth
    }
  }
}
