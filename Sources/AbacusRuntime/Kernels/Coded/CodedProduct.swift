#if ABACUS_DSP
import AbacusFormat
import CAbacus

// Products with codes of 4 and 2 bits on cores with SMLAD: one AND, which shifts as it goes, takes two codes out of a word, as
// SXTB16 takes two bytes. Codes count from 0; what an offset comes to is the sum of the row's elements, found once for all
// channels.

/// How many bits a code has.
private protocol CodeWidth {
  static var bits: UInt32 { get }
}

private enum FourBits: CodeWidth {
  @inline(__always) static var bits: UInt32 { 4 }
}

private enum TwoBits: CodeWidth {
  @inline(__always) static var bits: UInt32 { 2 }
}

extension CodeWidth {
  /// Pairs of codes in a word.
  @inline(__always) static var pairs: Int { Int(16 / bits) }

  /// Codes number `k` of both halves.
  @inline(__always)
  static func pair(_ word: UInt32, _ k: Int) -> UInt32 {
    (word &>> (UInt32(truncatingIfNeeded: k) &* bits)) & ((1 &<< bits &- 1) &* 0x1_0001)
  }
}

/// Rows that are widened in scratch, times codes: sums of one row or three by two channels.
struct CodedProduct {
  private let weights: CodedWeights
  private let words: MutableElements<UInt32>
  /// Of each group, one for each row: the sum of its elements times the codes' offset, or times the step of zero points.
  private let groupSums: MutableElements<Int32>
  private let widened: WidenedRows
  /// Elements of a row, padding included.
  private let paddedDepth: Int
  let channelCount: Int
  /// Of scratch that rows take.
  let bytes: Int

  /// Nil where scratch is too small, or for an odd number of channels.
  ///
  /// - Parameters:
  ///   - rows: those of the whole operator; fewer than three are taken one by one.
  ///   - staging: bytes that must be left.
  init?(_ call: Invocation, _ weights: CodedWeights, channels: Int, rows: Int, staging: Int = 0) {
    bytes = CodeLayout.widenedBytes(depth: weights.depth, groups: weights.groups, rows: rows)
    guard channels & 1 == 0, call.has(Operands.scratch), !call.has(Operands.shifts),
      call.storedCount(Operands.scratch, Int8.self) >= bytes &+ staging
    else { return nil }
    self.weights = weights
    channelCount = channels
    words = call.mutableElements(Operands.scratch)
    widened = WidenedRows(words, rows: rows < 3 ? 1 : 3)
    paddedDepth = (weights.depth &+ CodeLayout.granule &- 1) / CodeLayout.granule &* CodeLayout.granule
    let all: MutableElements<Int32> = call.mutableElements(Operands.scratch)
    groupSums = all.dropping(paddedDepth / 2 &* widened.rows)
  }

  /// Rows that are taken at a time.
  var rows: Int { widened.rows }

  /// Widens a row, and sums up its groups.
  @inline(never)
  func set<Source: WidenedElement>(_ lane: Int, _ source: Elements<Source>) {
    let depth = weights.depth
    widened.set(lane, from: 0, source, depth)
    widened.fill(lane, from: (depth &+ 3) & ~3, 0, paddedDepth &- (depth &+ 3) & ~3)
    let factor = weights.hasZeros ? CodeLayout.zeroUnit : weights.offset
    var x = words.readOnly.dropping(lane)
    var left = paddedDepth / 2
    for group in 0..<weights.groups {
      var sum: Int32 = 0
      let count = group &+ 1 == weights.groups ? left : weights.groupSize / 2
      for _ in 0..<count {
        sum = abacus_multiply_add_pairs(x[0], 0x1_0001, sum)
        x = x.dropping(rows)
      }
      groupSums[group &* rows &+ lane] = sum &* factor
      left = left &- count
    }
  }

  /// All channels of the rows at hand.
  func multiply<Sink: ElementSink>(to sink: Sink) {
    var channel = 0
    while channel < channelCount {
      var sums = self.sums(channel)
      let (first, second) = (sink.bias(channel), sink.bias(channel &+ 1))
      sums.a0 = sums.a0 &+ first
      sums.a1 = sums.a1 &+ second
      if rows == 3 {
        sums.b0 = sums.b0 &+ first
        sums.c0 = sums.c0 &+ first
        sums.b1 = sums.b1 &+ second
        sums.c1 = sums.c1 &+ second
      }
      sink.store(sums, channel: channel, isOne: rows == 1)
      channel = channel &+ 2
    }
    sink.finish()
  }

  /// Of two channels.
  @inline(__always)
  private func sums(_ channel: Int) -> PairSums {
    if weights.type == .int4 {
      return rows == 3 ? three(channel, FourBits.self) : one(channel, FourBits.self)
    }
    return rows == 3 ? three(channel, TwoBits.self) : one(channel, TwoBits.self)
  }

  @inline(never)
  private func one<Width: CodeWidth>(_ channel: Int, _: Width.Type) -> PairSums {
    var (x, w) = (words.readOnly, weights.words.dropping(channel / 2 &* weights.pairStride))
    var total = PairSums(0, 0)
    var left = weights.pairStride
    for group in 0..<weights.groups {
      let length = group &+ 1 == weights.groups ? left : weights.groupSize / Width.pairs
      left = left &- length
      let end = w.dropping(length)
      var (a0, a1) = (Int32(0), Int32(0))
      while w.isBefore(end) {
        let (w0, w1) = (w[0], w[1])
        w = w.dropping(2)
        for four in 0..<Width.pairs / 4 {
          let elements = x.takeFour()
          a0 = abacus_multiply_add_pairs(elements.a, Width.pair(w0, 4 &* four), a0)
          a1 = abacus_multiply_add_pairs(elements.a, Width.pair(w1, 4 &* four), a1)
          a0 = abacus_multiply_add_pairs(elements.b, Width.pair(w0, 4 &* four &+ 1), a0)
          a1 = abacus_multiply_add_pairs(elements.b, Width.pair(w1, 4 &* four &+ 1), a1)
          a0 = abacus_multiply_add_pairs(elements.c, Width.pair(w0, 4 &* four &+ 2), a0)
          a1 = abacus_multiply_add_pairs(elements.c, Width.pair(w1, 4 &* four &+ 2), a1)
          a0 = abacus_multiply_add_pairs(elements.d, Width.pair(w0, 4 &* four &+ 3), a0)
          a1 = abacus_multiply_add_pairs(elements.d, Width.pair(w1, 4 &* four &+ 3), a1)
        }
      }
      let scales = GroupPair(weights, channel, group)
      total.a0 = scales.first.add(a0, groupSums[group], total.a0)
      total.a1 = scales.second.add(a1, groupSums[group], total.a1)
    }
    return total
  }

  @inline(never)
  private func three<Width: CodeWidth>(_ channel: Int, _: Width.Type) -> PairSums {
    var (x, w) = (words.readOnly, weights.words.dropping(channel / 2 &* weights.pairStride))
    var total = PairSums(0, 0)
    var left = weights.pairStride
    for group in 0..<weights.groups {
      let length = group &+ 1 == weights.groups ? left : weights.groupSize / Width.pairs
      left = left &- length
      let end = w.dropping(length)
      var sums = PairSums(0, 0)
      while w.isBefore(end) {
        let (w0, w1) = (w[0], w[1])
        w = w.dropping(2)
        for k in 0..<Width.pairs {
          let (first, second) = (Width.pair(w0, k), Width.pair(w1, k))
          sums.a0 = abacus_multiply_add_pairs(x[3 &* k], first, sums.a0)
          sums.a1 = abacus_multiply_add_pairs(x[3 &* k], second, sums.a1)
          sums.b0 = abacus_multiply_add_pairs(x[3 &* k &+ 1], first, sums.b0)
          sums.b1 = abacus_multiply_add_pairs(x[3 &* k &+ 1], second, sums.b1)
          sums.c0 = abacus_multiply_add_pairs(x[3 &* k &+ 2], first, sums.c0)
          sums.c1 = abacus_multiply_add_pairs(x[3 &* k &+ 2], second, sums.c1)
        }
        x = x.dropping(3 &* Width.pairs)
      }
      let scales = GroupPair(weights, channel, group)
      let (a, b, c) = (groupSums[3 &* group], groupSums[3 &* group &+ 1], groupSums[3 &* group &+ 2])
      total.a0 = scales.first.add(sums.a0, a, total.a0)
      total.b0 = scales.first.add(sums.b0, b, total.b0)
      total.c0 = scales.first.add(sums.c0, c, total.c0)
      total.a1 = scales.second.add(sums.a1, a, total.a1)
      total.b1 = scales.second.add(sums.b1, b, total.b1)
      total.c1 = scales.second.add(sums.c1, c, total.c1)
    }
    return total
  }
}

/// What the sums of a group of one channel count.
private struct GroupScale {
  /// Of the products with codes, and of the group's own sum.
  let products: Int32
  let elements: Int32

  @inline(__always)
  func add(_ sum: Int32, _ elements: Int32, _ total: Int32) -> Int32 {
    sum &* products &+ (elements &* self.elements &+ total)
  }
}

/// The same of two channels.
private struct GroupPair {
  let first: GroupScale
  let second: GroupScale

  @inline(__always)
  init(_ weights: CodedWeights, _ channel: Int, _ group: Int) {
    if !weights.hasGroups {
      first = GroupScale(products: weights.factor, elements: 1)
      second = first
      return
    }
    let at = channel &* weights.groups &+ group
    let (a, b) = (Int32(weights.scales[at]), Int32(weights.scales[at &+ weights.groups]))
    if weights.hasZeros {
      first = GroupScale(products: a, elements: Int32(weights.zeros[at]))
      second = GroupScale(products: b, elements: Int32(weights.zeros[at &+ weights.groups]))
    } else {
      first = GroupScale(products: weights.factor &* a, elements: a)
      second = GroupScale(products: weights.factor &* b, elements: b)
    }
  }
}

/// Rows of a projection with outputs as they usually are.
struct CodedSinks {
  private let call: Invocation
  private let parameters: ProjectParameters

  /// Nil for outputs, residuals or shifts that the loops do not take.
  init?(_ call: Invocation) {
    self.call = call
    parameters = call.parameters(ProjectParameters.self)
    let output = call.tensor(Operands.output).elementType
    let hasResidual = call.record.variant != ProjectVariant.plain.rawValue
    let residual = hasResidual ? call.tensor(Operands.second).elementType : output
    guard PairedLayout.takes(
      parameters, ProjectVariant(rawValue: call.record.variant), output: output, residual: residual)
    else { return nil }
  }

  func multiply<Source: WidenedElement>(_ product: CodedProduct, _: Source.Type) {
    if PairedLayout.isWide(parameters.stage) {
      multiply(product, Source.self, to: WideSink(call, parameters, channelCount: product.channelCount))
    } else if call.tensor(Operands.output).elementType == ElementType.int16.rawValue {
      multiply(
        product, Source.self, to: RowSink<Int16>(call, parameters.stage, channelCount: product.channelCount))
    } else {
      multiply(
        product, Source.self, to: RowSink<Int8>(call, parameters.stage, channelCount: product.channelCount))
    }
  }

  private func multiply<Source: WidenedElement, Sink: ElementSink>(
    _ product: CodedProduct, _: Source.Type, to sink: Sink
  ) {
    var sink = sink
    let depth = call.tensor(Operands.weights).extent(1)
    var source: Elements<Source> = call.elements(Operands.input)
    source = source.dropping((call.units.lowerBound &- call.origin(Operands.input)) &* depth)
    var row = call.units.lowerBound
    while row < call.units.upperBound {
      // Where fewer rows are left, the others are whatever was there before; they go nowhere.
      let count = min(product.rows, call.units.upperBound &- row)
      for lane in 0..<count { product.set(lane, source.dropping(lane &* depth)) }
      sink.move(to: row &- call.origin(Operands.output), rows: count)
      product.multiply(to: sink)
      (source, row) = (source.dropping(count &* depth), row &+ count)
    }
  }
}
#endif
