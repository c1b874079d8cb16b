import AbacusFormat
import CAbacus

/// What `abacus_session` stores: a blob bound to an arena, and how far a run has come. At most 128
/// bytes; everything else is in the blob.
@safe
struct Session {
  /// Marks a session that `open` has filled: "abacus:1" in memory.
  static let readyTag: UInt64 = 0x313A_7375_6361_6261

  var tag: UInt64
  let blob: BlobView
  let arena: UnsafeMutableRawPointer
  /// Where the next step starts; in a loop, the round.
  var nextOperator: UInt32 = 0
  var nextUnit: UInt32 = 0
  /// Which inner loops this CPU is fastest with; a board has one kind.
  var vectors = VectorInstructions.best

  init(blob: BlobView, arena: UnsafeMutableRawPointer) {
    tag = Self.readyTag
    self.blob = blob
    unsafe self.arena = arena
  }

  /// Whether a run may begin: the position, where the model has one, is below its limit.
  var mayBegin: Bool {
    if blob.header.positionTensor == 0 { return true }
    let end = unsafe UInt32(bitPattern: position.pointee).addingReportingOverflow(UInt32(blob.header.positionStep))
    return !end.overflow && end.partialValue <= blob.header.positionLimit
  }

  /// Nothing of the next run is executed yet.
  var isBetweenRuns: Bool { nextOperator == 0 && nextUnit == 0 }

  /// Executes what is left of a run. Operators that are not part of a loop are executed as a whole.
  mutating func run() {
    while advance(isWhole: true) {}
  }

  /// Executes one slice of one operator. False when the run is complete; the next step then
  /// starts a new run.
  mutating func step() -> Bool { advance(isWhole: false) }

  @inline(never)
  private mutating func advance(isWhole: Bool) -> Bool {
    if nextOperator < blob.header.operatorCount {
      if continuesLoop(nextOperator) || continuesLoop(nextOperator &+ 1) { runRound() } else { runSlice(isWhole: isWhole) }
    }
    if nextOperator < blob.header.operatorCount { return true }
    nextOperator = 0
    if blob.header.positionTensor != 0 {
      unsafe position.pointee = position.pointee &+ Int32(blob.header.positionStep)
    }
    return false
  }

  // Neither is inlined: their frames would add up under every kernel.

  @inline(never)
  private mutating func runSlice(isWhole: Bool) {
    let index = Int(truncatingIfNeeded: nextOperator)
    var call = unsafe blob.kernelCall(index, arena: arena)
    let record = unsafe blob.operatorRecord(index)
    let units = unsafe record.pointee.units
    let descends = unsafe record.pointee.flags == OperatorRecord.Flags.descends
    let end =
      unsafe isWhole && !descends ? units : min(nextUnit &+ record.pointee.unitsPerStep, units)
    unsafe call.first_unit = descends ? units &- end : nextUnit
    unsafe call.end_unit = descends ? units &- nextUnit : end
    unsafe call.vectors = vectors.rawValue
    unsafe abacus_dispatch_run(UInt32(record.pointee.opcode), &call)
    nextUnit = end
    if end == units {
      nextOperator = nextOperator &+ 1
      nextUnit = 0
    }
  }

  /// What one operator of a loop does in one round; `nextUnit` counts rounds. After the last operator the
  /// next round begins.
  @inline(never)
  private mutating func runRound() {
    let index = Int(truncatingIfNeeded: nextOperator)
    var call = unsafe blob.kernelCall(index, arena: arena)
    let record = unsafe blob.operatorRecord(index)
    unsafe call.vectors = vectors.rawValue
    unsafe call.round = nextUnit
    unsafe call.first_unit = record.pointee.firstUnit(inRound: nextUnit)
    unsafe call.end_unit = record.pointee.firstUnit(inRound: nextUnit &+ 1)
    if nextUnit != 0 { unsafe moveLines(call.first_unit) }
    if unsafe call.first_unit != call.end_unit { unsafe abacus_dispatch_run(UInt32(record.pointee.opcode), &call) }
    nextOperator = nextOperator &+ 1
    if continuesLoop(nextOperator) { return }
    nextUnit = nextUnit &+ 1
    if unsafe call.end_unit == record.pointee.units {
      nextUnit = 0
      return
    }
    repeat { nextOperator = nextOperator &- 1 } while continuesLoop(nextOperator)
  }

  /// Rows of the output, above the first unit of this round, that are still needed move to the beginning of its
  /// lines. Not inlined: the kernel finds its frame gone.
  @inline(never)
  private func moveLines(_ firstUnit: UInt32) {
    let record = unsafe blob.operatorRecord(Int(truncatingIfNeeded: nextOperator))
    let tensor = unsafe blob.tensor(Int(truncatingIfNeeded: record.pointee.operands[Operands.output]))
    if tensor.flags != TensorRecord.Flags.lines { return }
    let first = tensor.bytesBefore(round: nextUnit)
    let past = first &- tensor.bytesBefore(round: nextUnit &- 1)
    let rowBytes = tensor.dims[2] &* tensor.dims[3]
    let left = Int(truncatingIfNeeded: firstUnit &* rowBytes) &- first
    if past == 0 || left <= 0 { return }
    let target = unsafe arena + Int(truncatingIfNeeded: tensor.offset)
    unsafe target.copyMemory(from: target + past, byteCount: left)
  }

  /// An operator goes on with the block of the operator before it.
  private func continuesLoop(_ index: UInt32) -> Bool {
    if index >= blob.header.operatorCount { return false }
    return unsafe blob.operatorRecord(Int(truncatingIfNeeded: index)).pointee.flags
      & OperatorRecord.Flags.continuesLoop != 0
  }

  /// Where the model counts its tokens; only for models that do.
  private var position: UnsafeMutablePointer<Int32> {
    let tensor = blob.tensor(Int(blob.header.positionTensor) &- 1)
    return unsafe (arena + Int(truncatingIfNeeded: tensor.offset)).assumingMemoryBound(to: Int32.self)
  }

  /// Sets every state tensor to its initial value and forgets a run that has begun.
  mutating func reset() {
    nextOperator = 0
    nextUnit = 0
    for index in 0..<Int(truncatingIfNeeded: blob.header.tensorCount) {
      let tensor = blob.tensor(index)
      if tensor.placement == Placement.state.rawValue { initialize(tensor) }
    }
  }

  private func initialize(_ tensor: Tensor) {
    let count = Int(truncatingIfNeeded: tensor.byteCount)
    let target = unsafe arena + Int(truncatingIfNeeded: tensor.offset)
    if tensor.auxiliary != TensorRecord.none {
      let initial = blob.tensor(Int(truncatingIfNeeded: tensor.auxiliary))
      unsafe target.copyMemory(from: blob.address(.constants, initial.offset), byteCount: count)
      return
    }
    // Real zero: the zero point in the tensor's own width.
    let bytes = unsafe target.assumingMemoryBound(to: UInt8.self)
    if tensor.zeroPoint == 0 || tensor.elementType == ElementType.int8.rawValue {
      unsafe bytes.update(repeating: UInt8(truncatingIfNeeded: tensor.zeroPoint), count: count)
      return
    }
    let width =
      switch tensor.elementType {
      case ElementType.int16.rawValue: 2
      case ElementType.int32.rawValue: 4
      default: 1
      }
    for i in 0..<count {
      let byte = i & (width &- 1)
      unsafe bytes[i] = UInt8(truncatingIfNeeded: tensor.zeroPoint &>> Int16(truncatingIfNeeded: min(byte &* 8, 15)))
    }
  }

  /// The view of a boundary tensor; inputs come first.
  func describe(_ index: Int, _ view: UnsafeMutablePointer<abacus_tensor>) {
    let tensorIndex = blob.boundary(index)
    let tensor = blob.tensor(tensorIndex)
    unsafe view.pointee = abacus_tensor(
      data: arena + Int(truncatingIfNeeded: tensor.offset), bytes: tensor.byteCount,
      dtype: abacus_dtype(rawValue: UInt32(tensor.elementType)), rank: UInt32(tensor.rank),
      dims: (
        tensor.dims[0], tensor.dims[1], tensor.dims[2], tensor.dims[3], tensor.dims[4], tensor.dims[5]
      ),
      zero_point: Int32(tensor.zeroPoint), multiplier: tensor.scaleMultiplier, shift: Int32(tensor.scaleShift),
      name: name(tensorIndex))
  }

  private func name(_ tensor: Int) -> UnsafePointer<CChar> {
    if let offset = blob.nameOffset(tensor) {
      return unsafe blob.address(.names, offset).assumingMemoryBound(to: CChar.self)
    }
    return unsafe UnsafeRawPointer(emptyName.utf8Start).assumingMemoryBound(to: CChar.self)
  }
}

extension OperatorRecord {
  /// The first unit that a round of a loop makes.
  fileprivate func firstUnit(inRound round: UInt32) -> UInt32 {
    let unit = round &* unitsPerStep
    return unit > delay ? min(unit &- delay, units) : 0
  }
}

private let emptyName: StaticString = ""
