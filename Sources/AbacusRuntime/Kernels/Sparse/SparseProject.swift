import AbacusFormat
import CAbacus

// `project` with weights of which whole groups are left out. A unit is one row.

/// 1 where rows are of int16.
@c(abacus_form_sparse_project)
public func sparseProjectForm(_ call: UnsafePointer<abacus_kernel_call>) -> UInt32 {
  let call = unsafe Invocation(call)
  return call.tensor(Operands.input).elementType == ElementType.int16.rawValue ? 1 : 0
}

@c(abacus_run_sparse_project)
public func runSparseProject(_ call: UnsafePointer<abacus_kernel_call>) {
  if unsafe sparseProjectForm(call) == 1 {
    unsafe sparseProjectInt16(call)
  } else {
    unsafe sparseProjectInt8(call)
  }
}

@c(abacus_run_sparse_project_int8)
public func sparseProjectInt8(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe projectSparse(Invocation(call), Int8.self)
}

@c(abacus_run_sparse_project_int16)
public func sparseProjectInt16(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe projectSparse(Invocation(call), Int16.self)
}

private func projectSparse<Source: SparseElement>(_ call: Invocation, _: Source.Type) {
  let depth = Int(call.parameters(SparseProjectParameters.self).depth)
  let weights = SparseWeights(call, depth: depth)
  let channels = call.tensor(Operands.groupCounts).elementCount
  #if ABACUS_DSP
  if channels & 1 == 0, !call.has(Operands.shifts), let rows = CodedSinks(call) {
    return rows.multiply(SparseProduct(weights: weights, depth: depth, channelCount: channels), Source.self)
  }
  #endif
  let projection = Projection(call, channelCount: channels)
  let input: Elements<Source> = call.elements(Operands.input)
  var source = input.dropping((call.units.lowerBound &- call.origin(Operands.input)) &* depth)
  for row in call.units {
    projection.one(source, weights, row: row)
    source = source.dropping(depth)
  }
}

#if ABACUS_DSP
/// One row by all groups, channels in pairs.
private struct SparseProduct: PairedChannelsProduct {
  let weights: SparseWeights
  let depth: Int
  let channelCount: Int
  var rows: Int { 1 }

  func multiply<Source: WidenedElement & QuadElement, Sink: ElementSink>(
    _ source: Elements<Source>, count: Int, to sink: Sink
  ) {
    var (weights, channel, constants) = (weights, 0, sink.channels)
    while channel < channelCount {
      let first = weights.next(channel, source)
      let second = weights.next(channel &+ 1, source)
      sink.put(first &+ constants[0], second &+ constants[2], constants, channel)
      channel = channel &+ 2
      if channel < channelCount { constants = constants.dropping(4) }
    }
    sink.finish()
  }
}
#endif
