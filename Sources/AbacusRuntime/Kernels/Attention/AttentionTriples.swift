import AbacusFormat
import CAbacus

// Attention of three query rows at a time (`AttentionRows`).

extension Invocation {
  /// It is of the form that there are loops for, and has the scratch.
  var takesThreeRows: Bool {
    let p = parameters(AttentionParameters.self)
    let isSuited = AttentionRows.takes(
      p, AttentionVariant(rawValue: record.variant), output: tensor(Operands.output).elementType)
    if !isSuited || has(Operands.mask) || has(Operands.position) { return false }
    let words = AttentionRows.scratchWords(depth: Int(truncatingIfNeeded: p.depth), keys: Int(truncatingIfNeeded: p.keys))
    if storedCount(Operands.scratch, Int32.self) < words { return false }
    let scales: Elements<Int32> = elements(Operands.channels)
    for head in 0..<Int(truncatingIfNeeded: p.heads) {
      let constants = scales.dropping(4 &* head)
      let isSuited = AttentionRows.takes(
        scoreMultiplier: constants[0], scoreShift: constants[1], valueMultiplier: constants[2],
        valueShift: constants[3])
      if !isSuited { return false }
    }
    return true
  }
}

#if ABACUS_DSP
/// Deferred normalisation (integer-semantics 4.6).
@inline(__always)
func attendThreeRows<Query: WidenedElement>(_ call: Invocation, _: Query.Type) {
  let p = call.parameters(AttentionParameters.self)
  let heads = Int(truncatingIfNeeded: p.heads)
  let sharing = heads / Int(truncatingIfNeeded: p.keyValueHeads)
  let rows = RowTriple(call, p)
  let scales: Elements<Int32> = call.elements(Operands.channels)
  let (queryLength, outputLength) = (heads &* rows.depth, heads &* rows.valueDepth)
  var query: Elements<Query> = call.elements(Operands.input)
  var target: MutableElements<Int8> = call.mutableElements(Operands.output)
  query = query.dropping((call.units.lowerBound &- call.origin(Operands.input)) &* queryLength)
  target = target.dropping((call.units.lowerBound &- call.origin(Operands.output)) &* outputLength)
  var left = call.units.count
  while left > 0 {
    let count = min(left, AttentionRows.count)
    for head in 0..<heads {
      rows.take(query.dropping(head &* rows.depth), rowLength: queryLength, count)
      rows.score(head / sharing)
      rows.weigh(HeadScale(scales, head: head), count)
      rows.write(head / sharing, to: target.dropping(head &* rows.valueDepth), rowLength: outputLength, count)
    }
    (query, target, left) = (query.dropping(count &* queryLength), target.dropping(count &* outputLength), left &- count)
  }
}

/// Three rows of one head. Where there are fewer, what stands in the places of the others goes nowhere.
private struct RowTriple {
  let depth: Int
  let valueDepth: Int
  private let keyCount: Int
  private let keys: Elements<Int8>
  private let keyStride: Int
  private let values: Elements<Int8>
  private let valueStride: Int
  /// Queries; then multiplier, half a step and shift of each row's outputs, and each row's greatest score.
  private let queries: MutableElements<UInt32>
  /// Scores; then the weights of each two keys, halves of a word, where the score of the first was.
  private let scores: MutableElements<UInt32>
  /// The same memory.
  private let weights: MutableElements<UInt16>

  @inline(__always)
  init(_ call: Invocation, _ p: AttentionParameters) {
    depth = Int(truncatingIfNeeded: p.depth)
    valueDepth = Int(truncatingIfNeeded: p.valueDepth)
    keyCount = Int(truncatingIfNeeded: p.keys)
    keys = call.elements(Operands.second)
    keyStride = depth &* Int(truncatingIfNeeded: p.keyValueHeads)
    values = call.elements(Operands.values)
    valueStride = valueDepth &* Int(truncatingIfNeeded: p.keyValueHeads)
    queries = call.mutableElements(Operands.scratch)
    scores = queries.dropping(AttentionRows.queryWords(depth: depth))
    let halves: MutableElements<UInt16> = call.mutableElements(Operands.scratch)
    weights = halves.dropping(2 &* AttentionRows.queryWords(depth: depth))
  }

  private func greatest(_ row: Int) -> MutableElements<UInt32> { queries.dropping(9 &+ row) }

  // None of these is inlined, so that loops find registers.

  /// Widens the queries.
  @inline(never)
  func take<Query: WidenedElement>(_ query: Elements<Query>, rowLength: Int, _ count: Int) {
    let widened = WidenedRows(queries, rows: AttentionRows.count)
    for row in 0..<count { widened.set(row, from: 0, query.dropping(row &* rowLength), depth) }
  }

  /// Makes the scores, for one key more that is hidden where their number is odd.
  @inline(never)
  func score(_ head: Int) {
    let hidden = AttentionKeys.hidden
    var (a, b, c) = (hidden, hidden, hidden)
    var key = keys.dropping(head &* depth)
    var target = scores
    let (depth, stride, queries) = (depth, keyStride, queries.readOnly)
    let end = target.dropping(3 &* keyCount)
    repeat {
      var sums = TripleSums()
      sums.add(queries, key, depth)
      (target[0], target[1], target[2]) = (sums.wordA, sums.wordB, sums.wordC)
      (a, b, c) = (max(a, sums.a), max(b, sums.b), max(c, sums.c))
      (key, target) = (key.dropping(stride), target.dropping(3))
    } while target.isBefore(end)
    if keyCount & 1 != 0 { for row in 0..<3 { target[row] = UInt32(bitPattern: hidden) } }
    greatest(0)[0] = UInt32(bitPattern: a)
    greatest(1)[0] = UInt32(bitPattern: b)
    greatest(2)[0] = UInt32(bitPattern: c)
  }

  /// Makes the weights, and constants of outputs.
  @inline(__always)
  func weigh(_ scale: HeadScale, _ count: Int) {
    let exponential = TripleExponential(scale.score)
    for row in 0..<count {
      let sum = exponential.weigh(
        scores.dropping(row), to: weights.dropping(2 &* row), keyCount, greatest: greatest(row)[0])
      let normalized = scale.value(over: sum)
      let constants = queries.dropping(3 &* row)
      constants[0] = UInt32(bitPattern: normalized.multiplier)
      constants[1] = 1 &<< UInt32(bitPattern: normalized.shift &- 33)
      constants[2] = UInt32(bitPattern: normalized.shift &- 32)
    }
  }

  /// Rows that are not wanted go where a wanted one comes after them.
  @inline(never)
  func write(_ head: Int, to target: MutableElements<Int8>, rowLength: Int, _ count: Int) {
    var value = values.dropping(head &* valueDepth)
    let end = value.dropping(valueDepth)
    let toB = count < 2 ? 0 : rowLength
    let toC = count < 3 ? toB : 2 &* rowLength
    var a = target
    repeat {
      var sums = PairSums(0, 0)
      sums.add(scores.readOnly, value, stride: valueStride, keyCount)
      let (b, c) = (a.dropping(toB), a.dropping(toC))
      put(sums.c0, sums.c1, row: 2, c)
      put(sums.b0, sums.b1, row: 1, b)
      put(sums.a0, sums.a1, row: 0, a)
      (value, a) = (value.dropping(2), a.dropping(2))
    } while value.isBefore(end)
  }

  @inline(__always)
  private func put(_ first: Int32, _ second: Int32, row: Int, _ target: MutableElements<Int8>) {
    let multiplier = Int32(bitPattern: queries[3 &* row])
    let half = Int32(bitPattern: queries[3 &* row &+ 1])
    let shift = Int32(bitPattern: queries[3 &* row &+ 2])
    target[0] = Int8(truncatingIfNeeded: abacus_requantize_byte(first, multiplier, half, shift))
    target[1] = Int8(truncatingIfNeeded: abacus_requantize_byte(second, multiplier, half, shift))
  }
}

/// Products of three rows with one key.
private struct TripleSums {
  var a: Int32 = 0
  var b: Int32 = 0
  var c: Int32 = 0

  var wordA: UInt32 { UInt32(bitPattern: a) }
  var wordB: UInt32 { UInt32(bitPattern: b) }
  var wordC: UInt32 { UInt32(bitPattern: c) }

  @inline(__always)
  mutating func add(_ rows: Elements<UInt32>, _ key: Elements<Int8>, _ depth: Int) {
    var (x, key) = (rows, key)
    let end = key.dropping(depth)
    repeat {
      addQuad(&x, key.word(0))
      addQuad(&x, key.word(4))
      key = key.dropping(8)
    } while key.isBefore(end)
  }

  @inline(__always)
  private mutating func addQuad(_ x: inout Elements<UInt32>, _ key: UInt32) {
    add(x.takeThree(), abacus_even_bytes(key))
    add(x.takeThree(), abacus_odd_bytes(key))
  }

  @inline(__always)
  private mutating func add(_ x: abacus_three_words, _ key: UInt32) {
    a = abacus_multiply_add_pairs(x.a, key, a)
    b = abacus_multiply_add_pairs(x.b, key, b)
    c = abacus_multiply_add_pairs(x.c, key, c)
  }
}

extension PairSums {
  /// Weighted sums of two neighbouring columns of values.
  @inline(__always)
  fileprivate mutating func add(_ weights: Elements<UInt32>, _ values: Elements<Int8>, stride: Int, _ count: Int) {
    var (weights, value) = (weights, values)
    let end = weights.dropping(count / 2 &* 3)
    while weights.isBefore(end) {
      add(&weights, UInt32(value.half(0)) | UInt32(value.half(stride)) &<< 16)
      value = value.dropping(2 &* stride)
    }
    if count & 1 != 0 { add(&weights, UInt32(value.half(0))) }
  }

  /// Two values of each column.
  @inline(__always)
  private mutating func add(_ weights: inout Elements<UInt32>, _ values: UInt32) {
    let x = weights.takeThree()
    let (first, second) = (abacus_even_bytes(values), abacus_odd_bytes(values))
    a0 = abacus_multiply_add_pairs(x.a, first, a0)
    b0 = abacus_multiply_add_pairs(x.b, first, b0)
    c0 = abacus_multiply_add_pairs(x.c, first, c0)
    a1 = abacus_multiply_add_pairs(x.a, second, a1)
    b1 = abacus_multiply_add_pairs(x.b, second, b1)
    c1 = abacus_multiply_add_pairs(x.c, second, c1)
  }
}

/// `exponentQ15` of what scores are below the greatest, in few instructions.
private struct TripleExponential {
  let multiplier: Int32
  /// Bits that make the scale's shift 40, so that the high word of the product has 8 bits more than Q16.
  let lift: UInt32
  /// The greatest difference below 16 octaves.
  let limit: UInt32

  @inline(__always)
  init(_ scale: DyadicMultiplier) {
    multiplier = scale.multiplier
    lift = UInt32(bitPattern: 40 &- scale.shift)
    limit = longDivision(high: 1 &<< 28 &- 129, low: .max, by: UInt32(bitPattern: multiplier)) &>> lift
  }

  /// Makes weights of the scores of one row, and returns their sum.
  ///
  /// - Parameter weights: the place of the scores.
  @inline(never)
  func weigh(
    _ row: MutableElements<UInt32>, to weights: MutableElements<UInt16>, _ count: Int, greatest: UInt32
  ) -> UInt32 {
    let copy = self
    var sum: UInt32 = 0
    var (source, target, step) = (row, weights, 1)
    let end = row.dropping((count &+ 1) / 2 &* 6)
    repeat {
      let weight = copy[greatest &- source[0]]
      target[0] = UInt16(truncatingIfNeeded: weight)
      sum = sum &+ weight
      // The second half of the word, or the first of that three words on.
      (source, target, step) = (source.dropping(3), target.dropping(step), 6 &- step)
    } while source.isBefore(end)
    return sum
  }

  @inline(__always)
  private subscript(d: UInt32) -> UInt32 {
    if d > limit { return 0 }
    return abacus_exponent(d, lift, multiplier, 14 &<< 24 &+ 128)
  }
}
#endif
