import AbacusFormat
import CAbacus

// Strided copy of up to six dimensions: transpose, slice, pad, concatenation, broadcast. A unit
// is one run of the last dimension.

/// 0, 1, 2: elements of one, two or four bytes.
@c(abacus_form_copy)
public func copyForm(_ call: UnsafePointer<abacus_kernel_call>) -> UInt32 {
  switch unsafe Invocation(call).tensor(Operands.output).elementType {
  case ElementType.int32.rawValue: 2
  case ElementType.int16.rawValue: 1
  default: 0
  }
}

@c(abacus_run_copy)
public func runCopy(_ call: UnsafePointer<abacus_kernel_call>) {
  switch unsafe copyForm(call) {
  case 0: unsafe copyInt8(call)
  case 1: unsafe copyInt16(call)
  default: unsafe copyInt32(call)
  }
}

@c(abacus_run_copy_int8)
public func copyInt8(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe copy(Invocation(call), Int8.self)
}

@c(abacus_run_copy_int16)
public func copyInt16(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe copy(Invocation(call), Int16.self)
}

@c(abacus_run_copy_int32)
public func copyInt32(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe copy(Invocation(call), Int32.self)
}

@inline(never)
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
