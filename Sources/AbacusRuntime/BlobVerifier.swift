import AbacusFormat
import CAbacus

// Every decision of trust about a blob's structure; what one operator demands of its operands is in
// OperatorChecks.swift. After a successful verification no kernel can form an address outside
// [blob, blob + bytes) or the arena, whatever the constants hold. The time taken is proportional to
// the number of operators and tensors.

struct BlobVerifier {
  private let blob: BlobView
  private let available: Int

  /// - Parameter blob: aligned to 16 bytes.
  init(_ blob: BlobView, bytes: Int) {
    self.blob = blob
    available = bytes
  }

  @_optimize(size)
  func verify() throws(Status) {
    try verifyHeader()
    try verifySections()
    try verifyPlanChecksum()
    try verifyTensors()
    try verifyBoundary()
    try verifyNames()
    try verifyOperators()
    try verifyPosition()
  }

  // MARK: Header and sections

  /// Magic, version and sizes: enough for the sections to be looked at.
  @_optimize(size)
  func verifyHeader() throws(Status) {
    try require(available >= 4 && blob.word(0) == HeaderRecord.magic, .notAModel)
    try require(available >= HeaderRecord.bytes)
    try require(blob.header.formatVersion == formatVersion, .unsupportedVersion)
    try require(Int(blob.header.headerBytes) == HeaderRecord.bytes)
    try require(blob.header.flags == 0)
    try require(blob.header.blobBytes >= UInt32(HeaderRecord.bytes))
    try require(blob.header.blobBytes <= Limits.maximumBlobBytes)
    try require(UInt(blob.header.blobBytes) <= UInt(bitPattern: available))
    try require(blob.header.arenaBytes <= Limits.maximumArenaBytes)
    try require(blob.header.tensorCount <= Limits.maximumTensors)
    try require(blob.header.operatorCount <= Limits.maximumOperators)
    try require(boundaryCount <= Limits.maximumBoundaryTensors)
  }

  /// Inputs and outputs.
  private var boundaryCount: UInt32 { UInt32(blob.header.inputCount) &+ UInt32(blob.header.outputCount) }

  @_optimize(size)
  private func verifySections() throws(Status) {
    // In order, aligned, without overlap, inside the blob.
    var end = UInt32(HeaderRecord.bytes)
    for index in 0..<Section.count {
      let (offset, bytes) = (blob.header.sections[index].offset, blob.header.sections[index].bytes)
      try require(offset >= end && offset <= blob.header.blobBytes)
      try require(offset % Limits.sectionAlignment == 0)
      try require(bytes <= blob.header.blobBytes &- offset)
      end = offset &+ bytes
    }
    try require(blob.section(.tensors).bytes == blob.header.tensorCount &* UInt32(TensorRecord.bytes))
    try require(blob.section(.operators).bytes == blob.header.operatorCount &* UInt32(OperatorRecord.bytes))
    try require(blob.section(.boundary).bytes == boundaryCount &* 2)
    try require(blob.section(.parameters).bytes % 4 == 0 && blob.section(.reserved).bytes == 0)
  }

  @_optimize(size)
  private func verifyPlanChecksum() throws(Status) {
    let header = add(words: 0..<HeaderRecord.checkedBytes / 4, to: PlanChecksum())
    let constants = Int(truncatingIfNeeded: blob.section(.constants).offset)
    let plan = add(words: HeaderRecord.bytes / 4..<constants / 4, to: header)
    try require(plan.value == blob.header.planChecksum)
  }

  @inline(never)
  private func add(words: Range<Int>, to checksum: PlanChecksum) -> PlanChecksum {
    var checksum = checksum
    for index in words { checksum.add(blob.word(index)) }
    return checksum
  }

  /// CRC-32 of the whole content, both checksums left out.
  @_optimize(size)
  func verifyContentChecksum() throws(Status) {
    var checksum = CRC32()
    for index in 0..<HeaderRecord.checkedBytes { checksum.add(blob.byte(index)) }
    for index in HeaderRecord.bytes..<Int(truncatingIfNeeded: blob.header.blobBytes) {
      checksum.add(blob.byte(index))
    }
    try require(checksum.value == blob.header.contentChecksum)
  }

  // MARK: Tensors

  @_optimize(size)
  private func verifyTensors() throws(Status) {
    for index in 0..<Int(truncatingIfNeeded: blob.header.tensorCount) {
      try verify(blob.tensor(index))
    }
  }

  @inline(never)
  @_optimize(size)
  private func verify(_ tensor: Tensor) throws(Status) {
    let whole = tensor.layout == Layout.codes.rawValue ? try codedBytes(tensor) : try storedBytes(tensor)
    if tensor.flags == 0 {
      try require(tensor.byteCount == whole)
    } else {
      // How many rows each operator needs of it, the operator's own check compares.
      try require(tensor.flags <= TensorRecord.Flags.lines)
      try require(tensor.placement == Placement.arena.rawValue && tensor.layout == Layout.plain.rawValue)
      try require(tensor.byteCount <= whole)
    }
    let isConstant = tensor.placement == Placement.constant.rawValue
    let limit = isConstant ? blob.section(.constants).bytes : blob.header.arenaBytes
    try require(tensor.offset % Limits.tensorAlignment == 0)
    try require(tensor.offset <= limit && tensor.byteCount <= limit &- tensor.offset)
    if isConstant || tensor.placement == Placement.arena.rawValue { return }
    try require(tensor.placement == Placement.state.rawValue)
    if tensor.auxiliary != TensorRecord.none { try verifyInitialValue(of: tensor) }
  }

  /// Any: how many there must be, the operators that take codes know; all others refuse the type.
  @inline(__always)
  private func codedBytes(_ tensor: Tensor) throws(Status) -> UInt32 {
    try require(tensor.elementType == ElementType.int4.rawValue || tensor.elementType == ElementType.int2.rawValue)
    try require(tensor.placement == Placement.constant.rawValue && tensor.rank <= UInt8(Limits.maximumRank))
    for dimension in 0..<Limits.maximumRank { try require(tensor.dims[dimension] >= 1) }
    return tensor.byteCount
  }

  @inline(__always)
  private func storedBytes(_ tensor: Tensor) throws(Status) -> UInt32 {
    try require(tensor.elementType >= 1 && tensor.elementType <= ElementType.int2.rawValue)
    try require(tensor.elementType <= ElementType.int32.rawValue, .unsupportedOperator)
    // 0, 0, 1, 2 for the types 1 to 4.
    let shift = UInt32(max(tensor.elementType, 2) &- 2)
    let elements = try storedElements(tensor)
    try require(elements >= 1 && elements <= Limits.maximumTensorBytes &>> shift)
    return elements &<< shift
  }

  /// Elements that extents and layout imply, padding included. All high words of products are 0 where this is no more
  /// than the limit.
  @inline(__always)
  private func storedElements(_ tensor: Tensor) throws(Status) -> UInt32 {
    let rank = Int(tensor.rank)
    try require(rank <= Limits.maximumRank)
    var high: UInt32 = 0
    var columns: UInt32 = 1
    for dimension in 1..<Limits.maximumRank {
      let extent = tensor.dims[dimension]
      if extent == 1 { continue }
      try require(dimension < rank)
      columns = multiply(columns, extent, &high)
    }
    var rows = tensor.dims[0]
    try require(rank > 0 || rows == 1)
    if tensor.layout == Layout.plain.rawValue {
      try require(tensor.blockRows == 1 || tensor.flags == TensorRecord.Flags.lines)
      try require(tensor.blockColumns == 1)
    } else {
      try verifyBlocks(of: tensor)
      try require(high == 0)
      rows = try roundUp(rows, UInt32(tensor.blockRows))
      columns = try roundUp(columns, UInt32(tensor.blockColumns))
    }
    let elements = multiply(rows, columns, &high)
    try require(high == 0)
    return elements
  }

  @inline(__always)
  private func multiply(_ a: UInt32, _ b: UInt32, _ high: inout UInt32) -> UInt32 {
    let product = a.multipliedFullWidth(by: b)
    high |= product.high
    return product.low
  }

  @inline(never)
  @_optimize(size)
  private func verifyBlocks(of tensor: Tensor) throws(Status) {
    try require(tensor.layout <= Layout.paired.rawValue)
    try require(
      tensor.layout == Layout.blocked.rawValue || tensor.layout == Layout.paired.rawValue, .unsupportedOperator)
    try require(tensor.placement == Placement.constant.rawValue && tensor.rank >= 2)
    try require(tensor.blockRows >= 1 && tensor.blockColumns >= 1)
    if tensor.layout == Layout.blocked.rawValue { return }
    try require(tensor.blockRows == PairedLayout.rows && tensor.blockColumns == PairedLayout.columns)
  }

  @_optimize(size)
  private func verifyInitialValue(of tensor: Tensor) throws(Status) {
    try require(UInt32(tensor.auxiliary) < blob.header.tensorCount)
    let initial = blob.tensor(Int(tensor.auxiliary))
    try require(initial.placement == Placement.constant.rawValue)
    try require(initial.byteCount == tensor.byteCount)
  }

  // MARK: Boundary and names

  @_optimize(size)
  private func verifyBoundary() throws(Status) {
    for index in 0..<Int(truncatingIfNeeded: boundaryCount) {
      try require(UInt32(truncatingIfNeeded: blob.boundary(index)) < blob.header.tensorCount)
      let tensor = blob.tensor(blob.boundary(index))
      try require(tensor.placement != Placement.constant.rawValue)
      try require(tensor.layout == Layout.plain.rawValue && tensor.flags == 0)
    }
  }

  /// The count of tokens is one int32 of state.
  @_optimize(size)
  private func verifyPosition() throws(Status) {
    let place = UInt32(blob.header.positionTensor)
    if place == 0 {
      return try require(blob.header.positionStep == 0 && blob.header.positionLimit == 0)
    }
    try require(place <= blob.header.tensorCount)
    let tensor = blob.tensor(Int(truncatingIfNeeded: place &- 1))
    try require(tensor.placement == Placement.state.rawValue && tensor.byteCount == 4)
    try require(tensor.elementType == ElementType.int32.rawValue)
    try require(blob.header.positionStep >= 1 && blob.header.positionLimit <= Limits.maximumTensorBytes)
  }

  /// Names are read by C hosts as strings: each must end inside the section.
  @_optimize(size)
  private func verifyNames() throws(Status) {
    let (start, bytes) = (blob.section(.names).offset, blob.section(.names).bytes)
    if bytes == 0 { return }
    let table = blob.header.tensorCount &* 4
    try require(bytes > table)
    try require(blob.byte(Int(truncatingIfNeeded: start &+ bytes &- 1)) == 0)
    for index in 0..<Int(truncatingIfNeeded: blob.header.tensorCount) {
      guard let offset = blob.nameOffset(index) else { throw .corrupt }
      try require(offset >= table && offset < bytes)
    }
  }

  // MARK: Operators

  @_optimize(size)
  private func verifyOperators() throws(Status) {
    var unitsInRound = UInt32(1)
    var continues = continuesLoop(0)
    try require(!continues)
    for index in 0..<Int(truncatingIfNeeded: blob.header.operatorCount) {
      let goesOn = continuesLoop(index &+ 1)
      let parameters = unsafe blob.operatorRecord(index).pointee.parameterOffset
      try require(parameters <= blob.section(.parameters).bytes && parameters % 4 == 0)
      var call = unsafe blob.kernelCall(index, arena: nil)
      let operation = unsafe Invocation(&call)
      try verify(operation, isInLoop: continues || goesOn)
      if continues || goesOn {
        unitsInRound = max(continues ? unitsInRound : 1, operation.record.unitsPerStep)
        try verifyRounds(operation, unitsInRound: unitsInRound, isLast: !goesOn)
      }
      let status = unsafe abacus_dispatch_check(UInt32(operation.record.opcode), &call)
      if status != ABACUS_OK { throw Status(rawValue: status.rawValue) ?? .corrupt }
      continues = goesOn
    }
  }

  /// What holds for every operator.
  @inline(__always)
  private func verify(_ operation: Invocation, isInLoop: Bool) throws(Status) {
    try require(operation.record.flags <= OperatorRecord.Flags.descends)
    try require(hasForms(operation.record.opcode) || operation.record.variant == 0, .unsupportedOperator)
    try require(operation.record.units &- 1 < Limits.maximumTensorBytes)
    try require(operation.record.unitsPerStep &- 1 < Limits.maximumTensorBytes)
    try require(isInLoop || operation.record.delay == 0)
    for slot in 0..<Limits.maximumOperands where operation.has(slot) {
      try require(UInt32(operation.record.operands[slot]) < blob.header.tensorCount)
      // An operator outside of loops makes all its units at once, for which a block has no room.
      try require(isInLoop || operation.tensor(slot).flags == 0)
    }
  }

  private func continuesLoop(_ index: Int) -> Bool {
    if index >= Int(truncatingIfNeeded: blob.header.operatorCount) { return false }
    return unsafe blob.operatorRecord(index).pointee.flags == OperatorRecord.Flags.continuesLoop
  }

  /// No unit of any round wraps; the last operator of a loop says how many rounds there are.
  ///
  /// - Parameter unitsInRound: most units that an operator of the loop, up to this one, makes in a round.
  @inline(never)
  @_optimize(size)
  private func verifyRounds(_ operation: Invocation, unitsInRound: UInt32, isLast: Bool) throws(Status) {
    let (delay, unitsPerStep) = (operation.record.delay, operation.record.unitsPerStep)
    try require(operation.record.flags != OperatorRecord.Flags.descends)
    try require(delay <= Limits.maximumDelay)
    let end = try sum(operation.record.units, delay)
    if isLast { _ = try product(end / unitsPerStep + 2, unitsInRound) }
  }

  /// True where the operator's own check looks at the variant.
  private func hasForms(_ opcode: UInt8) -> Bool {
    switch Opcode(rawValue: opcode) {
    case .reduce, .copy, .project, .normalize, .activation, .attention, .addWide, .softmaxWide, .codedProject, .sparseProject: true
    default: false
    }
  }
}

extension BlobView {
  /// What a kernel, or its check, gets for operator `index`.
  @inline(__always)
  func kernelCall(_ index: Int, arena: UnsafeMutableRawPointer?) -> abacus_kernel_call {
    let record = unsafe operatorRecord(index)
    return unsafe abacus_kernel_call(
      operator_record: record, tensors: address(.tensors),
      parameters: address(.parameters, record.pointee.parameterOffset),
      parameter_bytes: section(.parameters).bytes &- record.pointee.parameterOffset,
      constants: address(.constants), arena: arena, first_unit: 0, end_unit: record.pointee.units,
      vectors: VectorInstructions.common.rawValue, round: 0)
  }
}

/// Throws unless `condition` holds.
@inline(__always)
func require(_ condition: Bool, _ status: Status = .corrupt) throws(Status) {
  if !condition { throw status }
}

/// A product of extents, within the limit.
@inline(__always)
func product(_ a: UInt32, _ b: UInt32) throws(Status) -> UInt32 {
  let value = saturatedProduct(a, b)
  try require(value <= Limits.maximumTensorBytes)
  return value
}

/// A product of extents, none of which is 0; where it does not fit, the greatest number, which is beyond any limit and
/// makes every further product so.
@inline(never)
func saturatedProduct(_ a: UInt32, _ b: UInt32) -> UInt32 {
  let product = a.multipliedFullWidth(by: b)
  return product.high == 0 ? product.low : .max
}

/// A sum, within the limit.
@inline(__always)
func sum(_ a: UInt32, _ b: UInt32) throws(Status) -> UInt32 {
  let (value, overflow) = a.addingReportingOverflow(b)
  try require(!overflow && value <= Limits.maximumTensorBytes)
  return value
}

/// The next multiple of a small number.
@inline(__always)
func roundUp(_ value: UInt32, _ multiple: UInt32) throws(Status) -> UInt32 {
  try require(value <= Limits.maximumTensorBytes)
  return (value &+ multiple &- 1) / multiple &* multiple
}
