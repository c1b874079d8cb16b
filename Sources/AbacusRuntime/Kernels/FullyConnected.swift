import AbacusFormat
import CAbacus

// Rows [M, K] times constant weights [N, K]. A unit is one row.

/// 1 where weights in pairs have loops of their own.
@c(abacus_form_fully_connected)
public func fullyConnectedForm(_ call: UnsafePointer<abacus_kernel_call>) -> UInt32 {
  let call = unsafe Invocation(call)
  let parameters = call.parameters(FullyConnectedParameters.self)
  return call.takesPairs(parameters.stage, weightZeroPoint: parameters.weightZeroPoint) ? 1 : 0
}

@c(abacus_run_fully_connected)
public func runFullyConnected(_ call: UnsafePointer<abacus_kernel_call>) {
  if unsafe fullyConnectedForm(call) == 1 {
    unsafe fullyConnectedPairs(call)
  } else {
    unsafe fullyConnectedRows(call)
  }
}

#if ABACUS_DSP
@c(abacus_run_fully_connected_pairs)
public func fullyConnectedPairs(_ call: UnsafePointer<abacus_kernel_call>) {
  let call = unsafe Invocation(call)
  let weights = call.tensor(Operands.weights)
  let (channels, depth) = (weights.extent(0), weights.extent(1))
  let input: Elements<Int8> = call.elements(Operands.input)
  let first = call.units.lowerBound
  var sink = ByteSink(call, call.parameters(FullyConnectedParameters.self).stage, channelCount: channels)
  multiplyPaired(
    call, input.dropping((first &- call.origin(Operands.input)) &* depth), rows: call.units.count, depth: depth,
    channels: channels, to: &sink, row: first &- call.origin(Operands.output))
}
#else
@c(abacus_run_fully_connected_pairs)
public func fullyConnectedPairs(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe fullyConnected(Invocation(call))
}
#endif

@c(abacus_run_fully_connected_rows)
public func fullyConnectedRows(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe fullyConnected(Invocation(call))
}

/// Any layout of weights.
@inline(never)
private func fullyConnected(_ call: Invocation) {
  let parameters = call.parameters(FullyConnectedParameters.self)
  let weights = call.tensor(Operands.weights)
  let channels = weights.extent(0)
  let depth = weights.extent(1)
  let product = RowProduct(
    call, depth: depth, stage: parameters.stage, weightZeroPoint: parameters.weightZeroPoint)
  let input: Elements<Int8> = call.elements(Operands.input)
  let output: MutableElements<Int8> = call.mutableElements(Operands.output)
  // Where the share of a unit begins, in rows.
  let (first, last) = (call.units.lowerBound, call.units.upperBound)
  var source = (first &- call.origin(Operands.input)) &* depth
  var target = (first &- call.origin(Operands.output)) &* channels

  #if ABACUS_MVE
  if VectorProduct.suits(product, channels: channels) {
    return VectorProduct(product, 0..<channels, pitch: depth, outputPitch: channels)
      .run(input.dropping(source), rows: last &- first, output.dropping(target))
  }
  #elseif arch(x86_64) || arch(arm64)
  if var rows = VectorRows(call, parameters.stage, weightZeroPoint: parameters.weightZeroPoint),
    depth % rows.granule == 0
  {
    return rows.multiply(
      input.dropping(source), count: last &- first, depth: depth, stride: depth, to: output.dropping(target))
  }
  #elseif ABACUS_LANES
  if (depth & 3 == 0 || last &- first >= 3)
    && LaneProduct.suits(call, parameters.stage, weightZeroPoint: parameters.weightZeroPoint) {
    let product = LaneProduct(call, depth: depth, channels: channels, parameters.stage)
    return product.multiply(
      input.dropping(source), rows: last &- first, call.mutableElements(Operands.scratch), output.dropping(target))
  }
  #endif
  var row = first
  while row &+ 1 < last {
    product.two(
      input.dropping(source), input.dropping(source &+ depth), channels: 0..<channels,
      output.dropping(target), output.dropping(target &+ channels))
    source = source &+ 2 &* depth
    target = target &+ 2 &* channels
    row = row &+ 2
  }
  if row < last {
    product.one(input.dropping(source), channels: 0..<channels, output.dropping(target))
  }
}
