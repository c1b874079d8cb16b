import AbacusFormat
import CAbacus

/// Operands and parameters of one operator that is not trusted yet.
struct Checker {
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
  @_optimize(size)
  func tensor(_ slot: Int, _ type: ElementType) throws(Status) -> Tensor {
    try require(call.has(slot))
    let tensor = call.tensor(slot)
    try require(tensor.elementType == type.rawValue, .unsupportedOperator)
    return tensor
  }

  /// A run-time input or plain constant, all of it there.
  @_optimize(size)
  func input(_ slot: Int, _ type: ElementType = .int8) throws(Status) -> Tensor {
    let tensor = try rows(slot, type)
    try require(tensor.flags == 0)
    return tensor
  }

  /// An operand of which the kernel looks, while it is at a unit, only at that unit's share: it may
  /// be a block of rows.
  @_optimize(size)
  func rows(_ slot: Int, _ type: ElementType = .int8) throws(Status) -> Tensor {
    let tensor = try tensor(slot, type)
    try require(tensor.layout == Layout.plain.rawValue)
    if tensor.flags != 0 {
      try require(tensor.flags == TensorRecord.Flags.blockOfRows)
      let all = try product(elements(tensor), type.bits / 8)
      let share = all / call.record.units
      try require(share &* call.record.units == all)
      try require(saturatedProduct(share, call.record.unitsPerStep) <= tensor.byteCount)
    }
    return tensor
  }

  /// An image, or lines of one, of which a unit reads or writes one row.
  @inline(__always)
  @_optimize(size)
  func image(_ slot: Int) throws(Status) -> Tensor {
    try lines(slot, stride: 1, padding: 0, reach: 1)
    let tensor = call.tensor(slot)
    try require(tensor.flags == 0 || call.record.units == tensor.dims[1])
    return tensor
  }

  /// An operand of bytes. Lines hold, in every round, the rows that the units at hand read or write:
  /// `stride` rows further with each unit, `reach` at a time, the first unit's from `padding` rows before the
  /// image on. Not inlined, and without a result, so that checks keep small frames.
  @inline(never)
  @_optimize(size)
  private func lines(_ slot: Int, stride: UInt32, padding: UInt32, reach: UInt32) throws(Status) {
    try require(call.has(slot))
    let tensor = call.tensor(slot)
    try require(tensor.elementType == ElementType.int8.rawValue, .unsupportedOperator)
    try require(tensor.layout == Layout.plain.rawValue)
    if tensor.flags == 0 { return }
    try require(tensor.flags == TensorRecord.Flags.lines && tensor.rank == 4 && tensor.dims[0] == 1)
    try require(saturatedProduct(call.record.unitsPerStep, stride) == UInt32(tensor.blockRows))
    let behind = try sum(product(call.record.delay, stride), padding)
    try require(UInt32(tensor.auxiliary) >= behind)
    let rows = try sum(UInt32(tensor.auxiliary) &- behind &+ UInt32(tensor.blockRows) &- stride, reach)
    try require(saturatedProduct(rows, tensor.dims[2] &* tensor.dims[3]) <= tensor.byteCount)
  }

  /// An operand of which the kernel looks, while it is at a unit, only at that unit's share.
  @_optimize(size)
  func shares(_ slot: Int, _ type: ElementType = .int8) throws(Status) -> Tensor {
    try require(call.has(slot))
    return call.tensor(slot).flags == TensorRecord.Flags.lines && type == .int8 ? try image(slot) : try rows(slot, type)
  }

  /// A tensor in the arena of which a unit writes its share.
  @_optimize(size)
  func outputShares(_ type: ElementType = .int8) throws(Status) -> Tensor {
    let tensor = try shares(Operands.output, type)
    try require(tensor.placement != Placement.constant.rawValue)
    return tensor
  }

  /// Elements of such an operand. Not inlined, so that a check of many operands keeps a small frame.
  @inline(never)
  func countInRows(_ slot: Int, _ type: ElementType = .int8) throws(Status) -> UInt32 {
    elements(try rows(slot, type))
  }

  /// Elements of a run-time input or plain constant, all of it there.
  @inline(never)
  @_optimize(size)
  func count(_ slot: Int, _ type: ElementType = .int8) throws(Status) -> UInt32 {
    elements(try input(slot, type))
  }

  /// A tensor in the arena, all of it there.
  @_optimize(size)
  func output(_ slot: Int = Operands.output, _ type: ElementType = .int8) throws(Status) -> Tensor {
    let tensor = try input(slot, type)
    try require(tensor.placement != Placement.constant.rawValue)
    return tensor
  }

  /// A tensor in the arena that may be a block of rows.
  @_optimize(size)
  func outputRows(_ type: ElementType = .int8) throws(Status) -> Tensor {
    let tensor = try rows(Operands.output, type)
    try require(tensor.placement != Placement.constant.rawValue)
    return tensor
  }

  /// The type of an operand that must be there, one of two or three.
  @_optimize(size)
  func type(
    _ slot: Int, oneOf first: ElementType, _ second: ElementType, _ third: ElementType? = nil
  ) throws(Status) -> ElementType {
    try require(call.has(slot))
    guard let type = ElementType(rawValue: call.tensor(slot).elementType) else { throw .corrupt }
    try require(type == first || type == second || type == third, .unsupportedOperator)
    return type
  }

  /// A constant with an exact number of elements.
  @_optimize(size)
  func constant(_ slot: Int, _ type: ElementType, count: UInt32) throws(Status) {
    let tensor = try input(slot, type)
    try require(tensor.placement == Placement.constant.rawValue && elements(tensor) == count)
  }

  /// Bias and multiplier, and the shifts if any, of `count` channels.
  @_optimize(size)
  func channels(_ count: UInt32) throws(Status) {
    try constant(Operands.channels, .int32, count: saturatedProduct(count, 2))
    if call.has(Operands.shifts) { try constant(Operands.shifts, .uint8, count: count) }
  }

  /// Scratch in which rows are widened for weights in pairs of channels; without it the operator is slower.
  ///
  /// - Parameter bytes: so many for rows of `depth` elements, where those are no more than may be.
  @inline(never)
  @_optimize(size)
  func pairedScratch(depth: UInt32, bytes: UInt32) throws(Status) {
    guard call.tensor(Operands.weights).layout == Layout.paired.rawValue, call.has(Operands.scratch) else { return }
    try require(depth <= PairedLayout.maximumDepth)
    try scratch(bytes)
  }

  /// Scratch of at least so many bytes.
  @inline(never)
  @_optimize(size)
  func scratch(_ bytes: UInt32) throws(Status) {
    try require(elements(try output(Operands.scratch)) >= bytes)
  }

  /// Scratch of a depthwise convolution, where there is some, holds the lines that the kernel takes for
  /// granted.
  @_optimize(size)
  func lineScratch(_ window: Window, _ output: Tensor) throws(Status) {
    let (height, width) = (output.dims[1], output.dims[2])
    guard call.has(Operands.scratch), DepthwiseLines.suits(window, outputHeight: height, outputWidth: width)
    else { return }
    try scratch(DepthwiseLines.scratchBytes(window, outputHeight: height, outputWidth: width))
  }

  @inline(never)
  func elements(_ tensor: Tensor) -> UInt32 {
    UInt32(truncatingIfNeeded: tensor.elementCount)
  }

  func units(_ count: UInt32) throws(Status) {
    try require(call.record.units == count)
  }

  /// Units of an operator that may split `count` elements into any number of equal parts.
  func units(dividing count: UInt32) throws(Status) {
    try require(count % call.record.units == 0)
  }

  @_optimize(size)
  func stage(_ stage: OutputStage, _ type: ElementType = .int8) throws(Status) {
    try require(Limits.requantizationShifts.contains(stage.shift))
    try clamp(stage, type)
  }

  /// The same where the shift stands elsewhere.
  @_optimize(size)
  func clamp(_ stage: OutputStage, _ type: ElementType) throws(Status) {
    try require(stage.low <= stage.high)
    if type == .int32 { return try require(stage.zeroPoint == 0) }
    let half: Int32 = type == .int16 ? 0x8000 : 0x80
    try require(stage.low >= -half && stage.high < half)
    try require(stage.zeroPoint >= -half && stage.zeroPoint < half)
  }

  /// int32 tensors have no zero point; the others fit 16 bits, so that no clamp can wrap.
  @_optimize(size)
  func zeroPoint(_ zeroPoint: Int32, _ type: ElementType) throws(Status) {
    if type == .int32 {
      try require(zeroPoint == 0)
      return
    }
    let half: Int32 = type == .int16 ? 0x8000 : 0x80
    try require(zeroPoint >= -half && zeroPoint < half)
  }

  /// The count of tokens.
  func position() throws(Status) {
    let position = try input(Operands.position, .int32)
    try require(position.placement == Placement.state.rawValue && elements(position) == 1)
  }

  /// Input and output of 8 or 16 bits, in equal rows; a unit is a row. 16 bits are symmetric.
  @_optimize(size)
  func codeRows(_ stage: OutputStage, inputZeroPoint: Int32, rowLength: UInt32) throws(Status) {
    let types = (
      input: try type(Operands.input, oneOf: .int8, .int16),
      output: try type(Operands.output, oneOf: .int8, .int16)
    )
    try self.stage(stage, types.output)
    try require(types.input == .int8 ? (-128...127).contains(inputZeroPoint) : inputZeroPoint == 0)
    let input = try rows(Operands.input, types.input)
    let output = try outputRows(types.output)
    try require(rowLength >= 1 && elements(input) == elements(output))
    try require(try product(elements(input) / rowLength, rowLength) == elements(input))
    try units(elements(input) / rowLength)
  }

  /// Bounds of an exponential by shifts, so that it neither divides by 0 nor wraps.
  @_optimize(size)
  func exponent(_ exponent: ShiftExponentParameters) throws(Status) {
    try require(Limits.exponentUnits.contains(exponent.unit))
    try require(Limits.exponentOctaves.contains(exponent.octaves))
    try require(Limits.quotientBits.contains(exponent.quotientBits))
    try require(exponent.keepsHalfBit <= 1)
  }

  /// What all operators with a window demand: images of four dimensions, or lines of them, such that no row or column
  /// index can wrap; a unit is a row of the output. Their parameters begin as those of a pool.
  @inline(never)
  @_optimize(size)
  func window() throws(Status) {
    let p = try parameters(PoolParameters.self)
    let w = p.window
    try stage(p.stage)
    let all = w.height | w.width | w.strideHeight | w.strideWidth | w.dilationHeight | w.dilationWidth | w.padTop | w.padLeft
    try require(all <= Limits.maximumWindowParameter)
    try require(w.height >= 1 && w.width >= 1 && w.dilationHeight >= 1 && w.dilationWidth >= 1)
    try lines(
      Operands.input, stride: w.strideHeight, padding: w.padTop, reach: (w.height &- 1) &* w.dilationHeight &+ 1)
    try lines(Operands.output, stride: 1, padding: 0, reach: 1)
    let (input, output) = (call.tensor(Operands.input), call.tensor(Operands.output))
    try require(output.placement != Placement.constant.rawValue)
    try require(input.rank == 4 && output.rank == 4 && input.dims[0] == output.dims[0])
    let limit = Limits.maximumTensorBytes / 2
    try require(saturatedProduct(output.dims[1], w.strideHeight) <= limit)
    try require(saturatedProduct(output.dims[2], w.strideWidth) <= limit)
    try units(saturatedProduct(output.dims[0], output.dims[1]))
  }
}

/// How far the index of one operand can reach.
struct Reach {
  private(set) var highest: UInt32 = 0

  /// Adds a loop of `extent` rounds over steps of `stride` elements.
  mutating func add(_ extent: UInt32, _ stride: UInt32) throws(Status) {
    try require(extent >= 1)
    if stride == 0 { return }
    highest = try sum(highest, try product(extent - 1, stride))
  }
}

/// What a check returns to the dispatch. Checks run once, at open, and are compiled for size.
@inline(__always)
func status(
  _ call: UnsafePointer<abacus_kernel_call>, _ check: (Checker) throws(Status) -> Void
) -> abacus_status {
  do {
    try check(unsafe Checker(call))
    return ABACUS_OK
  } catch {
    return code(of: error)
  }
}

@inline(never)
private func code(of status: Status) -> abacus_status { abacus_status(rawValue: status.rawValue) }
