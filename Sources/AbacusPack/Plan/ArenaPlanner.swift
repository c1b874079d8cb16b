/// Where each buffer lies in the arena.
public struct ArenaPlan: Sendable {
  /// Something that occupies bytes of the arena from one step to another.
  public struct Block: Sendable {
    public var name: String
    public var bytes: Int
    public var live: ClosedRange<Int>
    public var offset = 0

    var end: Int { offset + bytes }
  }

  public private(set) var blocks: [Block]
  /// Bytes of the arena.
  public private(set) var arenaBytes: Int
  /// No placement of these lifetimes can be smaller than the most that is alive at once.
  public let lowerBound: Int

  public var isOptimal: Bool { arenaBytes == lowerBound }

  /// Places blocks so that no two that live at the same time overlap.
  ///
  /// First fit in several orders, then a search that keeps swapping neighbours of the best order,
  /// until the lower bound is reached or the budget is spent. Deterministic.
  init(_ blocks: [Block]) {
    self.blocks = blocks
    lowerBound = ArenaPlan.mostAlive(blocks)
    arenaBytes = .max
    var best: [Int] = []
    let keys: [(Block) -> (Int, Int)] = [
      { ($0.bytes, $0.live.count) }, { ($0.bytes * $0.live.count, $0.bytes) },
      { ($0.live.count, $0.bytes) }, { (-$0.live.lowerBound, $0.bytes) },
      { ($0.live.upperBound, $0.bytes) },
    ]
    for key in keys {
      let order = blocks.indices.sorted { a, b in
        let (keyA, keyB) = (key(blocks[a]), key(blocks[b]))
        return (keyA.0, keyA.1, -a) > (keyB.0, keyB.1, -b)
      }
      if tryOrder(order) { best = order }
      if isOptimal { return }
    }
    var random = SplitMix(state: 0x5EED)
    let rounds = blocks.count > 1 ? min(20_000, 2_000_000 / (blocks.count * blocks.count)) : 0
    for _ in 0..<rounds {
      var order = best
      order.swapAt(random.next(below: order.count), random.next(below: order.count))
      if random.next(below: 4) == 0 {
        order.swapAt(random.next(below: order.count), random.next(below: order.count))
      }
      if tryOrder(order) { best = order }
      if isOptimal { return }
    }
  }

  /// Places in the given order, each block at the lowest offset where it fits. Keeps the result
  /// where it is no worse than what there is.
  private mutating func tryOrder(_ order: [Int]) -> Bool {
    var placed: [Block] = []
    var candidate = blocks
    var peak = 0
    for index in order {
      var block = candidate[index]
      block.offset = 0
      for other in placed where other.live.overlaps(block.live) {
        // `placed` is sorted by offset: the first gap that is wide enough wins.
        if other.offset >= block.end { break }
        block.offset = max(block.offset, other.end)
      }
      peak = max(peak, block.end)
      if peak > arenaBytes { return false }
      candidate[index] = block
      placed.insert(block, at: placed.firstIndex { $0.offset > block.offset } ?? placed.count)
    }
    blocks = candidate
    arenaBytes = peak
    return true
  }

  /// Most bytes alive at one step.
  private static func mostAlive(_ blocks: [Block]) -> Int {
    blocks.map { block in
      blocks.filter { $0.live.contains(block.live.lowerBound) }.reduce(0) { $0 + $1.bytes }
    }.max() ?? 0
  }
}
