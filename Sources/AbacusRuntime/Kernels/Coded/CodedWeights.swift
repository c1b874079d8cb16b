import AbacusFormat

/// Weights [N, K] of 4 or 2 bits (``CodeLayout``).
struct CodedWeights {
  /// [pair of channels][word][channel of the pair]
  let words: Elements<UInt32>
  let depth: Int
  let type: ElementType
  private let perWord: Int
  /// Words of a pair of channels.
  let pairStride: Int
  /// A field stands for `factor * field + offset`.
  let factor: Int32
  let offset: Int32
  /// Elements that share a scale; the depth where there are no groups.
  let groupSize: Int
  let groups: Int
  let hasGroups: Bool
  let hasZeros: Bool
  /// Of all codes, where there are no groups.
  let scale: Int32
  let scales: Elements<UInt8>
  let zeros: Elements<Int8>

  init(_ call: Invocation, depth: Int) {
    let record = call.tensor(Operands.weights)
    type = record.elementType == ElementType.int4.rawValue ? .int4 : .int2
    let grid = CodeGrid(rawValue: record.blockColumns) ?? .symmetric
    self.depth = depth
    words = call.elements(Operands.weights)
    perWord = CodeLayout.perWord(type)
    pairStride = 2 &* CodeLayout.words(depth: depth, type)
    factor = grid.factor
    offset = grid.offset(type)
    scale = Int32(record.blockRows)
    hasGroups = call.has(Operands.groupScales)
    hasZeros = call.has(Operands.groupZeros)
    groupSize = hasGroups ? Int(record.auxiliary) : depth
    groups = (depth &+ groupSize &- 1) / groupSize
    // Where there are none, nothing is read.
    scales = call.elements(hasGroups ? Operands.groupScales : Operands.weights)
    zeros = call.elements(hasZeros ? Operands.groupZeros : Operands.weights)
  }

  /// `sum_k x[k] * w[n, k]`.
  @inline(never)
  func dotProduct<Element: ProductElement>(row n: Int, _ x: Elements<Element>) -> Int32 {
    let channel = words.dropping(n / 2 &* pairStride &+ n % 2)
    var total: Int32 = 0
    var start = 0
    for group in 0..<groups {
      let count = min(groupSize, depth &- start)
      let sums = products(x.dropping(start), channel.dropping(start / perWord &* 2), count)
      var value = factor &* sums.products &+ offset &* sums.elements
      value = value &* (hasGroups ? Int32(scales[n &* groups &+ group]) : scale)
      if hasZeros {
        value = value &+ CodeLayout.zeroUnit &* Int32(zeros[n &* groups &+ group]) &* sums.elements
      }
      total = total &+ value
      start = start &+ groupSize
    }
    return total
  }

  /// Sums of products of elements and fields, and of the elements.
  @inline(__always)
  private func products<Element: ProductElement>(
    _ x: Elements<Element>, _ words: Elements<UInt32>, _ count: Int
  ) -> (products: Int32, elements: Int32) {
    let bits = type.bits
    let mask = (1 as UInt32) &<< bits &- 1
    var (products, elements) = (Int32(0), Int32(0))
    var k = 0
    while k < count {
      // The fields of the four elements at hand are the lowest two of both halves.
      var word = words[2 &* (k / perWord)]
      for _ in 0..<perWord / 4 where k < count {
        var quad = word
        for j in 0..<min(4, count &- k) {
          let element = Int32(truncatingIfNeeded: x[k &+ j])
          products = products &+ element &* Int32(bitPattern: quad & mask)
          elements = elements &+ element
          quad = j == 1 ? word &>> 16 : quad &>> bits
        }
        word = word &>> (2 &* bits)
        k = k &+ 4
      }
    }
    return (products, elements)
  }
}
