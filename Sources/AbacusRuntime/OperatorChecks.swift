import AbacusFormat
import CAbacus

// What each operator demands of its operands and parameters, so that its kernel cannot leave them.
// One function an operator, each linked only with its kernel.

/// Operands and parameters of one operator that is not trusted yet.
private struct Checker {
  let call: Invocation

  init(_ call: UnsafePointer<abacus_kernel_call>) {
    self.call = unsafe Invocation(call)
  }

  /// The parameter record, if all of it lies in the section.
  @inline(__always)
  func parameters<Parameters: BitwiseCopyable>(_: Parameters.Type) throws(Status) -> Parameters {
    try require(call.parameterBytes >= UInt32(MemoryLayout<Parameters>.size))
    return call.parameters(Parameters.self)
  }

  /// An operand that must be there, of one type.
  func tensor(_ slot: Int, _ type: ElementType) throws(Status) -> TensorRecord {
    try require(call.has(slot))
    let tensor = call.tensor(slot)
    try require(tensor.elementType == type.rawValue, .unsupportedOperator)
    return tensor
  }

  /// A run-time input or plain constant.
  func input(_ slot: Int, _ type: ElementType = .int8) throws(Status) -> TensorRecord {
    let tensor = try tensor(slot, type)
    try require(tensor.layout == Layout.plain.rawValue)
    return tensor
  }

  /// A tensor in the arena.
  func output(_ slot: Int = Operands.output, _ type: ElementType = .int8) throws(Status) -> TensorRecord {
    let tensor = try input(slot, type)
    try require(tensor.placement != Placement.constant.rawValue)
    return tensor
  }

  /// A constant with an exact number of elements.
  func constant(_ slot: Int, _ type: ElementType, count: UInt32) throws(Status) {
    let tensor = try input(slot, type)
    try require(tensor.placement == Placement.constant.rawValue && elements(tensor) == count)
  }

  /// Bias and multiplier, and the shifts if any, of `count` channels.
  func channels(_ count: UInt32) throws(Status) {
    try constant(Operands.channels, .int32, count: try product(count, 2))
    if call.has(Operands.shifts) { try constant(Operands.shifts, .uint8, count: count) }
  }

  func elements(_ tensor: TensorRecord) -> UInt32 {
    UInt32(truncatingIfNeeded: tensor.elementCount)
  }

  func units(_ count: UInt32) throws(Status) {
    try require(call.record.units == count)
  }

  func stage(_ stage: OutputStage, _ type: ElementType = .int8) throws(Status) {
    try require(Limits.requantizationShifts.contains(stage.shift))
    try require(stage.low <= stage.high)
    // int32 outputs have no zero point; the others fit 16 bits, so that no clamp can wrap.
    if type == .int32 {
      try require(stage.zeroPoint == 0)
      return
    }
    let half: Int32 = type == .int16 ? 0x8000 : 0x80
    try require(stage.low >= -half && stage.high < half)
    try require(stage.zeroPoint >= -half && stage.zeroPoint < half)
  }

  /// Bounds of a sliding window, so that no row or column index can wrap.
  func window(_ window: Window, input: TensorRecord, output: TensorRecord) throws(Status) {
    let limit = Limits.maximumWindowParameter
    try require(input.rank == 4 && output.rank == 4 && input.dims[0] == output.dims[0])
    try require(window.height >= 1 && window.width >= 1)
    try require(window.height <= limit && window.width <= limit)
    try require(window.strideHeight <= limit && window.strideWidth <= limit)
    try require(window.dilationHeight >= 1 && window.dilationWidth >= 1)
    try require(window.dilationHeight <= limit && window.dilationWidth <= limit)
    try require(window.padTop <= limit && window.padLeft <= limit)
    _ = try sum(
      product(output.dims[1], window.strideHeight), product(window.height, window.dilationHeight))
    _ = try sum(
      product(output.dims[2], window.strideWidth), product(window.width, window.dilationWidth))
    try units(try product(output.dims[0], output.dims[1]))
  }
}

/// How far the index of one operand can reach.
private struct Reach {
  private(set) var highest: UInt32 = 0

  /// Adds a loop of `extent` rounds over steps of `stride` elements.
  mutating func add(_ extent: UInt32, _ stride: UInt32) throws(Status) {
    try require(extent >= 1)
    if stride == 0 { return }
    highest = try sum(highest, try product(extent - 1, stride))
  }
}

@inline(__always)
private func status(_ body: () throws(Status) -> Void) -> abacus_status {
  do {
    try body()
    return ABACUS_OK
  } catch {
    return abacus_status(rawValue: error.rawValue)
  }
}

@c(abacus_check_fully_connected)
public func checkFullyConnected(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  let check = unsafe Checker(call)
  return status { () throws(Status) in
    let p = try check.parameters(FullyConnectedParameters.self)
    try check.stage(p.stage)
    let input = try check.input(Operands.input)
    let output = try check.output()
    let weights = try check.tensor(Operands.weights, .int8)
    try require(weights.placement == Placement.constant.rawValue && weights.rank == 2)
    let rows = check.elements(input) / weights.dims[1]
    try require(try product(rows, weights.dims[1]) == check.elements(input))
    try require(try product(rows, weights.dims[0]) == check.elements(output))
    try check.channels(weights.dims[0])
    try check.units(rows)
  }
}

@c(abacus_check_convolution)
public func checkConvolution(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  let check = unsafe Checker(call)
  return status { () throws(Status) in
    let p = try check.parameters(ConvolutionParameters.self)
    try check.stage(p.stage)
    let input = try check.input(Operands.input)
    let output = try check.output()
    let weights = try check.tensor(Operands.weights, .int8)
    try require(weights.placement == Placement.constant.rawValue && weights.rank == 4)
    try require(weights.dims[1] == p.window.height && weights.dims[2] == p.window.width)
    try check.window(p.window, input: input, output: output)
    try require(weights.dims[0] == output.dims[3])
    let groups = input.dims[3] / weights.dims[3]
    try require(groups >= 1 && groups * weights.dims[3] == input.dims[3])
    try require(weights.dims[0] % groups == 0)
    try check.channels(weights.dims[0])
    let geometry = WindowGeometry(p.window, input: input, output: output)
    if !(geometry.isPointwise && groups == 1) {
      let depth = try product(try product(weights.dims[1], weights.dims[2]), weights.dims[3])
      let scratch = try check.output(Operands.scratch)
      try require(check.elements(scratch) >= (try product(try roundUp(depth, 4), 2)))
    }
  }
}

@c(abacus_check_depthwise_convolution)
public func checkDepthwiseConvolution(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  let check = unsafe Checker(call)
  return status { () throws(Status) in
    let p = try check.parameters(ConvolutionParameters.self)
    try check.stage(p.stage)
    let input = try check.input(Operands.input)
    let output = try check.output()
    let weights = try check.input(Operands.weights)
    try require(weights.placement == Placement.constant.rawValue && weights.rank == 3)
    try require(weights.dims[0] == p.window.height && weights.dims[1] == p.window.width)
    try require(weights.dims[2] == output.dims[3] && output.dims[3] % input.dims[3] == 0)
    try check.window(p.window, input: input, output: output)
    try check.channels(output.dims[3])
  }
}

@c(abacus_check_matrix_multiply)
public func checkMatrixMultiply(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  let check = unsafe Checker(call)
  return status { () throws(Status) in
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
}

/// All element-wise operators with two inputs.
private func checkBinary(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  let check = unsafe Checker(call)
  return status { () throws(Status) in
    let p = try check.parameters(BinaryParameters.self)
    try check.stage(p.stage)
    try require(Limits.requantizationShifts.contains(p.innerShift))
    let a = try check.input(Operands.input)
    let b = try check.input(Operands.second)
    let output = try check.output()
    var reachA = Reach()
    var reachB = Reach()
    var rows = UInt32(1)
    for dimension in 0..<Limits.maximumRank {
      try reachA.add(p.dims[dimension], p.strideA[dimension])
      try reachB.add(p.dims[dimension], p.strideB[dimension])
      if dimension < 5 { rows = try product(rows, p.dims[dimension]) }
    }
    try require(reachA.highest < check.elements(a) && reachB.highest < check.elements(b))
    try require(try product(rows, p.dims[5]) == check.elements(output))
    try check.units(rows)
  }
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

private func checkPool(_ check: Checker) throws(Status) -> PoolParameters {
  let p = try check.parameters(PoolParameters.self)
  try check.stage(p.stage)
  let input = try check.input(Operands.input)
  let output = try check.output()
  try check.window(p.window, input: input, output: output)
  try require(p.window.dilationHeight == 1 && p.window.dilationWidth == 1)
  try require(input.dims[3] == output.dims[3])
  return p
}

@c(abacus_check_max_pool)
public func checkMaxPool(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  let check = unsafe Checker(call)
  return status { () throws(Status) in
    _ = try checkPool(check)
  }
}

@c(abacus_check_average_pool)
public func checkAveragePool(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  let check = unsafe Checker(call)
  return status { () throws(Status) in
    let p = try checkPool(check)
    let table = try check.input(Operands.weights, .int32)
    try require(table.placement == Placement.constant.rawValue)
    let entries = check.elements(table)
    let taps = try product(p.window.height, p.window.width)
    try require(entries == 1 || entries == taps)
  }
}

@c(abacus_check_reduce)
public func checkReduce(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  let check = unsafe Checker(call)
  return status { () throws(Status) in
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
}

@c(abacus_check_copy)
public func checkCopy(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  let check = unsafe Checker(call)
  return status { () throws(Status) in
    let p = try check.parameters(CopyParameters.self)
    try require(CopyVariant(rawValue: check.call.record.variant) != nil, .unsupportedOperator)
    try require(check.call.has(Operands.output))
    guard let type = ElementType(rawValue: check.call.tensor(Operands.output).elementType) else {
      throw .corrupt
    }
    try require(type != .int4 && type != .int2, .unsupportedOperator)
    let output = try check.output(Operands.output, type)
    let input = try check.input(Operands.input, type)
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
    try require(try sum(above.highest, p.sourceOffset) < check.elements(input))
    try require(try sum(target.highest, p.destinationOffset) < check.elements(output))
    // No element is written twice, so that strides of 0 cannot make a run endless.
    try require(try product(rows, p.dims[5]) <= check.elements(output))
    if check.call.has(Operands.weights) {
      try require(type == .int8)
      try check.constant(Operands.weights, .int8, count: 256)
    }
    try check.units(rows)
  }
}

@c(abacus_check_gather)
public func checkGather(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  let check = unsafe Checker(call)
  return status { () throws(Status) in
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
}

@c(abacus_check_softmax)
public func checkSoftmax(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  let check = unsafe Checker(call)
  return status { () throws(Status) in
    let p = try check.parameters(SoftmaxParameters.self)
    try require(p.rowLength >= 1 && p.rowLength <= Limits.maximumSoftmaxRow)
    try require(p.multiplier >= 0 && Limits.requantizationShifts.contains(p.shift))
    let input = try check.input(Operands.input)
    try require(check.call.has(Operands.output))
    let isWide = check.call.tensor(Operands.output).elementType == ElementType.int16.rawValue
    let output = try check.output(Operands.output, isWide ? .int16 : .int8)
    try require(check.elements(input) == check.elements(output))
    let rows = check.elements(input) / p.rowLength
    try require(try product(rows, p.rowLength) == check.elements(input))
    if check.call.has(Operands.weights) {
      try check.constant(Operands.weights, .int32, count: 256)
    }
    try check.units(rows)
  }
}

@c(abacus_check_table)
public func checkTable(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  let check = unsafe Checker(call)
  return status { () throws(Status) in
    let input = try check.input(Operands.input)
    let output = try check.output()
    try require(check.elements(input) == check.elements(output))
    try check.constant(Operands.weights, .int8, count: 256)
    try check.units(1)
  }
}

@c(abacus_check_requantize)
public func checkRequantize(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  let check = unsafe Checker(call)
  return status { () throws(Status) in
    let p = try check.parameters(RequantizeParameters.self)
    let types = try integerTypes(check)
    try check.stage(p.stage, types.output)
    let input = try check.input(Operands.input, types.input)
    let output = try check.output(Operands.output, types.output)
    try require(check.elements(input) == check.elements(output))
    try check.units(1)
  }
}

/// Types of input and output, if both are signed integers of at least 8 bits.
private func integerTypes(_ check: Checker) throws(Status) -> (input: ElementType, output: ElementType) {
  try require(check.call.has(Operands.input) && check.call.has(Operands.output))
  guard let input = ElementType(rawValue: check.call.tensor(Operands.input).elementType),
    let output = ElementType(rawValue: check.call.tensor(Operands.output).elementType)
  else { throw .corrupt }
  try require(input == .int8 || input == .int16 || input == .int32, .unsupportedOperator)
  try require(output == .int8 || output == .int16 || output == .int32, .unsupportedOperator)
  return (input, output)
}
