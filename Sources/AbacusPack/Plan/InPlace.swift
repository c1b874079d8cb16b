import AbacusFormat

extension Program {
  /// Lets outputs take the memory of inputs that nobody needs any more, where the operator allows
  /// it. The order of the steps must be final.
  ///
  /// - Returns: how many steps work in place.
  @discardableResult
  mutating func mergeInPlace() -> Int {
    var merged = 0
    for index in steps.indices {
      for slot in steps[index].inPlaceSlots {
        guard let input = steps[index].operands[slot], let output = steps[index].operands[Operands.output],
          canShare(step: index, input: input, output: output), let child = location(of: output),
          let parent = location(of: input)
        else { continue }
        merge(child.buffer, into: parent.buffer, at: parent.offset)
        merged += 1
        break
      }
    }
    return merged
  }

  private func canShare(step: Int, input: TensorIndex, output: TensorIndex) -> Bool {
    guard let target = location(of: output), let source = location(of: input) else { return false }
    // The output is all of its buffer, and its buffer is not yet part of another.
    guard target.buffer != source.buffer, target.offset == 0, tensors[input].lines == nil, tensors[output].lines == nil,
      alignedSize(buffers[target.buffer].bytes) == alignedSize(tensors[output].byteCount),
      tensors[output].byteCount <= tensors[input].byteCount
    else { return false }
    // The input is dead afterwards: no later step and no model output looks at its buffer ...
    func touches(_ index: Int, _ buffer: BufferIndex) -> Bool {
      steps[index].operands.values.contains { location(of: $0)?.buffer == buffer }
    }
    if outputs.contains(where: { location(of: $0)?.buffer == source.buffer }) { return false }
    if steps.indices.dropFirst(step + 1).contains(where: { touches($0, source.buffer) }) { return false }
    if steps[step].loop != nil && !keepsShares(step: step, source.buffer, target.buffer) { return false }
    // ... the output is not there yet, and this step reads the memory in no other way: a second view
    // of it may be broadcast, and would see elements that are overwritten already.
    if steps.indices.prefix(step).contains(where: { touches($0, target.buffer) }) { return false }
    if inputs.contains(where: { location(of: $0)?.buffer == target.buffer }) { return false }
    return !steps[step].operands.values.contains { operand in
      guard operand != input, let other = location(of: operand) else { return false }
      // Elements of another extent, even from the same byte on, are read at other moments.
      return other.buffer == source.buffer
        && (other.offset != source.offset || tensors[operand].byteCount != tensors[input].byteCount)
    }
  }

  /// Within a loop other blocks are still to come. Memory can be shared where every step of the loop
  /// that touches it looks only at the shares of its units, and these lie at the same place.
  private func keepsShares(step: Int, _ source: BufferIndex, _ target: BufferIndex) -> Bool {
    let bytes = steps[step].operands[Operands.output].map { tensors[$0].byteCount }
    return steps.indices.allSatisfy { index in
      steps[index].loop != steps[step].loop
        || steps[index].operands.allSatisfy { slot, operand in
          guard let (buffer, offset) = location(of: operand), buffer == source || buffer == target else { return true }
          return steps[index].rowSlots.contains(slot) && offset == 0 && tensors[operand].byteCount == bytes
        }
    }
  }
}
