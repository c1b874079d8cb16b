#if ABACUS_LONG
import AbacusFormat
import CAbacus

// One channel, in words of two lanes (LaneSums.swift): an element, and the one two places on. So products of
// three lines by three taps are those of two outputs at once, which are two apart, or neighbours where the
// stride is 2.

extension LineBuffer {
  /// A line, padding included, which also follows it.
  @inline(never)
  func gather(_ line: Elements<Int8>, _ place: Int) {
    var roll = LineRoll(valueWords.dropping(place), element(line, 0), element(line, 1))
    let before = max(span.first &- 2, 0)
    // The first two elements end no word.
    let skipped = max(2 &- span.first, 0)
    let count = max(span.count &- skipped, 0)
    roll.pad(fill, count: before)
    if count > 0 { roll.take(line.dropping(span.offset &+ skipped &* span.step), step: span.step, count: count) }
    roll.pad(fill, count: 2 &* span.pairs &- before &- count)
  }

  @inline(__always)
  private func element(_ line: Elements<Int8>, _ index: Int) -> Int8 {
    let place = index &- span.first
    return place >= 0 && place < span.count ? line[span.offset &+ place &* span.step] : fill
  }

  /// A line of padding.
  @inline(never)
  func pad(_ place: Int) {
    let word = Lanes.word(fill, fill)
    for i in 0..<2 &* span.pairs { valueWords[3 &* i &+ place] = word }
  }
}

/// Elements that come one after the other, and become words with those two places before.
private struct LineRoll {
  private var target: MutableElements<Int32>
  private var first: Int8
  private var second: Int8

  init(_ target: MutableElements<Int32>, _ first: Int8, _ second: Int8) {
    self.target = target
    self.first = first
    self.second = second
  }

  @inline(__always)
  private mutating func put(_ element: Int8) {
    target[0] = Lanes.word(first, element)
    (first, second) = (second, element)
    target = target.dropping(3)
  }

  @inline(__always)
  mutating func pad(_ fill: Int8, count: Int) {
    for _ in 0..<count { put(fill) }
  }

  @inline(__always)
  mutating func take(_ line: Elements<Int8>, step: Int, count: Int) {
    var line = line
    for _ in 0..<count / 2 {
      let (a, b) = (line[0], line[step])
      target[0] = Lanes.word(first, a)
      target[3] = Lanes.word(second, b)
      (first, second) = (a, b)
      (target, line) = (target.dropping(6), line.dropping(2 &* step))
    }
    if count & 1 != 0 { put(line[0]) }
  }
}

extension LineProduct {
  @inline(never)
  func run(_ w: Elements<Int32>) {
    if stride == 1 { runFours(w) } else { runTwos(w) }
    epilogue.clamp(output, count, step: step)
  }

  /// Four outputs at a time; the last four may be some of those before again.
  @inline(__always)
  private func runFours(_ w: Elements<Int32>) {
    let (bias, multiplier) = (constants[0], constants[1])
    var (x, target) = (values, output)
    var left = count
    while left > 0 {
      // Where fewer than four are left, some of those before are made again.
      let back = left < 4 && count >= 4 ? 4 &- left : 0
      if back > 0 { (x, target) = (values.dropping(3 &* (count &- 4)), output.dropping((count &- 4) &* step)) }
      let sums = fourOutputs(x, w)
      target[0] = epilogue.apply(sums[0] &+ bias, multiplier)
      if count >= 4 {
        target[step] = epilogue.apply(sums[1] &+ bias, multiplier)
        target[2 &* step] = epilogue.apply(sums[2] &+ bias, multiplier)
        target[3 &* step] = epilogue.apply(sums[3] &+ bias, multiplier)
      } else {
        for i in 1..<count { target[i &* step] = epilogue.apply(sums[i] &+ bias, multiplier) }
      }
      left = left &- 4
      if left > 0 { (x, target) = (x.dropping(12), target.dropping(4 &* step)) }
    }
  }

  /// Two outputs at a time; the last two may be one of those before again.
  @inline(__always)
  private func runTwos(_ w: Elements<Int32>) {
    let (bias, multiplier) = (constants[0], constants[1])
    var x = 0
    while x < count {
      let start = max(min(x, count &- 2), 0)
      let sums = twoOutputs(values.dropping(6 &* start), w)
      let target = output.dropping(start &* step)
      target[0] = epilogue.apply(sums[0] &+ bias, multiplier)
      if count > 1 { target[step] = epilogue.apply(sums[1] &+ bias, multiplier) }
      x = x &+ 2
    }
  }
}

// Leaves, so that sums and addresses have the registers for themselves.

/// Outputs 0 to 3 of a line, stride 1.
@inline(never)
private func fourOutputs(_ x: Elements<Int32>, _ w: Elements<Int32>) -> SIMD4<Int32> {
  var (even, odd) = (NineProducts(), NineProducts())
  for k in 0..<3 {
    even.add(x[3 &* k], w[k], x[3 &* k &+ 1], w[3 &+ k], x[3 &* k &+ 2], w[6 &+ k])
    odd.add(x[3 &* k &+ 3], w[k], x[3 &* k &+ 4], w[3 &+ k], x[3 &* k &+ 5], w[6 &+ k])
  }
  let (first, second) = (even.sums, odd.sums)
  return SIMD4(first.lower, second.lower, first.upper, second.upper)
}

/// Outputs 0 and 1 of a line, stride 2.
@inline(never)
private func twoOutputs(_ x: Elements<Int32>, _ w: Elements<Int32>) -> SIMD2<Int32> {
  var products = NineProducts()
  for k in 0..<3 {
    products.add(x[3 &* k], w[k], x[3 &* k &+ 1], w[3 &+ k], x[3 &* k &+ 2], w[6 &+ k])
  }
  let sums = products.sums
  return SIMD2(sums.lower, sums.upper)
}

/// Sums of two outputs.
private struct NineProducts {
  private var lanes = RowLanes.start

  @inline(__always)
  mutating func add(_ a: Int32, _ u: Int32, _ b: Int32, _ v: Int32, _ c: Int32, _ w: Int32) {
    lanes = lanes &+ abacus_multiply_wide(a, u) &+ abacus_multiply_wide(b, v) &+ abacus_multiply_wide(c, w)
  }

  @inline(__always)
  var sums: (lower: Int32, upper: Int32) { (RowLanes.lower(lanes), RowLanes.upper(lanes)) }
}
#endif
