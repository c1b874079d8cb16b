import AbacusFormat
import CAbacus

// What each operator demands of its operands and parameters, so that its kernel cannot leave them.
// One function an operator, each linked only with its kernel.

@c(abacus_check_fully_connected)
public func checkFullyConnected(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfFullyConnected)
}

@_optimize(size)
private func demandsOfFullyConnected(_ check: Checker) throws(Status) {
  let p = try check.parameters(FullyConnectedParameters.self)
  try check.stage(p.stage)
  let input = try check.rows(Operands.input)
  let output = try check.outputRows()
  let weights = try check.tensor(Operands.weights, .int8)
  try require(weights.placement == Placement.constant.rawValue && weights.rank == 2)
  let rows = check.elements(input) / weights.dims[1]
  try require(rows &* weights.dims[1] == check.elements(input))
  try require(saturatedProduct(rows, weights.dims[0]) == check.elements(output))
  try check.channels(weights.dims[0])
  try check.units(rows)
  try check.pairedScratch(
    depth: weights.dims[1], bytes: PairedLayout.scratchBytes(depth: weights.dims[1], rows: rows))
}

@c(abacus_check_convolution)
public func checkConvolution(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfConvolution)
}

@_optimize(size)
private func demandsOfConvolution(_ check: Checker) throws(Status) {
  let p = try check.parameters(ConvolutionParameters.self)
  try check.window()
  let (input, output) = (check.call.tensor(Operands.input), check.call.tensor(Operands.output))
  let weights = try check.tensor(Operands.weights, .int8)
  try require(weights.placement == Placement.constant.rawValue && weights.rank == 4)
  try require(weights.dims[0] == output.dims[3])
  try require(weights.dims[1] == p.window.height && weights.dims[2] == p.window.width)
  let groups = input.dims[3] / weights.dims[3]
  try require(groups >= 1 && groups &* weights.dims[3] == input.dims[3])
  try require(weights.dims[0] % groups == 0)
  try check.channels(weights.dims[0])
  let depth = saturatedProduct(saturatedProduct(weights.dims[1], weights.dims[2]), weights.dims[3])
  if WindowGeometry(p.window, input: input, output: output).isPointwise && groups == 1 {
    return try check.pairedScratch(depth: depth, bytes: PairedLayout.scratchBytes(depth: depth, rows: 3))
  }
  try check.scratch(saturatedProduct(try roundUp(depth, 4), 2))
  try check.pairedScratch(
    depth: depth, bytes: PairedLayout.gatherBytes(depth: depth, channels: weights.dims[3]))
}

@c(abacus_check_depthwise_convolution)
public func checkDepthwiseConvolution(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfDepthwiseConvolution)
}

@_optimize(size)
private func demandsOfDepthwiseConvolution(_ check: Checker) throws(Status) {
  let p = try check.parameters(ConvolutionParameters.self)
  try check.window()
  let (input, output) = (check.call.tensor(Operands.input), check.call.tensor(Operands.output))
  let weights = try check.input(Operands.weights)
  try require(weights.placement == Placement.constant.rawValue && weights.rank == 3)
  try require(weights.dims[0] == p.window.height && weights.dims[1] == p.window.width)
  try require(weights.dims[2] == output.dims[3] && output.dims[3] % input.dims[3] == 0)
  try check.channels(output.dims[3])
  try check.lineScratch(p.window, output)
}

@c(abacus_check_matrix_multiply)
public func checkMatrixMultiply(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfMatrixMultiply)
}

@_optimize(size)
private func demandsOfMatrixMultiply(_ check: Checker) throws(Status) {
  let p = try check.parameters(MatrixMultiplyParameters.self)
  try check.stage(p.stage)
  let a = try check.input(Operands.input)
  let b = try check.input(Operands.second)
  let output = try check.output()
  var reachA = Reach()
  var reachB = Reach()
  var batches = UInt32(1)
  for dimension in 0..<4 {
    try reachA.add(p.batch[dimension], p.batchStrideA[dimension])
    try reachB.add(p.batch[dimension], p.batchStrideB[dimension])
    batches = try product(batches, p.batch[dimension])
  }
  try reachA.add(p.rows, p.rowStrideA)
  try reachA.add(p.depth, p.depthStrideA)
  try reachB.add(p.columns, p.columnStrideB)
  try reachB.add(p.depth, p.depthStrideB)
  try require(reachA.highest < check.elements(a) && reachB.highest < check.elements(b))
  // Strides of 0 would let the depth, and the time of a run, be anything.
  try require(p.depth <= check.elements(a))
  let rows = try product(batches, p.rows)
  try require(try product(rows, p.columns) == check.elements(output))
  if check.call.has(Operands.channels) {
    try check.constant(Operands.channels, .int32, count: p.columns)
  }
  try check.units(rows)
}

extension Checker {
  /// Elements of an operand of an element-wise operator; lines of an image where a run is a row of it. Not inlined, so
  /// that the check keeps a small frame.
  @inline(never)
  @_optimize(size)
  fileprivate func elementsInRuns(_ slot: Int) throws(Status) -> UInt32 {
    try require(call.has(slot))
    if call.tensor(slot).flags == 0 { return try count(slot) }
    let tensor = try image(slot)
    let p = call.parameters(BinaryParameters.self)
    try require(p.dims[4] == call.record.units && p.dims[5] == tensor.dims[2] * tensor.dims[3])
    // The output is dense.
    if slot == Operands.input { try require(p.strideA[4] == p.dims[5] && p.strideA[5] == 1) }
    if slot == Operands.second { try require(p.strideB[4] == p.dims[5] && p.strideB[5] == 1) }
    return elements(tensor)
  }
}

/// All element-wise operators with two inputs.
private func checkBinary(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfBinary)
}

@_optimize(size)
private func demandsOfBinary(_ check: Checker) throws(Status) {
  let p = try check.parameters(BinaryParameters.self)
  try check.stage(p.stage)
  try require(Limits.requantizationShifts.contains(p.innerShift))
  let a = try check.elementsInRuns(Operands.input)
  let b = try check.elementsInRuns(Operands.second)
  let output = try check.elementsInRuns(Operands.output)
  try require(check.call.tensor(Operands.output).placement != Placement.constant.rawValue)
  var reachA = Reach()
  var reachB = Reach()
  var rows = UInt32(1)
  for dimension in 0..<Limits.maximumRank {
    try reachA.add(p.dims[dimension], p.strideA[dimension])
    try reachB.add(p.dims[dimension], p.strideB[dimension])
    if dimension < 5 { rows = try product(rows, p.dims[dimension]) }
  }
  try require(reachA.highest < a && reachB.highest < b)
  try require(try product(rows, p.dims[5]) == output)
  try check.units(rows)
}

@c(abacus_check_add)
public func checkAdd(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe checkBinary(call)
}

@c(abacus_check_multiply)
public func checkMultiply(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe checkBinary(call)
}

@c(abacus_check_squared_difference)
public func checkSquaredDifference(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe checkBinary(call)
}

@c(abacus_check_maximum)
public func checkMaximum(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe checkBinary(call)
}

@c(abacus_check_minimum)
public func checkMinimum(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe checkBinary(call)
}

@c(abacus_check_prelu)
public func checkPrelu(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe checkBinary(call)
}

@c(abacus_check_max_pool)
public func checkMaxPool(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfMaxPool)
}

@_optimize(size)
private func demandsOfMaxPool(_ check: Checker) throws(Status) {
  try check.window()
  let window = check.call.parameters(PoolParameters.self).window
  try require(window.dilationHeight == 1 && window.dilationWidth == 1)
  try require(check.call.tensor(Operands.input).dims[3] == check.call.tensor(Operands.output).dims[3])
}

@c(abacus_check_average_pool)
public func checkAveragePool(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfAveragePool)
}

@_optimize(size)
private func demandsOfAveragePool(_ check: Checker) throws(Status) {
  try demandsOfMaxPool(check)
  let table = try check.input(Operands.weights, .int32)
  try require(table.placement == Placement.constant.rawValue)
  let window = check.call.parameters(PoolParameters.self).window
  let entries = check.elements(table)
  try require(entries == 1 || entries == window.height &* window.width)
}

@c(abacus_check_reduce)
public func checkReduce(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfReduce)
}

@_optimize(size)
private func demandsOfReduce(_ check: Checker) throws(Status) {
  let p = try check.parameters(ReduceParameters.self)
  try check.stage(p.stage)
  try require(ReduceVariant(rawValue: check.call.record.variant) != nil, .unsupportedOperator)
  let input = try check.input(Operands.input)
  let output = try check.output()
  try require(p.axes >> UInt32(Limits.maximumRank) == 0)
  var kept = UInt32(1)
  for dimension in 0..<Limits.maximumRank where p.axes >> UInt32(dimension) & 1 == 0 {
    kept = try product(kept, input.dims[dimension])
  }
  try require(kept == check.elements(output))
  try check.units(1)
}

extension Checker {
  /// Elements of an operand of a copy; lines of an image where a unit moves a run of one row. Not inlined, so that the
  /// check keeps a small frame.
  @inline(never)
  @_optimize(size)
  fileprivate func elementsOfCopy(_ slot: Int, _ type: ElementType) throws(Status) -> UInt32 {
    try require(call.has(slot))
    if call.tensor(slot).flags == 0 { return try count(slot, type) }
    let tensor = try image(slot)
    let p = call.parameters(CopyParameters.self)
    try require(call.record.variant == CopyVariant.part.rawValue && p.dims[4] == call.record.units)
    let rowLength = tensor.dims[2] * tensor.dims[3]
    let isInput = slot == Operands.input
    try require((isInput ? UInt32(bitPattern: p.sourceStrides[4]) : p.destinationStrides[4]) == rowLength)
    try require((isInput ? UInt32(bitPattern: p.sourceStrides[5]) : p.destinationStrides[5]) == 1)
    try require(try sum(isInput ? p.sourceOffset : p.destinationOffset, p.dims[5]) <= rowLength)
    return elements(tensor)
  }
}

@c(abacus_check_copy)
public func checkCopy(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfCopy)
}

@_optimize(size)
private func demandsOfCopy(_ check: Checker) throws(Status) {
  let p = try check.parameters(CopyParameters.self)
  try require(CopyVariant(rawValue: check.call.record.variant) != nil, .unsupportedOperator)
  try require(check.call.has(Operands.output))
  guard let type = ElementType(rawValue: check.call.tensor(Operands.output).elementType) else {
    throw .corrupt
  }
  try require(type != .int4 && type != .int2, .unsupportedOperator)
  let output = try check.elementsOfCopy(Operands.output, type)
  let input = try check.elementsOfCopy(Operands.input, type)
  try require(check.call.tensor(Operands.output).placement != Placement.constant.rawValue)
  // Negative strides count from the offset downwards, the others upwards.
  var above = Reach()
  var below = Reach()
  var target = Reach()
  var rows = UInt32(1)
  for dimension in 0..<Limits.maximumRank {
    let extent = p.dims[dimension]
    let stride = p.sourceStrides[dimension]
    if stride < 0 {
      try below.add(extent, stride.magnitude)
    } else {
      try above.add(extent, stride.magnitude)
    }
    try target.add(extent, p.destinationStrides[dimension])
    if dimension < 5 { rows = try product(rows, extent) }
  }
  try require(below.highest <= p.sourceOffset)
  try require(try sum(above.highest, p.sourceOffset) < input)
  try require(try sum(target.highest, p.destinationOffset) < output)
  // No element is written twice, so that strides of 0 cannot make a run endless.
  try require(try product(rows, p.dims[5]) <= output)
  if check.call.has(Operands.weights) {
    try require(type == .int8)
    try check.constant(Operands.weights, .int8, count: 256)
  }
  try check.units(rows)
}

@c(abacus_check_gather)
public func checkGather(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfGather)
}

@_optimize(size)
private func demandsOfGather(_ check: Checker) throws(Status) {
  let p = try check.parameters(GatherParameters.self)
  try require(check.call.has(Operands.output))
  guard let type = ElementType(rawValue: check.call.tensor(Operands.output).elementType) else {
    throw .corrupt
  }
  try require(type != .int4 && type != .int2, .unsupportedOperator)
  let output = try check.output(Operands.output, type)
  let input = try check.input(Operands.input, type)
  let indices = try check.input(Operands.second, .int32)
  try require(p.batch >= 1 && p.outer >= 1 && p.axis >= 1 && p.indices >= 1 && p.inner >= 1)
  let pairs = try product(p.batch, p.outer)
  try require(try product(try product(pairs, p.axis), p.inner) == check.elements(input))
  try require(try product(try product(pairs, p.indices), p.inner) == check.elements(output))
  try require(try product(p.batch, p.indices) == check.elements(indices))
  try check.units(pairs)
}

@c(abacus_check_softmax)
public func checkSoftmax(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfSoftmax)
}

@_optimize(size)
private func demandsOfSoftmax(_ check: Checker) throws(Status) {
  let p = try check.parameters(SoftmaxParameters.self)
  try require(p.rowLength >= 1 && p.rowLength <= Limits.maximumSoftmaxRow)
  try require(p.multiplier >= 0 && Limits.requantizationShifts.contains(p.shift))
  let input = try check.input(Operands.input)
  try require(check.call.has(Operands.output))
  let isWide = check.call.tensor(Operands.output).elementType == ElementType.int16.rawValue
  let output = try check.output(Operands.output, isWide ? .int16 : .int8)
  try require(check.elements(input) == check.elements(output))
  let rows = check.elements(input) / p.rowLength
  try require(rows &* p.rowLength == check.elements(input))
  if check.call.has(Operands.weights) {
    try check.constant(Operands.weights, .int32, count: 256)
  }
  try check.units(rows)
}

@c(abacus_check_table)
public func checkTable(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfTable)
}

@_optimize(size)
private func demandsOfTable(_ check: Checker) throws(Status) {
  let input = try check.shares(Operands.input)
  let output = try check.outputShares()
  try require(check.elements(input) == check.elements(output))
  try check.constant(Operands.weights, .int8, count: 256)
  try check.units(dividing: check.elements(output))
}

@c(abacus_check_requantize)
public func checkRequantize(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfRequantize)
}

@_optimize(size)
private func demandsOfRequantize(_ check: Checker) throws(Status) {
  let p = try check.parameters(RequantizeParameters.self)
  let types = (
    input: try check.type(Operands.input, oneOf: .int8, .int16, .int32),
    output: try check.type(Operands.output, oneOf: .int8, .int16, .int32)
  )
  try check.stage(p.stage, types.output)
  let input = try check.shares(Operands.input, types.input)
  let output = try check.outputShares(types.output)
  try require(check.elements(input) == check.elements(output))
  try check.units(dividing: check.elements(output))
}
