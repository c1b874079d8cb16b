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
    let header = blob.header
    try require(header.formatVersion == formatVersion, .unsupportedVersion)
    try require(Int(header.headerBytes) == HeaderRecord.bytes)
    try require(header.flags == 0)
    try require(header.blobBytes >= UInt32(HeaderRecord.bytes))
    try require(header.blobBytes <= Limits.maximumBlobBytes)
    try require(UInt(header.blobBytes) <= UInt(bitPattern: available))
    try require(header.arenaBytes <= Limits.maximumArenaBytes)
    try require(header.tensorCount <= Limits.maximumTensors)
    try require(header.operatorCount <= Limits.maximumOperators)
    try require(
      UInt32(header.inputCount) + UInt32(header.outputCount) <= Limits.maximumBoundaryTensors)
  }

  @_optimize(size)
  private func verifySections() throws(Status) {
    let header = blob.header
    // In order, aligned, without overlap, inside the blob.
    var end = UInt32(HeaderRecord.bytes)
    for index in 0..<Section.count {
      let section = header.sections[index]
      try require(section.offset >= end && section.offset <= header.blobBytes)
      try require(section.offset % Limits.sectionAlignment == 0)
      try require(section.bytes <= header.blobBytes - section.offset)
      end = section.offset + section.bytes
    }
    try require(
      blob.section(.tensors).bytes == header.tensorCount * UInt32(TensorRecord.bytes))
    try require(
      blob.section(.operators).bytes == header.operatorCount * UInt32(OperatorRecord.bytes))
    let boundary = UInt32(header.inputCount) + UInt32(header.outputCount)
    try require(blob.section(.boundary).bytes == boundary * 2)
    try require(blob.section(.parameters).bytes % 4 == 0 && blob.section(.reserved).bytes == 0)
  }

  @_optimize(size)
  private func verifyPlanChecksum() throws(Status) {
    var checksum = PlanChecksum()
    let constants = Int(truncatingIfNeeded: blob.section(.constants).offset)
    add(0, HeaderRecord.checkedBytes / 8, to: &checksum)
    add(HeaderRecord.bytes / 8, constants / 8, to: &checksum)
    try require(checksum.value == blob.header.planChecksum)
  }

  /// Adds pairs of words; both parts of the plan have an even number.
  @inline(never)
  private func add(_ first: Int, _ end: Int, to checksum: inout PlanChecksum) {
    var sum = checksum
    var index = first &* 2
    while index < end &* 2 {
      sum.add(blob.word(index))
      sum.add(blob.word(index &+ 1))
      index = index &+ 2
    }
    checksum = sum
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
    if tensor.layout == Layout.codes.rawValue { return try verifyCodes(tensor) }
    try require(tensor.elementType >= 1 && tensor.elementType <= ElementType.int2.rawValue)
    try require(tensor.elementType <= ElementType.int32.rawValue, .unsupportedOperator)
    // 0, 0, 1, 2 for the types 1 to 4.
    let shift = UInt32(max(tensor.elementType, 2) &- 2)
    let elements = try storedElements(tensor)
    try require(elements >= 1 && elements <= Limits.maximumTensorBytes &>> shift)
    let whole = elements &<< shift
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

  /// How many bytes there must be, the operators that take codes know; all others refuse the type.
  @_optimize(size)
  private func verifyCodes(_ tensor: Tensor) throws(Status) {
    try require(tensor.elementType == ElementType.int4.rawValue || tensor.elementType == ElementType.int2.rawValue)
    try require(tensor.placement == Placement.constant.rawValue && tensor.flags == 0)
    try require(tensor.rank <= UInt8(Limits.maximumRank) && tensor.offset % Limits.tensorAlignment == 0)
    let limit = blob.section(.constants).bytes
    try require(tensor.offset <= limit && tensor.byteCount <= limit &- tensor.offset)
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
    let header = blob.header
    for index in 0..<Int(header.inputCount) + Int(header.outputCount) {
      try require(UInt32(truncatingIfNeeded: blob.boundary(index)) < header.tensorCount)
      let tensor = blob.tensor(blob.boundary(index))
      try require(tensor.placement != Placement.constant.rawValue)
      try require(tensor.elementType <= ElementType.int32.rawValue)
      try require(tensor.layout == Layout.plain.rawValue && tensor.flags == 0)
    }
  }

  /// The count of tokens is one int32 of state.
  @_optimize(size)
  private func verifyPosition() throws(Status) {
    let header = blob.header
    if header.positionTensor == 0 {
      return try require(header.positionStep == 0 && header.positionLimit == 0)
    }
    try require(UInt32(header.positionTensor) <= header.tensorCount)
    let tensor = blob.tensor(Int(header.positionTensor) - 1)
    try require(tensor.placement == Placement.state.rawValue && tensor.byteCount == 4)
    try require(tensor.elementType == ElementType.int32.rawValue)
    try require(header.positionStep >= 1 && header.positionLimit <= Limits.maximumTensorBytes)
  }

  /// Names are read by C hosts as strings: each must end inside the section.
  @_optimize(size)
  private func verifyNames() throws(Status) {
    let names = blob.section(.names)
    if names.bytes == 0 { return }
    let table = blob.header.tensorCount * 4
    try require(names.bytes > table)
    try require(blob.byte(Int(truncatingIfNeeded: names.offset + names.bytes - 1)) == 0)
    for index in 0..<Int(truncatingIfNeeded: blob.header.tensorCount) {
      guard let offset = blob.nameOffset(index) else { throw .corrupt }
      try require(offset >= table && offset < names.bytes)
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
    try require(operation.record.parameterOffset <= blob.section(.parameters).bytes)
    try require(operation.record.parameterOffset % 4 == 0)
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
    case .reduce, .copy, .project, .normalize, .activation, .attention, .addWide, .softmaxWide, .codedProject: true
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
  let (value, overflow) = a.multipliedReportingOverflow(by: b)
  try require(!overflow && value <= Limits.maximumTensorBytes)
  return value
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
