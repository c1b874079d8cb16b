import AbacusFormat

// Which bytes of its operands a step reads and writes.

extension Program {
  /// Bytes of an operand that units read.
  func read(by step: Step, _ slot: Int, _ units: Range<Int>) -> Range<Int> {
    guard let operand = step.operands[slot] else { return 0..<0 }
    if slot == Operands.input, let sweep = WindowSweep(step, in: self) {
      return sweep.bytes(readBy: units)
    }
    if slot == Operands.input, let copy = RowCopy(step, in: self) { return copy.source.bytes(of: units) }
    return step.rowSlots.contains(slot) ? share(of: operand, units, step) : 0..<tensors[operand].byteCount
  }

  /// Bytes of the output that units write.
  func written(by step: Step, _ units: Range<Int>) -> [Range<Int>] {
    guard let output = step.operands[Operands.output] else { return [] }
    if let copy = RowCopy(step, in: self) { return units.map { copy.destination.bytes(of: $0..<$0 + 1) } }
    if step.opcode == .copy { return copied(step, output) }
    let isInShares = step.rowSlots.contains(Operands.output) || WindowSweep(step, in: self) != nil
    return [isInShares ? share(of: output, units, step) : 0..<tensors[output].byteCount]
  }

  /// From the first to the last byte of the output that units write.
  func hull(writtenBy step: Step, _ units: Range<Int>) -> Range<Int>? {
    let ranges = written(by: step, units)
    guard let first = ranges.map(\.lowerBound).min(), let end = ranges.map(\.upperBound).max() else { return nil }
    return first..<end
  }

  private func share(of operand: TensorIndex, _ units: Range<Int>, _ step: Step) -> Range<Int> {
    let bytes = tensors[operand].byteCount / step.units
    return units.lowerBound * bytes..<units.upperBound * bytes
  }

  /// A copy leaves alone what lies between its elements, unless it fills the whole first.
  private func copied(_ step: Step, _ output: TensorIndex) -> [Range<Int>] {
    let tensor = tensors[output]
    if step.variant == CopyVariant.filled.rawValue { return [0..<tensor.byteCount] }
    let p = step.parameters(CopyParameters.self)
    let bytes = tensor.byteCount / tensor.elementCount
    let nest = LoopNest(
      extents: (0..<Limits.maximumRank).map { Int(p.dims[$0]) } + [1],
      strides: [(0..<Limits.maximumRank).map { Int(p.destinationStrides[$0]) } + [1]]
    ).collapsed
    let isDense = nest.strides[0].last == 1
    let rows = isDense ? nest : LoopNest(extents: nest.extents + [1], strides: [nest.strides[0] + [1]])
    let length = (rows.extents.last ?? 1) * bytes
    var ranges: [Range<Int>] = []
    rows.forEachRow { offsets in
      let start = (Int(p.destinationOffset) + offsets[0]) * bytes
      ranges.append(start..<start + length)
    }
    return ranges
  }
}

extension Opcode {
  /// Makes one element after the other, each of the elements at its place.
  var isElementwise: Bool {
    switch self {
    case .add, .multiply, .squaredDifference, .maximum, .minimum, .prelu, .table: true
    default: false
    }
  }
}
