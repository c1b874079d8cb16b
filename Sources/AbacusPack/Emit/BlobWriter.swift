import AbacusFormat

/// Writes a planned program as a blob. `AbacusFormat.docc` is the byte-level specification.
struct BlobWriter {
  private let planned: PlannedProgram
  private let options: PackOptions
  private let metadata: [(key: String, value: String)]
  private var program: Program { planned.program }
  /// Blob index of each program tensor that an operator or the boundary names.
  private var indices: [Program.TensorIndex: Int] = [:]
  private var records: [TensorRecord] = []
  private var names: [String] = []
  private var constants: [UInt8] = []
  /// Constants that are equal are stored once.
  private var constantOffsets: [[UInt8]: Int] = [:]

  init(_ planned: PlannedProgram, options: PackOptions, metadata: [(key: String, value: String)]) {
    self.planned = planned
    self.options = options
    self.metadata = metadata
  }

  static func write(
    _ planned: PlannedProgram, options: PackOptions, metadata: [(key: String, value: String)]
  ) throws -> [UInt8] {
    var writer = BlobWriter(planned, options: options, metadata: metadata)
    return try writer.write()
  }

  private mutating func write() throws -> [UInt8] {
    let boundary = try (program.inputs + program.outputs).map { UInt16(try index(of: $0)) }
    var operators: [UInt8] = []
    var parameters: [UInt8] = []
    for (index, step) in program.steps.enumerated() {
      var record = try record(step, parameterOffset: parameters.count)
      if step.loop != nil, index > 0, program.steps[index - 1].loop == step.loop {
        record.flags = OperatorRecord.Flags.continuesLoop
      } else if step.unitsDescending != nil {
        record.flags = OperatorRecord.Flags.descends
      }
      operators += littleEndianBytes(record)
      parameters += step.parameters
    }
    for state in program.states { _ = try index(of: state) }
    var header = HeaderRecord()
    if let position = program.position {
      header.positionTensor = UInt16(try index(of: position.tensor) + 1)
      header.positionStep = 1
      header.positionLimit = UInt32(position.limit)
    }
    header.arenaBytes = UInt32(planned.plan.arenaBytes)
    header.stackBytes = UInt32(planned.stackBytes)
    header.multiplyAccumulates = program.multiplyAccumulates
    header.tensorCount = UInt32(records.count)
    header.operatorCount = UInt32(program.steps.count)
    header.inputCount = UInt16(program.inputs.count)
    header.outputCount = UInt16(program.outputs.count)

    var blob = [UInt8](repeating: 0, count: HeaderRecord.bytes)
    let sections: [(Section, [UInt8])] = [
      (.tensors, records.flatMap(littleEndianBytes)), (.operators, operators), (.parameters, parameters),
      (.boundary, boundary.flatMap(littleEndianBytes)), (.constants, constants),
      (.names, options.strip ? [] : nameBytes()), (.metadata, options.strip ? [] : metadataBytes()),
      (.reserved, []),
    ]
    for (section, bytes) in sections {
      pad(&blob, to: Int(Limits.sectionAlignment))
      guard blob.count + bytes.count <= Int(Limits.maximumBlobBytes) else {
        throw PackError(.unsupported, "the blob would be larger than 2 GiB")
      }
      header.sections[section.rawValue] = SectionRecord(
        offset: UInt32(blob.count), bytes: UInt32(bytes.count))
      blob += bytes
    }
    pad(&blob, to: Int(Limits.sectionAlignment))
    header.blobBytes = UInt32(blob.count)
    BlobWriter.seal(&blob, header)
    return blob
  }

  /// Stores the header with both checksums.
  static func seal(_ blob: inout [UInt8], _ header: HeaderRecord) {
    var header = header
    header.planChecksum = 0
    header.contentChecksum = 0
    blob.replaceSubrange(0..<HeaderRecord.bytes, with: littleEndianBytes(header))
    var plan = PlanChecksum()
    let constants = Int(header.sections[Section.constants.rawValue].offset)
    blob.withUnsafeBytes { raw in
      let words = Array(stride(from: 0, to: HeaderRecord.checkedBytes, by: 4))
        + Array(stride(from: HeaderRecord.bytes, to: constants, by: 4))
      for offset in words { plan.add(raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
    }
    var content = CRC32()
    for (offset, byte) in blob.enumerated()
    where !(HeaderRecord.checkedBytes..<HeaderRecord.bytes).contains(offset) { content.add(byte) }
    header.planChecksum = plan.value
    header.contentChecksum = content.value
    blob.replaceSubrange(0..<HeaderRecord.bytes, with: littleEndianBytes(header))
  }

  // MARK: Records

  private mutating func index(of tensor: Program.TensorIndex) throws -> Int {
    if let index = indices[tensor] { return index }
    guard records.count < Int(Limits.maximumTensors) else {
      throw PackError(.unsupported, "the model needs more than \(Limits.maximumTensors) tensors")
    }
    let source = program.tensors[tensor]
    var record = TensorRecord()
    record.elementType = source.type.rawValue
    record.rank = UInt8(source.shape.count)
    record.layout = source.layout.rawValue
    record.blockRows = UInt8(source.blockRows)
    record.blockColumns = UInt8(source.blockColumns)
    for (dimension, extent) in source.shape.enumerated() { record.dims[dimension] = UInt32(extent) }
    if let scale = source.scale {
      let dyadic = Dyadic(scale)
      record.scaleMultiplier = dyadic.multiplier
      record.scaleShift = Int8(dyadic.shift)
      record.zeroPoint = Int16(clamping: source.zeroPoint)
    }
    if case .constant(let bytes) = source.storage {
      record.placement = Placement.constant.rawValue
      record.offset = UInt32(store(bytes))
      record.byteCount = UInt32(bytes.count)
      if let groupSize = source.groupSize { record.auxiliary = UInt16(groupSize) }
    } else {
      guard let offset = planned.offsets[tensor] else {
        throw PackError(.malformed, "tensor \"\(source.name)\" has no place in the arena")
      }
      record.placement = (program.states.contains(tensor) ? Placement.state : .arena).rawValue
      record.offset = UInt32(offset)
      record.byteCount = UInt32(source.byteCount)
      if let lines = source.lines {
        record.flags = TensorRecord.Flags.lines
        record.blockRows = UInt8(lines.rowsPerRound)
        record.auxiliary = UInt16(lines.behind)
        record.byteCount = UInt32(lines.count * source.rowBytes)
      } else if planned.isBlock.contains(tensor) {
        record.flags = TensorRecord.Flags.blockOfRows
        record.byteCount = UInt32(blockBytes(of: tensor))
      }
    }
    indices[tensor] = records.count
    records.append(record)
    // Constants and scratch are told by their place among an operator's operands; their names would
    // only take flash.
    if case .buffer = source.storage { names.append(source.name) } else { names.append("") }
    return records.count - 1
  }

  /// Bytes of the units of one block, for a tensor that is in a loop.
  private func blockBytes(of tensor: Program.TensorIndex) -> Int {
    guard let step = program.steps.first(where: { $0.operands.values.contains(tensor) }) else { return 0 }
    return program.tensors[tensor].byteCount / step.units * step.unitsInLoop
  }

  private mutating func store(_ bytes: [UInt8]) -> Int {
    if let offset = constantOffsets[bytes] { return offset }
    pad(&constants, to: Int(Limits.tensorAlignment))
    let offset = constants.count
    constants += bytes
    constantOffsets[bytes] = offset
    return offset
  }

  private mutating func record(_ step: Program.Step, parameterOffset: Int) throws -> OperatorRecord {
    var record = OperatorRecord(opcode: step.opcode)
    record.variant = step.variant
    record.parameterOffset = UInt32(parameterOffset)
    record.units = UInt32(step.units)
    record.unitsPerStep = UInt32(unitsPerStep(step))
    record.delay = UInt32(step.delay)
    for (slot, operand) in step.operands.sorted(by: { $0.key < $1.key }) {
      record.operands[slot] = UInt16(try index(of: operand))
    }
    return record
  }

  /// As many units as keep one `abacus_step` below a stated amount of work; even, because kernels
  /// take rows in pairs.
  private func unitsPerStep(_ step: Program.Step) -> Int {
    if step.loop != nil { return step.unitsInLoop }
    if let units = step.unitsDescending { return units }
    let work = max(Int(step.multiplyAccumulates) / step.units, 1)
    let units = max(options.multiplyAccumulatesPerStep / work, 1)
    if units >= step.units { return step.units }
    return max(units & ~1, 1)
  }

  // MARK: Names and metadata

  private func nameBytes() -> [UInt8] {
    if names.isEmpty { return [] }
    var table: [UInt8] = []
    // The first string is the empty one, which all tensors without a name share.
    var strings: [UInt8] = [0]
    for name in names {
      let text = name.utf8.filter { $0 != 0 }
      table += littleEndianBytes(UInt32(names.count * 4 + (text.isEmpty ? 0 : strings.count)))
      if !text.isEmpty { strings += text + [0] }
    }
    return table + strings
  }

  private func metadataBytes() -> [UInt8] {
    metadata.flatMap { Array($0.key.utf8) + [0] + Array($0.value.utf8.filter { $0 != 0 }) + [0] }
  }
}

/// Appends zeros up to a multiple of `alignment`.
private func pad(_ bytes: inout [UInt8], to alignment: Int) {
  bytes += [UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment)
}
