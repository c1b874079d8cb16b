#if ABACUS_DSP
import AbacusFormat
import CAbacus

// Products of weights in pairs of channels, for cores with SMLAD and 14 registers: three rows by two
// channels take 79 instructions for 96 multiply-accumulates.
//
// Rows are widened to 16 bits once, for all channels, and lie interleaved, so that one pointer reads
// them: for every four elements the even ones of each row, then the odd ones, as SXTB16 gives them.

/// Four elements as halfwords: elements 0 and 2, elements 1 and 3.
struct WidenedQuad {
  let even: UInt32
  let odd: UInt32
}

/// Elements that are widened.
protocol WidenedElement: FixedWidthInteger, BitwiseCopyable {
  static func quad(_ elements: Elements<Self>) -> WidenedQuad
}

extension Int8: WidenedElement {
  @inline(__always)
  static func quad(_ elements: Elements<Int8>) -> WidenedQuad {
    let word = elements.word(0)
    return WidenedQuad(even: abacus_even_bytes(word), odd: abacus_odd_bytes(word))
  }
}

extension Int16: WidenedElement {
  /// PKHBT and PKHTB.
  @inline(__always)
  static func quad(_ elements: Elements<Int16>) -> WidenedQuad {
    let (first, second) = (elements.word(0), elements.word(2))
    return WidenedQuad(
      even: first & 0xFFFF | second &<< 16, odd: first &>> 16 | second & 0xFFFF_0000)
  }
}

/// Rows that have been widened.
struct WidenedRows {
  private let words: MutableElements<UInt32>
  /// Rows that lie interleaved: 1 or 3.
  let rows: Int

  init(_ words: MutableElements<UInt32>, rows: Int) {
    self.words = words
    self.rows = rows
  }

  var readOnly: Elements<UInt32> { words.readOnly }

  /// Widens elements of a row. Where they do not fill the last four, what follows counts as zero.
  ///
  /// - Parameter start: the place of the first of them in the row, a multiple of 4.
  @inline(__always)
  func set<Element: WidenedElement>(_ row: Int, from start: Int, _ elements: Elements<Element>, _ count: Int) {
    var target = words.dropping(start / 2 &* rows &+ row)
    var source = elements
    let end = elements.dropping(count & ~3)
    let whole = elements.dropping(count & ~15)
    while source.isBefore(whole) {
      put(Element.quad(source), target)
      put(Element.quad(source.dropping(4)), target.dropping(2 &* rows))
      put(Element.quad(source.dropping(8)), target.dropping(4 &* rows))
      put(Element.quad(source.dropping(12)), target.dropping(6 &* rows))
      target = target.dropping(8 &* rows)
      source = source.dropping(16)
    }
    while source.isBefore(end) {
      put(Element.quad(source), target)
      target = target.dropping(2 &* rows)
      source = source.dropping(4)
    }
    if count & 3 != 0 { put(last(source, count & 3), target) }
  }

  /// Widens a whole row. Not inlined, so that there is one such loop.
  @inline(never)
  func setRow<Element: WidenedElement>(_ row: Int, _ elements: Elements<Element>, _ count: Int) {
    set(row, from: 0, elements, count)
  }

  /// Fewer than four elements.
  @inline(never)
  private func last<Element: WidenedElement>(_ elements: Elements<Element>, _ count: Int) -> WidenedQuad {
    func half(_ k: Int) -> UInt32 { k < count ? UInt32(truncatingIfNeeded: elements[k]) & 0xFFFF : 0 }
    return WidenedQuad(even: half(0) | half(2) &<< 16, odd: half(1))
  }

  /// Four times the same element, so often.
  @inline(__always)
  func fill(_ row: Int, from start: Int, _ element: Int8, _ count: Int) {
    let half = UInt32(truncatingIfNeeded: element) & 0xFFFF
    let quad = WidenedQuad(even: half | half &<< 16, odd: half | half &<< 16)
    var target = words.dropping(start / 2 &* rows &+ row)
    for _ in 0..<count / 4 {
      put(quad, target)
      target = target.dropping(2 &* rows)
    }
  }

  @inline(__always)
  private func put(_ quad: WidenedQuad, _ target: MutableElements<UInt32>) {
    target[0] = quad.even
    target[rows] = quad.odd
  }
}

/// Sums of products of up to three rows (a, b, c) by two channels.
struct PairSums {
  var a0: Int32
  var b0: Int32
  var c0: Int32
  var a1: Int32
  var b1: Int32
  var c1: Int32

  @inline(__always)
  init(_ first: Int32, _ second: Int32) {
    (a0, b0, c0) = (first, first, first)
    (a1, b1, c1) = (second, second, second)
  }

  /// All elements of three rows; the weights then begin behind them.
  @inline(__always)
  mutating func addThree(_ rows: Elements<UInt32>, _ w: inout Elements<UInt32>, _ depth: PairedDepth) {
    var x = rows
    let blocks = w.dropping(depth.blocks)
    while w.isBefore(blocks) {
      addQuad(&x, &w)
      addQuad(&x, &w)
      addQuad(&x, &w)
      addQuad(&x, &w)
    }
    let end = w.dropping(depth.rest)
    while w.isBefore(end) { addQuad(&x, &w) }
  }

  /// All elements of one row, the first; the weights then begin behind them.
  @inline(__always)
  mutating func addOne(_ row: Elements<UInt32>, _ w: inout Elements<UInt32>, _ depth: PairedDepth) {
    var x = row
    let blocks = w.dropping(depth.blocks)
    while w.isBefore(blocks) {
      addTwoQuads(&x, &w)
      addTwoQuads(&x, &w)
    }
    let end = w.dropping(depth.rest)
    while w.isBefore(end) {
      addOne(x[0], w[0])
      addOne(x[1], w[1])
      (x, w) = (x.dropping(2), w.dropping(2))
    }
  }

  @inline(__always)
  private mutating func addTwoQuads(_ x: inout Elements<UInt32>, _ w: inout Elements<UInt32>) {
    let (elements, weights) = (x.takeFour(), w.takeFourWeights())
    addOne(elements.a, weights.a)
    addOne(elements.b, weights.b)
    addOne(elements.c, weights.c)
    addOne(elements.d, weights.d)
  }

  @inline(__always)
  private mutating func addOne(_ x: UInt32, _ w: UInt32) {
    a0 = abacus_multiply_add_pairs(x, abacus_even_bytes(w), a0)
    a1 = abacus_multiply_add_pairs(x, abacus_odd_bytes(w), a1)
  }
}

/// How many words the weights of two channels are.
struct PairedDepth {
  /// Those that come with 16 elements at a time.
  let blocks: Int
  let rest: Int

  init(_ depth: Int) {
    let quads = (depth &+ 3) / 4
    blocks = 2 &* (quads & ~3)
    rest = 2 &* (quads & 3)
  }
}

/// Weights in blocks of two channels by four elements.
struct PairedProduct {
  let weights: Elements<UInt32>
  let depth: PairedDepth
  private let channelCount: Int

  init(_ call: Invocation, depth: Int, channels: Int) {
    weights = call.elements(Operands.weights)
    self.depth = PairedDepth(depth)
    channelCount = channels
  }

  /// All channels of three rows.
  @inline(never)
  func three<Sink: ElementSink>(_ x: Elements<UInt32>, _ sink: Sink) {
    var w = weights
    for pair in 0..<channelCount / 2 {
      var sums = PairSums(sink.bias(2 &* pair), sink.bias(2 &* pair &+ 1))
      sums.addThree(x, &w, depth)
      sink.store(sums, channel: 2 &* pair, isOne: false)
    }
  }

  /// All channels of one row.
  @inline(never)
  func one<Sink: ElementSink>(_ x: Elements<UInt32>, _ sink: Sink) {
    var w = weights
    for pair in 0..<channelCount / 2 {
      var sums = PairSums(sink.bias(2 &* pair), sink.bias(2 &* pair &+ 1))
      w = sums.one(x, w, depth)
      sink.store(sums, channel: 2 &* pair, isOne: true)
    }
  }
}

// A leaf, so that sums and addresses have the registers for themselves.
extension PairSums {
  /// One row.
  ///
  /// - Returns: the weights that follow.
  @inline(never)
  fileprivate mutating func one(
    _ x: Elements<UInt32>, _ weights: Elements<UInt32>, _ depth: PairedDepth
  ) -> Elements<UInt32> {
    var (w, sums) = (weights, self)
    sums.addOne(x, &w, depth)
    self = sums
    return w
  }
}
#endif
