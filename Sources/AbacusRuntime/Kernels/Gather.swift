import AbacusFormat
import CAbacus

/// Rows picked by int32 indices; an index outside the axis reads the nearest row. A unit is one
/// (batch, outer) pair.
@c(abacus_run_gather)
public func runGather(_ call: UnsafePointer<abacus_kernel_call>) {
  let call = unsafe Invocation(call)
  switch call.tensor(Operands.output).elementType {
  case ElementType.int32.rawValue: gather(call, Int32.self)
  case ElementType.int16.rawValue: gather(call, Int16.self)
  default: gather(call, Int8.self)
  }
}

private func gather<Element: BitwiseCopyable>(_ call: Invocation, _: Element.Type) {
  let p = call.parameters(GatherParameters.self)
  let source: Elements<Element> = call.elements(Operands.input)
  let indices: Elements<Int32> = call.elements(Operands.second)
  let destination: MutableElements<Element> = call.mutableElements(Operands.output)
  let outer = Int(truncatingIfNeeded: p.outer)
  let axis = Int(truncatingIfNeeded: p.axis)
  let count = Int(truncatingIfNeeded: p.indices)
  let inner = Int(truncatingIfNeeded: p.inner)

  for unit in call.units {
    let picks = indices.dropping(unit / outer &* count)
    for i in 0..<count {
      let index = min(max(Int(truncatingIfNeeded: picks[i]), 0), axis &- 1)
      let row = source.dropping((unit &* axis &+ index) &* inner)
      let target = destination.dropping((unit &* count &+ i) &* inner)
      for n in 0..<inner { target[n] = row[n] }
    }
  }
}
