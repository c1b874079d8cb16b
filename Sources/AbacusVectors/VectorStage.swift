/// `OutputStage.applyHigh` in vectors: only the high words of products count.
public struct VectorStage<Set: VectorSet> {
  /// Half a step, on the grid of the high word.
  @usableFromInline let rounding: Set.Words
  @usableFromInline let shift: Int32
  @usableFromInline let zeroPoint: Set.Words
  @usableFromInline let low: Set.Words
  @usableFromInline let high: Set.Words

  @inlinable @inline(__always)
  public init(shift: Int32, zeroPoint: Int32, low: Int32, high: Int32) {
    rounding = Set.splat(1 &<< (shift &- 33))
    self.shift = shift &- 32
    self.zeroPoint = Set.splat(zeroPoint)
    self.low = Set.splat(low)
    self.high = Set.splat(high)
  }

  /// High words are below 2^30, so that the zero point may come before the clamp.
  @inlinable @inline(__always)
  public func apply(_ accumulators: Set.Words, _ multipliers: Set.Words) -> Set.Words {
    let high = Set.add(Set.multiplyHigh(accumulators, multipliers), rounding)
    let value = Set.add(Set.shiftRight(high, shift), zeroPoint)
    return Set.minimum(Set.maximum(value, low), self.high)
  }
}
