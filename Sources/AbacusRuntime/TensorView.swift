import AbacusFormat
import CAbacus

// The one place where a pointer becomes a view, and with Vectors.swift, which loads vectors through
// views, all of the kernels' side that names an unsafe pointer. What makes it sound: the verifier has
// proved, before any kernel runs, that every tensor lies inside the blob or the arena and that every
// index a kernel forms lies inside its tensor. Debug builds check each access again.

/// Elements that a kernel reads.
@safe
public struct Elements<Element: BitwiseCopyable> {
  @usableFromInline let base: UnsafePointer<Element>
  #if DEBUG
  @usableFromInline let limit: Int
  #else
  /// Not known: only assertions ask, which such builds do without. A view then is one register.
  @usableFromInline var limit: Int { 0 }
  #endif

  @inline(__always)
  init(base: UnsafePointer<Element>, count: Int) {
    unsafe self.base = base
    #if DEBUG
    limit = count
    #endif
  }

  @inline(__always)
  subscript(index: Int) -> Element {
    assert(index >= 0 && index < limit)
    return unsafe base[index]
  }

  /// The elements from `start` on.
  @inline(__always)
  func dropping(_ start: Int) -> Elements {
    assert(start >= 0 && start <= limit)
    return unsafe Elements(base: base + start, count: limit &- start)
  }

  /// These elements begin where others of the same tensor do not yet.
  @inline(__always)
  func isBefore(_ other: Elements) -> Bool { unsafe base != other.base }
}

extension Elements where Element == Int8 {
  /// Four elements from `index` on, at any address, the first in the lowest byte.
  @inline(__always)
  func word(_ index: Int) -> UInt32 {
    assert(index >= 0 && index &+ 4 <= limit)
    return unsafe UnsafeRawPointer(base + index).loadUnaligned(as: UInt32.self)
  }

  /// Two elements from `index` on, at any address, the first in the lower byte.
  @inline(__always)
  func half(_ index: Int) -> UInt16 {
    assert(index >= 0 && index &+ 2 <= limit)
    return unsafe UnsafeRawPointer(base + index).loadUnaligned(as: UInt16.self)
  }
}

extension Elements where Element == Int16 {
  /// Two elements from `index` on, at any address, the first in the lower half.
  @inline(__always)
  func word(_ index: Int) -> UInt32 {
    assert(index >= 0 && index &+ 2 <= limit)
    return unsafe UnsafeRawPointer(base + index).loadUnaligned(as: UInt32.self)
  }
}

#if ABACUS_DSP
// Words, behind which the elements then begin.
extension Elements where Element == UInt32 {
  @inline(__always)
  mutating func takeThree() -> abacus_three_words {
    assert(limit >= 3)
    var next = unsafe base
    let words = unsafe abacus_load_three(&next)
    self = unsafe Elements(base: next, count: limit &- 3)
    return words
  }

  /// Three words, from which on the elements still begin.
  @inline(__always)
  func peekThree() -> abacus_three_words {
    assert(limit >= 3)
    return unsafe abacus_peek_three(base)
  }

  @inline(__always)
  mutating func takeFour() -> abacus_four_words {
    assert(limit >= 4)
    var next = unsafe base
    let words = unsafe abacus_load_four(&next)
    self = unsafe Elements(base: next, count: limit &- 4)
    return words
  }

  @inline(__always)
  mutating func takeFourWeights() -> abacus_four_words {
    assert(limit >= 4)
    var next = unsafe base
    let words = unsafe abacus_load_four_weights(&next)
    self = unsafe Elements(base: next, count: limit &- 4)
    return words
  }
}

extension CodeWidth {
  /// Words of codes of two channels times one row, behind which both then begin.
  @inline(__always)
  static func add(
    _ a0: inout Int32, _ a1: inout Int32, _ x: inout Elements<UInt32>, _ w: inout Elements<UInt32>
  ) {
    assert(x.limit >= pairs && w.limit >= 2)
    var (nextX, nextW) = unsafe (x.base, w.base)
    if bits == 4 {
      unsafe abacus_add_four_bits_of_one(&a0, &a1, &nextX, &nextW, 0xF_000F)
    } else {
      unsafe abacus_add_two_bits_of_one(&a0, &a1, &nextX, &nextW, 0x3_0003)
    }
    x = unsafe Elements(base: nextX, count: x.limit &- pairs)
    w = unsafe Elements(base: nextW, count: w.limit &- 2)
  }

  /// Whole groups of ``walkedGroup`` codes of two channels times one row: sums that begin with those of the groups, times the
  /// scales of either channel. All of them then begin behind the groups.
  @inline(__always)
  static func addGroups(
    _ total: inout (a0: Int32, a1: Int32), _ count: Int, _ x: inout Elements<UInt32>, _ w: inout Elements<UInt32>,
    _ scales: inout Elements<UInt8>, _ scaleStride: Int, _ starts: inout Elements<Int32>
  ) {
    let words = count &* (2 &* walkedGroup / (2 &* pairs))
    let elements = count &* (walkedGroup / 2)
    assert(count > 0 && x.limit >= elements && w.limit >= words)
    assert(scales.limit >= scaleStride &+ count && starts.limit >= count)
    var (nextX, nextW, nextScales) = unsafe (x.base, w.base, scales.base)
    var walk = unsafe abacus_group_walk(
      a0: total.a0, a1: total.a1, stride: UInt32(truncatingIfNeeded: scaleStride), starts: starts.base,
      end: w.base + words)
    if bits == 4 {
      unsafe abacus_add_groups_of_four_bits(&nextX, &nextW, &nextScales, &walk, 0xF_000F)
    } else {
      unsafe abacus_add_groups_of_two_bits(&nextX, &nextW, &nextScales, &walk, 0x3_0003)
    }
    unsafe (total.a0, total.a1) = (walk.a0, walk.a1)
    x = x.dropping(elements)
    w = w.dropping(words)
    scales = scales.dropping(count)
    starts = starts.dropping(count)
  }

  /// The same of three rows.
  @inline(__always)
  static func add(_ sums: inout PairSums, _ x: inout Elements<UInt32>, _ w: inout Elements<UInt32>) {
    assert(x.limit >= 3 &* pairs && w.limit >= 2)
    var (nextX, nextW) = unsafe (x.base, w.base)
    if bits == 4 {
      unsafe abacus_add_four_bits_of_three(
        &sums.a0, &sums.b0, &sums.c0, &sums.a1, &sums.b1, &sums.c1, &nextX, &nextW)
    } else {
      unsafe abacus_add_two_bits_of_three(
        &sums.a0, &sums.b0, &sums.c0, &sums.a1, &sums.b1, &sums.c1, &nextX, &nextW)
    }
    x = unsafe Elements(base: nextX, count: x.limit &- 3 &* pairs)
    w = unsafe Elements(base: nextW, count: w.limit &- 2)
  }
}

extension PairSums {
  /// Four elements of three rows, behind which rows and weights then begin.
  @inline(__always)
  mutating func addQuad(_ x: inout Elements<UInt32>, _ w: inout Elements<UInt32>) {
    assert(x.limit >= 6 && w.limit >= 2)
    var (nextX, nextW) = unsafe (x.base, w.base)
    unsafe abacus_add_quad(&a0, &b0, &c0, &a1, &b1, &c1, &nextX, &nextW)
    x = unsafe Elements(base: nextX, count: x.limit &- 6)
    w = unsafe Elements(base: nextW, count: w.limit &- 2)
  }
}
#endif

/// Elements that a kernel reads and writes.
@safe
public struct MutableElements<Element: BitwiseCopyable> {
  @usableFromInline let base: UnsafeMutablePointer<Element>
  #if DEBUG
  @usableFromInline let limit: Int
  #else
  /// Not known: only assertions ask, which such builds do without. A view then is one register.
  @usableFromInline var limit: Int { 0 }
  #endif

  @inline(__always)
  init(base: UnsafeMutablePointer<Element>, count: Int) {
    unsafe self.base = base
    #if DEBUG
    limit = count
    #endif
  }

  @inline(__always)
  subscript(index: Int) -> Element {
    get {
      assert(index >= 0 && index < limit)
      return unsafe base[index]
    }
    nonmutating set {
      assert(index >= 0 && index < limit)
      unsafe base[index] = newValue
    }
  }

  @inline(__always)
  func dropping(_ start: Int) -> MutableElements {
    assert(start >= 0 && start <= limit)
    return unsafe MutableElements(base: base + start, count: limit &- start)
  }

  /// These elements begin where others of the same tensor do not yet.
  @inline(__always)
  func isBefore(_ other: MutableElements) -> Bool { unsafe base != other.base }

  /// The same elements, to read.
  @inline(__always)
  var readOnly: Elements<Element> {
    unsafe Elements(base: UnsafePointer(base), count: limit)
  }
}

#if ABACUS_DSP
extension MutableElements where Element == Int8 {
  /// Stores four elements, at any address, the first in the lowest byte.
  @inline(__always)
  func set(word: UInt32, at index: Int) {
    assert(index >= 0 && index &+ 4 <= limit)
    unsafe UnsafeMutableRawPointer(base + index).storeBytes(of: word, as: UInt32.self)
  }
}
#endif

/// One operator of a plan with its operands resolved: what every kernel starts from.
@safe
public struct Invocation {
  private let call: UnsafePointer<abacus_kernel_call>

  @inline(__always)
  init(_ call: UnsafePointer<abacus_kernel_call>) {
    unsafe self.call = call
  }

  /// The operator's record, read where it lies.
  var record: OperatorRecord {
    @inline(__always) unsafeAddress {
      unsafe call.pointee.operator_record.assumingMemoryBound(to: OperatorRecord.self)
    }
  }

  /// Bytes between the operator's parameters and the end of their section.
  var parameterBytes: UInt32 { unsafe call.pointee.parameter_bytes }

  #if arch(x86_64) || arch(arm64)
  /// What the session found when it was opened.
  var vectors: VectorInstructions { unsafe VectorInstructions(rawValue: call.pointee.vectors) ?? .common }
  #endif

  /// Elements of the output that belong to one unit, for operators that split it into equal parts.
  var share: Int { tensor(Operands.output).elementCount / Int(truncatingIfNeeded: record.units) }

  /// The slice of the outer loop to execute.
  var units: Range<Int> {
    unsafe Int(truncatingIfNeeded: call.pointee.first_unit)..<Int(
      truncatingIfNeeded: call.pointee.end_unit)
  }

  /// The unit whose share an operand begins with: the first of the slice where the operand is a block
  /// of rows, else 0.
  @inline(__always)
  func origin(_ slot: Int) -> Int {
    tensor(slot).flags & TensorRecord.Flags.blockOfRows == 0 ? 0 : units.lowerBound
  }

  /// The token at which the session has arrived; 0 where the operator does not ask for it.
  var position: Int {
    if !has(Operands.position) { return 0 }
    let position: Elements<Int32> = elements(Operands.position)
    return max(Int(truncatingIfNeeded: position[0]), 0)
  }

  @inline(__always)
  func has(_ slot: Int) -> Bool {
    record.operands[slot] != TensorRecord.none
  }

  @inline(__always)
  func tensor(_ slot: Int) -> Tensor {
    let index = Int(truncatingIfNeeded: record.operands[slot])
    return unsafe Tensor(call.pointee.tensors.assumingMemoryBound(to: TensorRecord.self) + index)
  }

  @inline(__always)
  func parameters<Parameters: BitwiseCopyable>(_: Parameters.Type) -> Parameters {
    unsafe call.pointee.parameters.assumingMemoryBound(to: Parameters.self).pointee
  }

  /// Elements of an operand, wherever it lies.
  @inline(__always)
  func elements<Element: BitwiseCopyable>(_ slot: Int, _: Element.Type = Element.self) -> Elements<Element> {
    unsafe Elements(
      base: UnsafePointer(address(slot).assumingMemoryBound(to: Element.self)), count: viewedCount(slot, Element.self))
  }

  /// Where the first byte of an operand is, or would be if all of it were there.
  @inline(never)
  private func address(_ slot: Int) -> UnsafeMutableRawPointer {
    let tensor = tensor(slot)
    let base = unsafe tensor.placement == Placement.constant.rawValue
      ? UnsafeMutableRawPointer(mutating: call.pointee.constants) : call.pointee.arena!
    let place = unsafe base + Int(truncatingIfNeeded: tensor.offset)
    if tensor.flags != TensorRecord.Flags.lines { return unsafe place }
    return unsafe place - tensor.bytesBefore(round: call.pointee.round)
  }

  /// Elements up to the last one there; only debug builds ask.
  @inline(__always)
  private func viewedCount<Element>(_ slot: Int, _: Element.Type) -> Int {
    let tensor = tensor(slot)
    let bytes = unsafe Int(truncatingIfNeeded: tensor.byteCount) &+ tensor.bytesBefore(round: call.pointee.round)
    return bytes / MemoryLayout<Element>.size
  }

  /// How many elements of a type an operand's bytes are.
  func storedCount<Element>(_ slot: Int, _: Element.Type) -> Int {
    Int(truncatingIfNeeded: tensor(slot).byteCount) / MemoryLayout<Element>.size
  }

  /// Elements of an operand in the arena.
  @inline(__always)
  func mutableElements<Element: BitwiseCopyable>(
    _ slot: Int, _: Element.Type = Element.self
  ) -> MutableElements<Element> {
    unsafe MutableElements(
      base: address(slot).assumingMemoryBound(to: Element.self), count: viewedCount(slot, Element.self))
  }
}

/// A tensor's record where it lies in the blob: its fields are read there, and nothing is copied.
@safe
struct Tensor {
  private let pointer: UnsafePointer<TensorRecord>

  @inline(__always)
  init(_ pointer: UnsafePointer<TensorRecord>) {
    unsafe self.pointer = pointer
  }

  private var record: TensorRecord {
    @inline(__always) unsafeAddress { unsafe pointer }
  }

  var elementType: UInt8 { @inline(__always) get { record.elementType } }
  var placement: UInt8 { @inline(__always) get { record.placement } }
  var rank: UInt8 { @inline(__always) get { record.rank } }
  var layout: UInt8 { @inline(__always) get { record.layout } }
  var offset: UInt32 { @inline(__always) get { record.offset } }
  var byteCount: UInt32 { @inline(__always) get { record.byteCount } }
  var dims: InlineArray<6, UInt32> { @inline(__always) get { record.dims } }
  var scaleMultiplier: Int32 { @inline(__always) get { record.scaleMultiplier } }
  var zeroPoint: Int16 { @inline(__always) get { record.zeroPoint } }
  var scaleShift: Int8 { @inline(__always) get { record.scaleShift } }
  var flags: UInt8 { @inline(__always) get { record.flags } }
  var blockRows: UInt8 { @inline(__always) get { record.blockRows } }
  var blockColumns: UInt8 { @inline(__always) get { record.blockColumns } }
  var auxiliary: UInt16 { @inline(__always) get { record.auxiliary } }

  /// Bytes of the image that are not there any more when lines have come to a round. They have one image,
  /// of one byte an element.
  @inline(__always)
  func bytesBefore(round: UInt32) -> Int {
    if flags != TensorRecord.Flags.lines { return 0 }
    let row = round &* UInt32(blockRows)
    let first = row > UInt32(auxiliary) ? row &- UInt32(auxiliary) : 0
    return Int(truncatingIfNeeded: first &* (dims[2] &* dims[3]))
  }

  /// Extent of one dimension.
  @inline(__always)
  func extent(_ dimension: Int) -> Int {
    Int(truncatingIfNeeded: dims[dimension])
  }

  /// Product of all extents; the verifier has bounded it.
  @inline(__always)
  var elementCount: Int {
    var count = 1
    for dimension in 0..<Limits.maximumRank { count = count &* extent(dimension) }
    return count
  }
}
