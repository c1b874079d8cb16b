import AbacusFormat
import CAbacus

/// Writes rows into a state, at the position that the session has reached; rows that would lie
/// outside are dropped. A unit is one row.
@c(abacus_run_append)
public func runAppend(_ call: UnsafePointer<abacus_kernel_call>) {
  let call = unsafe Invocation(call)
  if call.tensor(Operands.output).elementType == ElementType.int16.rawValue {
    append(call, Int16.self)
  } else {
    append(call, Int8.self)
  }
}

@inline(__always)
private func append<Element: BitwiseCopyable>(_ call: Invocation, _: Element.Type) {
  let length = Int(truncatingIfNeeded: call.parameters(AppendParameters.self).rowLength)
  let rows: Elements<Element> = call.elements(Operands.input)
  let state: MutableElements<Element> = call.mutableElements(Operands.output)
  let capacity = call.storedCount(Operands.output, Element.self) / length
  let position = call.position
  for unit in call.units {
    let row = position &+ unit
    if row < 0 || row >= capacity { continue }
    let source = rows.dropping((unit &- call.origin(Operands.input)) &* length)
    let target = state.dropping(row &* length)
    for i in 0..<length { target[i] = source[i] }
  }
}
