import CAbacus

// Rows times weights in blocks of 16 channels by 4 columns: a vector of weights holds four of each of
// its channels, and meets four elements of a row in every lane.

/// All rows by all channels.
@inlinable @inline(__always)
public func multiply<Set: VectorSet>(_ p: UnsafePointer<abacus_row_product>, _: Set.Type) {
  let product = unsafe BlockProduct<Set>(p)
  var row = 0
  if product.channelCount <= Set.lanes { row = product.eights() }
  row = product.fours(row)
  if product.rowCount &- row >= 2 {
    product.two(row)
    row = row &+ 2
  }
  if row < product.rowCount { product.one(row) }
}

@usableFromInline
@safe
struct BlockProduct<Set: VectorSet> {
  @usableFromInline let p: UnsafePointer<abacus_row_product>

  @inlinable @inline(__always)
  init(_ p: UnsafePointer<abacus_row_product>) {
    unsafe self.p = p
  }

  @inlinable var rowCount: Int { @inline(__always) get { unsafe p.pointee.row_count } }
  @inlinable var channelCount: Int { @inline(__always) get { unsafe p.pointee.channel_count } }

  @inlinable @inline(__always)
  var stage: VectorStage<Set> {
    unsafe VectorStage(
      shift: p.pointee.shift, zeroPoint: p.pointee.zero_point, low: p.pointee.low, high: p.pointee.high)
  }

  /// Eight rows at a time by one vector of channels, which is all there are. What is left in the end is
  /// multiplied together with rows before it, once more. Returns the row after the last.
  @inlinable @inline(never)
  func eights() -> Int {
    if rowCount < 8 { return 0 }
    let stage = self.stage
    var row = 0
    while true {
      unsafe Tile<Set, 8, 1, 1>(p, row, 0).run(surpluses(row), stage)
      if row &+ 8 == rowCount { return rowCount }
      row = min(row &+ 8, rowCount &- 8)
    }
  }

  @inlinable @inline(never)
  func fours(_ first: Int) -> Int {
    let stage = self.stage
    var row = first
    while rowCount &- row >= 4 {
      let surplus: InlineArray<4, Set.Words> = surpluses(row)
      var channel = 0
      while channel < channelCount {
        let vectors = min(vectorsLeft(channel), Set.vectorsOfFourRows)
        if vectors >= 4 {
          unsafe Tile<Set, 4, 4, 1>(p, row, channel).run(surplus, stage)
          channel = channel &+ 4 &* Set.lanes
        } else if vectors >= 2 {
          unsafe Tile<Set, 4, 2, 1>(p, row, channel).run(surplus, stage)
          channel = channel &+ 2 &* Set.lanes
        } else {
          unsafe Tile<Set, 4, 1, 2>(p, row, channel).run(surplus, stage)
          channel = channel &+ Set.lanes
        }
      }
      row = row &+ 4
    }
    return row
  }

  @inlinable @inline(never)
  func two(_ row: Int) {
    let surplus: InlineArray<2, Set.Words> = surpluses(row)
    var channel = 0
    while channel < channelCount {
      let vectors = min(vectorsLeft(channel), Set.vectorsOfFourRows)
      if vectors >= 4 {
        unsafe Tile<Set, 2, 4, 1>(p, row, channel).run(surplus, stage)
        channel = channel &+ 4 &* Set.lanes
      } else if vectors >= 2 {
        unsafe Tile<Set, 2, 2, 2>(p, row, channel).run(surplus, stage)
        channel = channel &+ 2 &* Set.lanes
      } else {
        unsafe Tile<Set, 2, 1, 4>(p, row, channel).run(surplus, stage)
        channel = channel &+ Set.lanes
      }
    }
  }

  @inlinable @inline(never)
  func one(_ row: Int) {
    let surplus: InlineArray<1, Set.Words> = surpluses(row)
    var channel = 0
    while channel < channelCount {
      let vectors = min(vectorsLeft(channel), Set.vectorsOfOneRow)
      if vectors >= 8 {
        unsafe Tile<Set, 1, 8, 1>(p, row, channel).run(surplus, stage)
        channel = channel &+ 8 &* Set.lanes
      } else if vectors >= 4 {
        unsafe Tile<Set, 1, 4, 2>(p, row, channel).run(surplus, stage)
        channel = channel &+ 4 &* Set.lanes
      } else {
        unsafe Tile<Set, 1, 1, 4>(p, row, channel).run(surplus, stage)
        channel = channel &+ Set.lanes
      }
    }
  }

  @inlinable @inline(__always)
  func vectorsLeft(_ channel: Int) -> Int { (channelCount &- channel &+ Set.lanes &- 1) / Set.lanes }

  @inlinable @inline(__always)
  func surpluses<let rows: Int>(_ row: Int) -> InlineArray<rows, Set.Words> {
    unsafe rowSurpluses(p, p.pointee.rows + row &* p.pointee.row_stride, Set.self)
  }
}

/// What products of rows come to too much, in all lanes.
@inlinable @inline(__always)
func rowSurpluses<Set: VectorSet, let rows: Int>(
  _ p: UnsafePointer<abacus_row_product>, _ x: UnsafePointer<Int8>, _: Set.Type
) -> InlineArray<rows, Set.Words> {
  var sums = InlineArray<rows, Set.Words>(repeating: Set.splat(0))
  if !Set.hasSurplus { return sums }
  let stride = unsafe p.pointee.row_stride
  let length = unsafe p.pointee.part_length
  var from = unsafe x
  var part = unsafe p.pointee.part_count
  while part > 0 {
    var k = 0
    while k < length {
      let count = min(length &- k, Set.chunk)
      unrolled(rows) { r in sums[r] = unsafe Set.addSurplus(sums[r], from + (r &* stride &+ k), count) }
      k = k &+ Set.chunk
    }
    unsafe from = from + p.pointee.part_stride
    part = part &- 1
  }
  return Set.totals(sums)
}

/// Some rows by some vectors of channels, whose sums stay in registers: all numbers are known when this is
/// compiled. Where there are few sums, as many additions as their latency asks for are under way in
/// `chains` of their own.
@usableFromInline
@safe
struct Tile<Set: VectorSet, let rows: Int, let vectors: Int, let chains: Int> {
  @usableFromInline typealias Sums = InlineArray<rows, InlineArray<vectors, Set.Words>>
  @usableFromInline let p: UnsafePointer<abacus_row_product>
  @usableFromInline let row: Int
  @usableFromInline let channel: Int

  @inlinable @inline(__always)
  init(_ p: UnsafePointer<abacus_row_product>, _ row: Int, _ channel: Int) {
    unsafe self.p = p
    self.row = row
    self.channel = channel
  }

  @inlinable @inline(__always)
  func run(_ surplus: InlineArray<rows, Set.Words>, _ stage: VectorStage<Set>) {
    var sums = InlineArray<chains, Sums>(repeating: InlineArray(repeating: InlineArray(repeating: Set.splat(0))))
    let stride = unsafe p.pointee.row_stride
    let length = unsafe p.pointee.part_length
    var part = unsafe p.pointee.rows + row &* stride
    var left = unsafe p.pointee.part_count
    let group = left &* length &* 16
    var w = unsafe p.pointee.weights + (channel / 16 &* group &+ channel % 16 &* 4)
    while left > 0 {
      var x = unsafe part
      var quads = length / 4
      while quads >= chains {
        unrolled(chains) { chain in unsafe Self.add(&sums[chain], x + 4 &* chain, stride, w + 64 &* chain, group) }
        unsafe x = x + 4 &* chains
        unsafe w = w + 64 &* chains
        quads = quads &- chains
      }
      while chains > 1 && quads > 0 {
        unsafe Self.add(&sums[0], x, stride, w, group)
        unsafe x = x + 4
        unsafe w = w + 64
        quads = quads &- 1
      }
      unsafe part = part + p.pointee.part_stride
      left = left &- 1
    }
    var total = sums[0]
    unrolled(chains &- 1) { chain in
      unrolled(rows) { r in
        unrolled(vectors) { v in total[r][v] = Set.add(total[r][v], sums[chain &+ 1][r][v]) }
      }
    }
    finish(total, surplus, stage)
  }

  /// Four elements of each row.
  @inlinable @inline(__always)
  static func add(
    _ sums: inout Sums, _ x: UnsafePointer<Int8>, _ stride: Int, _ w: UnsafePointer<Int8>, _ group: Int
  ) {
    let weights = InlineArray<vectors, Set.Weights> { v in unsafe Set.weights(w + place(v, group)) }
    unrolled(rows) { r in
      let quad = unsafe Set.quad(x + r &* stride)
      unrolled(vectors) { v in sums[r][v] = Set.addQuads(sums[r][v], quad, weights[v]) }
    }
  }

  /// Where a vector of weights begins, from the first on. Groups hold 16 channels, and tiles of more than one
  /// vector begin with a group or end within it.
  @inlinable @inline(__always)
  static func place(_ vector: Int, _ group: Int) -> Int {
    let n = vector &* Set.lanes
    return n / 16 &* group &+ n % 16 &* 4
  }

  @inlinable @inline(__always)
  func finish(_ sums: Sums, _ surplus: InlineArray<rows, Set.Words>, _ stage: VectorStage<Set>) {
    let channelCount = unsafe p.pointee.channel_count
    unrolled(vectors) { v in
      let n = channel &+ v &* Set.lanes
      let count = min(channelCount &- n, Set.lanes)
      let constants = unsafe Set.constants(p.pointee.channels + 2 &* n, count)
      unrolled(rows) { r in
        let accumulators = Set.add(sums[r][v], Set.subtract(constants.bias, surplus[r]))
        let value = stage.apply(accumulators, constants.multiplier)
        unsafe Set.store(value, p.pointee.output + ((row &+ r) &* p.pointee.output_stride &+ n), count)
      }
    }
  }
}
