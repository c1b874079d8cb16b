import CAbacus

// Rows times weights in blocks of 16 channels by 4 columns: a vector of weights holds four of each of
// its channels, and meets four elements of a row in every lane.

/// All rows by all channels.
@inlinable @inline(__always)
public func multiply<Set: VectorSet>(_ p: UnsafePointer<abacus_row_product>, _: Set.Type) {
  let product = unsafe BlockProduct<Set>(p)
  let isNarrow = product.channelCount <= Set.lanes
  var row = 0
  while row < product.rowCount {
    let left = product.rowCount &- row
    if isNarrow && left >= 8 {
      product.narrow(row)
      row = row &+ 8
    } else if left >= 4 {
      product.four(row)
      row = row &+ 4
    } else {
      product.one(row)
      row = row &+ 1
    }
  }
}

@usableFromInline
@safe
struct BlockProduct<Set: VectorSet> {
  @usableFromInline let p: UnsafePointer<abacus_row_product>
  /// Bytes of one group of 16 channels.
  @usableFromInline let groupStride: Int

  @inlinable @inline(__always)
  init(_ p: UnsafePointer<abacus_row_product>) {
    unsafe self.p = p
    groupStride = unsafe p.pointee.part_count &* p.pointee.part_length &* 16
  }

  @inlinable var rowCount: Int { @inline(__always) get { unsafe p.pointee.row_count } }
  @inlinable var channelCount: Int { @inline(__always) get { unsafe p.pointee.channel_count } }

  /// Eight rows by one vector of channels, which is all there are.
  @inlinable @inline(never)
  func narrow(_ row: Int) {
    let surplus: InlineArray<8, Int32> = surpluses(row)
    Tile<Set, 8, 1>(self, row, 0).run(surplus)
  }

  @inlinable @inline(never)
  func four(_ row: Int) {
    let surplus: InlineArray<4, Int32> = surpluses(row)
    var channel = 0
    while channel < channelCount {
      let vectors = min((channelCount &- channel &+ Set.lanes &- 1) / Set.lanes, Set.vectorsOfFourRows)
      if vectors >= 4 {
        Tile<Set, 4, 4>(self, row, channel).run(surplus)
        channel = channel &+ 4 &* Set.lanes
      } else if vectors >= 2 {
        Tile<Set, 4, 2>(self, row, channel).run(surplus)
        channel = channel &+ 2 &* Set.lanes
      } else {
        Tile<Set, 4, 1>(self, row, channel).run(surplus)
        channel = channel &+ Set.lanes
      }
    }
  }

  @inlinable @inline(never)
  func one(_ row: Int) {
    let surplus: InlineArray<1, Int32> = surpluses(row)
    var channel = 0
    while channel < channelCount {
      let vectors = min((channelCount &- channel &+ Set.lanes &- 1) / Set.lanes, Set.vectorsOfOneRow)
      if vectors >= 8 {
        Tile<Set, 1, 8>(self, row, channel).run(surplus)
        channel = channel &+ 8 &* Set.lanes
      } else if vectors >= 4 {
        Tile<Set, 1, 4>(self, row, channel).run(surplus)
        channel = channel &+ 4 &* Set.lanes
      } else if vectors >= 2 {
        Tile<Set, 1, 2>(self, row, channel).run(surplus)
        channel = channel &+ 2 &* Set.lanes
      } else {
        Tile<Set, 1, 1>(self, row, channel).run(surplus)
        channel = channel &+ Set.lanes
      }
    }
  }

  @inlinable @inline(__always)
  func surpluses<let rows: Int>(_ row: Int) -> InlineArray<rows, Int32> {
    var result = InlineArray<rows, Int32>(repeating: 0)
    for r in 0..<rows {
      var x = unsafe p.pointee.rows + (row &+ r) &* p.pointee.row_stride
      for _ in unsafe 0..<p.pointee.part_count {
        result[r] = unsafe result[r] &+ Set.surplus(x, p.pointee.part_length)
        unsafe x = x + p.pointee.part_stride
      }
    }
    return result
  }
}

/// Some rows by some vectors of channels, whose sums stay in registers: all numbers are known when this is
/// compiled.
@usableFromInline
@safe
struct Tile<Set: VectorSet, let rows: Int, let vectors: Int> {
  @usableFromInline let p: UnsafePointer<abacus_row_product>
  @usableFromInline let x: UnsafePointer<Int8>
  @usableFromInline let row: Int
  @usableFromInline let channel: Int
  @usableFromInline let groupStride: Int

  @inlinable @inline(__always)
  init(_ product: BlockProduct<Set>, _ row: Int, _ channel: Int) {
    unsafe p = product.p
    unsafe x = product.p.pointee.rows + row &* product.p.pointee.row_stride
    self.row = row
    self.channel = channel
    groupStride = product.groupStride
  }

  @inlinable @inline(__always)
  func run(_ surplus: InlineArray<rows, Int32>) {
    var sums = InlineArray<rows, InlineArray<vectors, Set.Words>>(
      repeating: InlineArray(repeating: Set.splat(0)))
    var at = 0
    for part in unsafe 0..<p.pointee.part_count {
      addPart(&sums, part, at)
      at = unsafe at &+ p.pointee.part_length &* 16
    }
    finish(sums, surplus)
  }

  /// Weights of a vector of channels.
  @inlinable @inline(__always)
  func weights(_ vector: Int) -> UnsafePointer<Int8> {
    let n = channel &+ vector &* Set.lanes
    return unsafe p.pointee.weights + (n / 16 &* groupStride &+ n % 16 &* 4)
  }

  @inlinable @inline(__always)
  func addPart(
    _ sums: inout InlineArray<rows, InlineArray<vectors, Set.Words>>, _ part: Int, _ start: Int
  ) {
    let stride = unsafe p.pointee.row_stride
    var from = unsafe x + part &* p.pointee.part_stride
    var at = start
    for _ in unsafe 0..<p.pointee.part_length / 4 {
      var w = unsafe InlineArray<vectors, Set.Weights>(repeating: Set.weights(weights(0) + at))
      for v in 1..<max(vectors, 1) { w[v] = unsafe Set.weights(weights(v) + at) }
      for r in 0..<rows {
        let quad = unsafe Set.quad(from + r &* stride)
        for v in 0..<vectors { sums[r][v] = Set.addQuads(sums[r][v], quad, w[v]) }
      }
      unsafe from = from + 4
      at = at &+ 64
    }
  }

  @inlinable @inline(__always)
  func finish(_ sums: InlineArray<rows, InlineArray<vectors, Set.Words>>, _ surplus: InlineArray<rows, Int32>) {
    let stage = unsafe VectorStage<Set>(
      shift: p.pointee.shift, zeroPoint: p.pointee.zero_point, low: p.pointee.low, high: p.pointee.high)
    let channelCount = unsafe p.pointee.channel_count
    for v in 0..<vectors {
      let n = channel &+ v &* Set.lanes
      let count = min(channelCount &- n, Set.lanes)
      let constants = unsafe Set.constants(p.pointee.channels + 2 &* n, count)
      for r in 0..<rows {
        let start = Set.add(constants.bias, Set.splat(0 &- surplus[r]))
        let value = stage.apply(Set.add(sums[r][v], start), constants.multiplier)
        unsafe Set.store(value, p.pointee.output + ((row &+ r) &* channelCount &+ n), count)
      }
    }
  }
}
