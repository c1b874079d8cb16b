import AbacusFormat
import CAbacus

/// Strided copy of up to six dimensions: transpose, slice, pad, concatenation, broadcast. A unit
/// is one run of the last dimension.
@c(abacus_run_copy)
public func runCopy(_ call: UnsafePointer<abacus_kernel_call>) {
  let call = unsafe Invocation(call)
  switch call.tensor(Operands.output).elementType {
  case ElementType.int32.rawValue: copy(call, Int32.self)
  case ElementType.int16.rawValue: copy(call, Int16.self)
  default: copy(call, Int8.self)
  }
}

private func copy<Element: FixedWidthInteger & BitwiseCopyable>(_ call: Invocation, _: Element.Type) {
  let p = call.parameters(CopyParameters.self)
  let source: Elements<Element> = call.elements(Operands.input)
  let destination: MutableElements<Element> = call.mutableElements(Operands.output)
  let length = Int(truncatingIfNeeded: p.dims[5])
  let sourceStride = Int(truncatingIfNeeded: p.sourceStrides[5])
  let destinationStride = Int(truncatingIfNeeded: p.destinationStrides[5])

  if call.record.variant == CopyVariant.filled.rawValue && call.units.lowerBound == 0 {
    let fill = Element(truncatingIfNeeded: p.fill)
    for i in 0..<call.storedCount(Operands.output, Element.self) { destination[i] = fill }
  }
  for unit in call.units {
    var rest = unit
    var from = Int(truncatingIfNeeded: p.sourceOffset)
    var to = Int(truncatingIfNeeded: p.destinationOffset)
    for step in 0..<5 {
      let dimension = 4 &- step
      let extent = Int(truncatingIfNeeded: p.dims[dimension])
      if extent == 1 { continue }
      let index = rest % extent
      rest = rest / extent
      from = from &+ index &* Int(truncatingIfNeeded: p.sourceStrides[dimension])
      to = to &+ index &* Int(truncatingIfNeeded: p.destinationStrides[dimension])
    }
    if call.has(Operands.weights) {
      let table: Elements<Element> = call.elements(Operands.weights)
      for i in 0..<length {
        let code = Int(truncatingIfNeeded: source[from &+ i &* sourceStride])
        destination[to &+ i &* destinationStride] = table[(code &+ 128) & 0xFF]
      }
    } else {
      for i in 0..<length {
        destination[to &+ i &* destinationStride] = source[from &+ i &* sourceStride]
      }
    }
  }
}
