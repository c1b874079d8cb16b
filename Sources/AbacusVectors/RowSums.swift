import CAbacus

/// Sums of products of one row and up to 16 rows of weights, for operators that end in another way than
/// with one shift.
///
/// - Parameter groups: groups of four words in a vector of the set.
@safe
public struct RowSums<Set: VectorSet, let groups: Int> {
  @usableFromInline typealias Sums = InlineArray<groups, InlineArray<4, Set.Words>>
  @usableFromInline let p: UnsafePointer<abacus_row_sums>

  @inlinable @inline(__always)
  public init(_ p: UnsafePointer<abacus_row_sums>) {
    unsafe self.p = p
  }

  /// A row of bytes.
  @inlinable @inline(__always)
  public func ofBytes() {
    let depth = unsafe p.pointee.depth
    var surplus = InlineArray<1, Set.Words>(repeating: Set.splat(0))
    var k = 0
    while k < depth {
      surplus[0] = unsafe Set.addSurplus(surplus[0], p.pointee.bytes + k, min(depth &- k, Set.chunk))
      k = k &+ Set.chunk
    }
    let tooMuch = Set.totals(surplus)[0]
    eachVector(Set.chunk, tooMuch) { sums, channel, k, count in
      let x = unsafe Set.elements(p.pointee.bytes + k, count)
      unrolled(groups) { g in
        unrolled(4) { c in
          let w = unsafe Set.rowWeights(weights(channel &+ 4 &* g &+ c) + k, count)
          sums[g][c] = Set.addProducts(sums[g][c], x, w)
        }
      }
    }
  }

  /// A row of halves.
  @inlinable @inline(__always)
  public func ofHalves() {
    eachVector(2 &* Set.lanes, Set.splat(0)) { sums, channel, k, count in
      let x = unsafe Set.halves(p.pointee.halves + k, count)
      unrolled(groups) { g in
        unrolled(4) { c in
          let w = unsafe Set.halves(weights(channel &+ 4 &* g &+ c) + k, count)
          sums[g][c] = Set.addHalves(sums[g][c], x, w)
        }
      }
    }
  }

  /// Sums of as many channels as a vector has words, `chunk` elements at a time.
  @inlinable @inline(__always)
  func eachVector(_ chunk: Int, _ surplus: Set.Words, _ add: (inout Sums, Int, Int, Int) -> Void) {
    let depth = unsafe p.pointee.depth
    var channel = 0
    while unsafe channel < p.pointee.channel_count {
      var sums = Sums(repeating: InlineArray(repeating: Set.splat(0)))
      var k = 0
      while k &+ chunk <= depth {
        add(&sums, channel, k, chunk)
        k = k &+ chunk
      }
      if k < depth { add(&sums, channel, k, depth &- k) }
      unsafe Set.store(Set.subtract(Set.total(sums), surplus), p.pointee.sums + channel)
      channel = channel &+ Set.lanes
    }
  }

  /// Weights of a channel; behind the last, those of the last.
  @inlinable @inline(__always)
  func weights(_ channel: Int) -> UnsafePointer<Int8> {
    unsafe p.pointee.weights + min(channel, p.pointee.channel_count &- 1) &* p.pointee.depth
  }
}
