import CAbacus

// Rows times weights that lie in rows: products are summed along the rows, lane by lane, and the lanes of
// 4 * `groups` sums become one vector at the end. These are those of `groups` rows by four channels or,
// where only one row is left, of that by all of them.

/// - Parameter groups: groups of four words in a vector of the set.
@safe
public struct RowProduct<Set: VectorSet, let groups: Int> {
  @usableFromInline typealias Sums = InlineArray<groups, InlineArray<4, Set.Words>>
  @usableFromInline let p: UnsafePointer<abacus_row_product>

  @inlinable @inline(__always)
  public init(_ p: UnsafePointer<abacus_row_product>) {
    unsafe self.p = p
  }

  /// Elements of a row of weights.
  @inlinable var depth: Int { @inline(__always) get { unsafe p.pointee.part_count &* p.pointee.part_length } }
  @inlinable var channelCount: Int { @inline(__always) get { unsafe p.pointee.channel_count } }

  /// All rows by all channels.
  @inlinable @inline(__always)
  public func run() {
    var row = 0
    while unsafe row < p.pointee.row_count {
      let count = unsafe min(p.pointee.row_count &- row, groups)
      if count == 1 { one(row) } else { some(row, count) }
      row = row &+ count
    }
  }

  @inlinable @inline(__always)
  func elements(_ row: Int) -> UnsafePointer<Int8> { unsafe p.pointee.rows + row &* p.pointee.row_stride }

  @inlinable @inline(__always)
  func weights(_ channel: Int) -> UnsafePointer<Int8> {
    unsafe p.pointee.weights + min(channel, channelCount &- 1) &* depth
  }

  @inlinable @inline(__always)
  func surplus(_ row: Int) -> Set.Words {
    let one: InlineArray<1, Set.Words> = unsafe rowSurpluses(p, elements(row), Set.self)
    return one[0]
  }

  @inlinable @inline(__always)
  var stage: VectorStage<Set> {
    unsafe VectorStage(
      shift: p.pointee.shift, zeroPoint: p.pointee.zero_point, low: p.pointee.low, high: p.pointee.high)
  }

  /// Two rows or more; where there are fewer than `groups`, the last stands in for others.
  @inlinable @inline(never)
  func some(_ row: Int, _ count: Int) {
    let stage = stage
    let each = InlineArray<groups, Set.Words> { g in self.surplus(row &+ min(g, count &- 1)) }
    let surplus = Set.grouped(each)
    var channel = 0
    while channel < channelCount {
      let channelsHere = min(channelCount &- channel, 4)
      let constants = unsafe Set.fourConstants(p.pointee.channels + 2 &* channel, channelsHere)
      var sums = Sums(repeating: InlineArray(repeating: Set.splat(0)))
      let x = unsafe InlineArray<groups, UnsafePointer<Int8>> { g in unsafe elements(row &+ min(g, count &- 1)) }
      let w = unsafe InlineArray<4, UnsafePointer<Int8>> { c in unsafe weights(channel &+ c) }
      var (at, part) = (0, 0)
      for _ in unsafe 0..<p.pointee.part_count {
        let length = unsafe p.pointee.part_length
        var k = 0
        while k < length {
          let left = length &- k
          if left >= Set.chunk {
            unsafe Self.add(&sums, x, part &+ k, w, at &+ k, Set.chunk)
          } else {
            unsafe Self.add(&sums, x, part &+ k, w, at &+ k, left)
          }
          k = k &+ Set.chunk
        }
        at = at &+ length
        part = unsafe part &+ p.pointee.part_stride
      }
      let accumulators = Set.add(Set.total(sums), Set.subtract(constants.bias, surplus))
      let bytes = Set.bytes(stage.apply(accumulators, constants.multiplier))
      for g in 0..<groups where g < count {
        unsafe store(bytes[g], p.pointee.output + ((row &+ g) &* p.pointee.output_stride &+ channel), channelsHere)
      }
      channel = channel &+ 4
    }
  }

  @inlinable @inline(__always)
  static func add(
    _ sums: inout Sums, _ x: InlineArray<groups, UnsafePointer<Int8>>, _ from: Int,
    _ w: InlineArray<4, UnsafePointer<Int8>>, _ at: Int, _ count: Int
  ) {
    let rows = InlineArray<groups, Set.Elements> { g in unsafe Set.elements(x[g] + from, count) }
    unrolled(4) { c in
      let weights = unsafe Set.rowWeights(w[c] + at, count)
      unrolled(groups) { g in sums[g][c] = Set.addProducts(sums[g][c], rows[g], weights) }
    }
  }

  /// One row by 4 * `groups` channels at a time.
  @inlinable @inline(never)
  func one(_ row: Int) {
    let stage = stage
    let surplus = self.surplus(row)
    let x = unsafe elements(row)
    var channel = 0
    while channel < channelCount {
      var sums = Sums(repeating: InlineArray(repeating: Set.splat(0)))
      var (at, part) = (0, 0)
      for _ in unsafe 0..<p.pointee.part_count {
        let length = unsafe p.pointee.part_length
        var k = 0
        while k < length {
          let left = length &- k
          if left >= Set.chunk {
            unsafe addOne(&sums, x + (part &+ k), channel, at &+ k, Set.chunk)
          } else {
            unsafe addOne(&sums, x + (part &+ k), channel, at &+ k, left)
          }
          k = k &+ Set.chunk
        }
        at = at &+ length
        part = unsafe part &+ p.pointee.part_stride
      }
      let channelsHere = min(channelCount &- channel, Set.lanes)
      let constants = unsafe Set.constants(p.pointee.channels + 2 &* channel, channelsHere)
      let accumulators = Set.add(Set.total(sums), Set.subtract(constants.bias, surplus))
      unsafe Set.store(
        stage.apply(accumulators, constants.multiplier),
        p.pointee.output + (row &* p.pointee.output_stride &+ channel), channelsHere)
      channel = channel &+ Set.lanes
    }
  }

  @inlinable @inline(__always)
  func addOne(_ sums: inout Sums, _ x: UnsafePointer<Int8>, _ channel: Int, _ at: Int, _ count: Int) {
    let elements = unsafe Set.elements(x, count)
    unrolled(groups) { g in
      unrolled(4) { c in
        let w = unsafe Set.rowWeights(weights(channel &+ 4 &* g &+ c) + at, count)
        sums[g][c] = Set.addProducts(sums[g][c], elements, w)
      }
    }
  }

  @inlinable @inline(__always)
  func store(_ bytes: UInt32, _ to: UnsafeMutablePointer<Int8>, _ count: Int) {
    if count == 4 {
      unsafe UnsafeMutableRawPointer(to).storeBytes(of: bytes, as: UInt32.self)
      return
    }
    for i in 0..<count {
      unsafe to[i] = Int8(truncatingIfNeeded: bytes &>> UInt32(truncatingIfNeeded: 8 &* i))
    }
  }
}
