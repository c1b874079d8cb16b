import CAbacus

/// Weighted sum of two runs of bytes, whose zero points, rounding and output zero point are one summand.
@inlinable @inline(__always)
public func add<Set: VectorSet>(_ p: UnsafePointer<abacus_weighted_sum>, _: Set.Type) {
  let sum = unsafe WeightedSum<Set>(p)
  let count = unsafe p.pointee.count
  var at = 0
  while at &+ Set.lanes <= count {
    sum.add(at, Set.lanes)
    at = at &+ Set.lanes
  }
  if at < count { sum.add(at, count &- at) }
}

@usableFromInline
@safe
struct WeightedSum<Set: VectorSet> {
  @usableFromInline let p: UnsafePointer<abacus_weighted_sum>
  @usableFromInline let low: Set.Words
  @usableFromInline let high: Set.Words
  @usableFromInline let multiplierA: Set.Words
  @usableFromInline let multiplierB: Set.Words

  @inlinable @inline(__always)
  init(_ p: UnsafePointer<abacus_weighted_sum>) {
    unsafe self.p = p
    low = unsafe Set.splat(p.pointee.low)
    high = unsafe Set.splat(p.pointee.high)
    multiplierA = unsafe Set.splat(p.pointee.multiplier_a)
    multiplierB = unsafe Set.splat(p.pointee.multiplier_b)
  }

  @inlinable @inline(__always)
  func add(_ at: Int, _ count: Int) {
    let a = unsafe Set.shiftLeft(Set.widened(p.pointee.a + at, count), p.pointee.scale)
    let b = unsafe Set.shiftLeft(Set.widened(p.pointee.b + at, count), p.pointee.scale)
    let sums = unsafe Set.sumsHigh(a, multiplierA, b, multiplierB, p.pointee.summand)
    let value = unsafe Set.shiftRight(sums, p.pointee.shift)
    unsafe Set.store(Set.minimum(Set.maximum(value, low), high), p.pointee.output + at, count)
  }
}
