import AbacusFormat

extension BoundsCertificate {
  /// The greater of what differences of scores and what weighted sums of values can reach.
  static func attentionBound(_ blob: BlobDescription, _ index: Int) -> Int64 {
    let p = blob.parameters(index, AttentionParameters.self)
    let query = reach(0, blob.type(index, Operands.input))
    let scores = 2 * Int64(p.depth) * query * reach(of: blob, index, Operands.second)
    var weight: Int64 = 32767
    if blob.operators[index].variant == AttentionVariant.paper.rawValue {
      weight = 1 << Int64(p.exponent.quotientBits - 1) - 1
    }
    return max(scores, Int64(p.keys) * weight * reach(of: blob, index, Operands.values))
  }

  /// Two products with the entry of the table whose magnitudes have the greatest sum.
  static func rotaryBound(_ blob: BlobDescription, _ index: Int) -> Int64? {
    guard let table = blob.operand(index, Operands.weights) else { return nil }
    let entries = blob.constant(table, Int16.self).map { Int64($0.magnitude) }
    let greatest = stride(from: 0, to: entries.count - 1, by: 2).map { entries[$0] + entries[$0 + 1] }.max() ?? 0
    return greatest * reach(0, blob.type(index, Operands.input))
  }

  /// Largest magnitude of keys or values: what stands in the blob, if it does.
  private static func reach(of blob: BlobDescription, _ index: Int, _ slot: Int) -> Int64 {
    guard let operand = blob.operand(index, slot),
      blob.tensors[operand].placement == Placement.constant.rawValue
    else { return reach(0) }
    return Int64(blob.constant(operand, Int8.self).map(\.magnitude).max() ?? 0)
  }
}
