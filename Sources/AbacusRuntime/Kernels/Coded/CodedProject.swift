import AbacusFormat
import CAbacus

// `project` with weights of 4 or 2 bits. A unit is one row.

/// 1 where rows are of int16.
@c(abacus_form_coded_project)
public func codedProjectForm(_ call: UnsafePointer<abacus_kernel_call>) -> UInt32 {
  let call = unsafe Invocation(call)
  return call.tensor(Operands.input).elementType == ElementType.int16.rawValue ? 1 : 0
}

@c(abacus_run_coded_project)
public func runCodedProject(_ call: UnsafePointer<abacus_kernel_call>) {
  if unsafe codedProjectForm(call) == 1 {
    unsafe codedProjectInt16(call)
  } else {
    unsafe codedProjectInt8(call)
  }
}

@c(abacus_run_coded_project_int8)
public func codedProjectInt8(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe projectCoded(Invocation(call), Int8.self)
}

@c(abacus_run_coded_project_int16)
public func codedProjectInt16(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe projectCoded(Invocation(call), Int16.self)
}

#if ABACUS_DSP
private typealias CodedSource = QuadElement & WidenedElement
#else
private typealias CodedSource = ProductElement
#endif

private func projectCoded<Source: CodedSource>(_ call: Invocation, _: Source.Type) {
  let record = call.tensor(Operands.weights)
  let depth = record.extent(1)
  let weights = CodedWeights(call, depth: depth)
  #if ABACUS_DSP
  if let product = CodedProduct(call, weights, channels: record.extent(0), rows: Int(call.record.units)),
    let rows = CodedSinks(call)
  {
    return rows.multiply(product, Source.self)
  }
  #endif
  let projection = Projection(call, channelCount: record.extent(0))
  let input: Elements<Source> = call.elements(Operands.input)
  var source = input.dropping((call.units.lowerBound &- call.origin(Operands.input)) &* depth)
  for row in call.units {
    projection.one(source, weights, row: row)
    source = source.dropping(depth)
  }
}
