#if ABACUS_DSP
import AbacusFormat
import CAbacus

// Products of weights in blocks of two channels by four elements, for cores with SMLAD and 14 registers:
// three rows by two channels take 47 instructions for 48 multiply-accumulates.
//
// Rows are widened to 16 bits once, for all channels, and lie interleaved, so that one pointer reads
// them: for every four elements the even ones of each row, then the odd ones, as SXTB16 gives them.

/// Rows of int8 that have been widened.
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
  func set(_ row: Int, from start: Int, _ elements: Elements<Int8>, _ count: Int) {
    var at = start / 2 &* rows &+ row
    var k = 0
    while k &+ 4 <= count {
      put(elements.word(k), at)
      at = at &+ 2 &* rows
      k = k &+ 4
    }
    if k == count { return }
    var word: UInt32 = 0
    var shift: UInt32 = 0
    while k < count {
      word |= UInt32(UInt8(bitPattern: elements[k])) &<< shift
      shift = shift &+ 8
      k = k &+ 1
    }
    put(word, at)
  }

  /// Four times the same element, so often.
  @inline(__always)
  func fill(_ row: Int, from start: Int, _ element: Int8, _ count: Int) {
    let word = UInt32(UInt8(bitPattern: element)) &* 0x0101_0101
    var at = start / 2 &* rows &+ row
    var k = 0
    while k < count {
      put(word, at)
      at = at &+ 2 &* rows
      k = k &+ 4
    }
  }

  @inline(__always)
  private func put(_ word: UInt32, _ at: Int) {
    words[at] = abacus_even_bytes(word)
    words[at &+ rows] = abacus_odd_bytes(word)
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

  /// Four elements of three rows.
  @inline(__always)
  mutating func addThree(_ x: Elements<UInt32>, _ w: Elements<UInt32>) {
    add(x[0], x[1], x[2], abacus_even_bytes(w[0]), abacus_even_bytes(w[1]))
    add(x[3], x[4], x[5], abacus_odd_bytes(w[0]), abacus_odd_bytes(w[1]))
  }

  @inline(__always)
  private mutating func add(_ a: UInt32, _ b: UInt32, _ c: UInt32, _ w0: UInt32, _ w1: UInt32) {
    a0 = abacus_multiply_add_pairs(a, w0, a0)
    a1 = abacus_multiply_add_pairs(a, w1, a1)
    b0 = abacus_multiply_add_pairs(b, w0, b0)
    b1 = abacus_multiply_add_pairs(b, w1, b1)
    c0 = abacus_multiply_add_pairs(c, w0, c0)
    c1 = abacus_multiply_add_pairs(c, w1, c1)
  }

  /// Four elements of one row.
  @inline(__always)
  mutating func addOne(_ x: Elements<UInt32>, _ w: Elements<UInt32>) {
    a0 = abacus_multiply_add_pairs(x[0], abacus_even_bytes(w[0]), a0)
    a1 = abacus_multiply_add_pairs(x[0], abacus_even_bytes(w[1]), a1)
    a0 = abacus_multiply_add_pairs(x[1], abacus_odd_bytes(w[0]), a0)
    a1 = abacus_multiply_add_pairs(x[1], abacus_odd_bytes(w[1]), a1)
  }
}

/// What begins and ends the sums of two channels.
protocol PairSink {
  func bias(_ channel: Int) -> Int32
  /// Takes the sums of channels `channel` and, where there is one, `channel + 1`.
  func store(_ sums: PairSums, channel: Int, rows: Int)
}

/// Weights in blocks of two channels by four elements.
struct PairedProduct {
  private let weights: Elements<UInt32>
  /// Groups of four elements in a row.
  private let quads: Int
  private let channelCount: Int

  init(_ call: Invocation, depth: Int, channels: Int) {
    weights = call.elements(Operands.weights)
    quads = (depth &+ 3) / 4
    channelCount = channels
  }

  /// All channels of three rows. Not inlined, so that the inner loop finds registers.
  @inline(never)
  func three<Sink: PairSink>(_ x: Elements<UInt32>, _ sink: Sink) {
    var w = weights
    var channel = 0
    while channel < channelCount {
      var sums = PairSums(sink.bias(channel), sink.bias(min(channel &+ 1, channelCount &- 1)))
      var x = x
      var left = quads
      if left & 1 != 0 {
        sums.addThree(x, w)
        (x, w, left) = (x.dropping(6), w.dropping(2), left &- 1)
      }
      while left != 0 {
        sums.addThree(x, w)
        sums.addThree(x.dropping(6), w.dropping(2))
        (x, w, left) = (x.dropping(12), w.dropping(4), left &- 2)
      }
      sink.store(sums, channel: channel, rows: 3)
      channel = channel &+ 2
    }
  }

  /// All channels of one row.
  @inline(never)
  func one<Sink: PairSink>(_ x: Elements<UInt32>, _ sink: Sink) {
    var w = weights
    var channel = 0
    while channel < channelCount {
      var sums = PairSums(sink.bias(channel), sink.bias(min(channel &+ 1, channelCount &- 1)))
      var x = x
      var left = quads
      if left & 1 != 0 {
        sums.addOne(x, w)
        (x, w, left) = (x.dropping(2), w.dropping(2), left &- 1)
      }
      while left != 0 {
        sums.addOne(x, w)
        sums.addOne(x.dropping(2), w.dropping(2))
        (x, w, left) = (x.dropping(4), w.dropping(4), left &- 2)
      }
      sink.store(sums, channel: channel, rows: 1)
      channel = channel &+ 2
    }
  }
}
#endif
