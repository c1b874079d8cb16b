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
  /// No placement of these lifetimes can be smaller than the most that is alive at once, less what may
  /// overlap.
  public let lowerBound: Int
  private let rules: PlacementRules

  public var isOptimal: Bool { arenaBytes == lowerBound }

  /// Places blocks so that no two that live at the same time overlap, but in the ways that are allowed.
  ///
  /// First fit in several orders, then a search that keeps swapping neighbours of the best order,
  /// until the lower bound is reached or the budget is spent. Deterministic.
  init(_ blocks: [Block], overlaps: [Overlap<Int>] = []) {
    self.blocks = blocks
    rules = PlacementRules(blocks, overlaps)
    lowerBound = ArenaPlan.mostAlive(blocks, overlaps)
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
    var placed: [Int] = []
    var candidate = blocks
    var peak = 0
    for index in order {
      candidate[index].offset = 0
      let rivals = placed.filter { candidate[$0].live.overlaps(candidate[index].live) }
      // `placed` is sorted by offset, so that few rounds find a gap.
      var isMoved = true
      while isMoved {
        isMoved = false
        for other in rivals {
          let offset = rules.firstOffset(of: index, beside: other, in: candidate)
          if offset == candidate[index].offset { continue }
          candidate[index].offset = offset
          isMoved = true
        }
      }
      peak = max(peak, candidate[index].end)
      if peak > arenaBytes { return false }
      let offset = candidate[index].offset
      placed.insert(index, at: placed.firstIndex { candidate[$0].offset > offset } ?? placed.count)
    }
    blocks = candidate
    arenaBytes = peak
    return true
  }

  /// Output and input share bytes.
  func overlaps(_ overlap: Overlap<Int>) -> Bool {
    let (input, output) = (blocks[overlap.input], blocks[overlap.output])
    return input.offset < output.end && output.offset < input.end
  }

  /// The output begins above the input, or with it where it must not begin so little below: windows that lie in the
  /// padding read nothing.
  func isAbove(_ overlap: Overlap<Int>) -> Bool {
    let distance = blocks[overlap.input].offset - blocks[overlap.output].offset
    return distance < 0 || (distance == 0 && overlap.below?.last(0) == nil)
  }

  /// Most bytes that any step needs.
  private static func mostAlive(_ blocks: [Block], _ overlaps: [Overlap<Int>]) -> Int {
    blocks.map { block in
      let step = block.live.lowerBound
      let shared = overlaps.reduce(0) { sum, overlap in
        let (input, output) = (blocks[overlap.input], blocks[overlap.output])
        guard input.live.contains(step), output.live.contains(step) else { return sum }
        return sum + input.bytes + output.bytes - overlap.span(input: input.bytes, output: output.bytes)
      }
      return blocks.filter { $0.live.contains(step) }.reduce(-shared) { $0 + $1.bytes }
    }.max() ?? 0
  }
}

/// Where blocks may lie that live at the same time.
private struct PlacementRules: Sendable {
  private let count: Int
  /// Of each pair of blocks, the second as output.
  private let overlaps: [Int: Overlap<Int>]

  init(_ blocks: [ArenaPlan.Block], _ overlaps: [Overlap<Int>]) {
    count = blocks.count
    var table: [Int: Overlap<Int>] = [:]
    for overlap in overlaps { table[overlap.input * count + overlap.output] = overlap }
    self.overlaps = table
  }

  /// The first offset of a block, from where it is on, at which another one leaves room for it.
  func firstOffset(of index: Int, beside other: Int, in blocks: [ArenaPlan.Block]) -> Int {
    let (block, placed) = (blocks[index], blocks[other])
    if block.end <= placed.offset || block.offset >= placed.end { return block.offset }
    let gap = placed.offset - block.offset
    var offset = placed.end
    if let overlap = overlaps[other * count + index] {
      // The block is written while the other is read.
      if let distance = overlap.below?.last(gap) { offset = placed.offset - distance }
      if let above = overlap.above { offset = min(offset, placed.offset + above.next(-gap)) }
    } else if let overlap = overlaps[index * count + other] {
      if let distance = overlap.above?.last(gap) { offset = placed.offset - distance }
      if let below = overlap.below { offset = min(offset, placed.offset + below.next(-gap)) }
    }
    return offset
  }
}
