import AbacusFormat

/// The keys of an attention, and which of them a query row may look at.
struct AttentionKeys {
  /// The score of a key that a row may not look at; others stay within +-2^30.
  static let hidden = Int32.min

  /// All keys of the operator.
  let count: Int
  private let elements: Elements<Int8>
  private let depth: Int
  /// Elements from one key to the next of the same head.
  private let stride: Int
  /// Rows see no keys behind their own.
  private let isLimited: Bool
  private let position: Int
  private let mask: WideElements
  private let hasMask: Bool

  @inline(__always)
  init(_ call: Invocation, _ p: AttentionParameters) {
    elements = call.elements(Operands.second)
    count = Int(truncatingIfNeeded: p.keys)
    depth = Int(truncatingIfNeeded: p.depth)
    stride = depth &* Int(truncatingIfNeeded: p.keyValueHeads)
    isLimited = p.isCausal != 0 || call.has(Operands.position)
    position = min(call.position, count)
    hasMask = call.has(Operands.mask)
    mask = WideElements(call, hasMask ? Operands.mask : Operands.second)
  }

  /// How many keys a row sees, before the mask.
  @inline(__always)
  func visible(toRow row: Int) -> Int {
    isLimited ? min(position &+ row &+ 1, count) : count
  }

  /// Scores of a query against a range of keys, from the start of `scores` on; returns the greatest,
  /// or ``hidden`` where every key is hidden.
  @inline(never)
  func scores<Query: ProductElement>(
    of query: Elements<Query>, head: Int, _ range: Range<Int>, to scores: MutableElements<Int32>
  ) -> Int32 {
    var greatest = Self.hidden
    var key = range.lowerBound
    while key < range.upperBound {
      let row = elements.dropping(key &* stride &+ head &* depth)
      let target = scores.dropping(key &- range.lowerBound)
      if !hasMask && key &+ 4 <= range.upperBound {
        greatest = max(greatest, Query.fourProducts(query, row, stride: stride, depth, to: target))
        key = key &+ 4
      } else {
        let score = !hasMask || mask[key] != 0 ? Query.dot(query, row, depth) : Self.hidden
        greatest = max(greatest, score)
        target[0] = score
        key = key &+ 1
      }
    }
    return greatest
  }
}
