#if ABACUS_DSP
import AbacusFormat
import CAbacus

// Products with codes of 4 and 2 bits on cores with SMLAD: one AND, which shifts as it goes, takes two codes out of a word, as
// SXTB16 takes two bytes. Codes count from 0; what an offset comes to is the sum of the row's elements, found once for all
// channels.

/// How many bits a code has.
protocol CodeWidth {
  static var bits: Int { get }
}

extension CodeWidth {
  /// Pairs of codes in a word.
  @inline(__always) static var pairs: Int { 16 / bits }

  /// Codes of the groups whose loop has no counter.
  @inline(__always) static var walkedGroup: Int { 32 }
}

private enum FourBits: CodeWidth {
  @inline(__always) static var bits: Int { 4 }
}

private enum TwoBits: CodeWidth {
  @inline(__always) static var bits: Int { 2 }
}

/// Products of a few rows at a time with weights whose sums come in pairs of channels.
protocol PairedChannelsProduct {
  /// Rows that are taken at a time.
  var rows: Int { get }
  /// Elements of a row.
  var depth: Int { get }
  /// An even number.
  var channelCount: Int { get }

  /// All channels of `count` rows, no more than are taken at a time.
  func multiply<Source: WidenedElement & QuadElement, Sink: ElementSink>(
    _ source: Elements<Source>, count: Int, to sink: Sink)
}

extension CodedProduct: PairedChannelsProduct {
  var depth: Int { weights.depth }

  func multiply<Source: WidenedElement & QuadElement, Sink: ElementSink>(
    _ source: Elements<Source>, count: Int, to sink: Sink
  ) {
    // Where fewer rows are left, the others are whatever was there before; they go nowhere.
    for lane in 0..<count { set(lane, source.dropping(lane &* depth)) }
    multiply(to: sink)
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
  /// Scales of groups, and how far those of a channel are from those of the next. Where there are no groups, the scale of all
  /// codes stands in scratch.
  private let scales: Elements<UInt8>
  private let scaleStride: Int
  /// Odd grids count by twos; where elements are of int8, twice as much as they are fits as well, and that is all.
  private let doubles: Bool
  /// What sums are multiplied by in the end.
  private let factor: Int32
  /// Sums of products begin with those of elements where all that the grid asks for is an offset; else the mask is 0.
  private let startMask: Int32

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
    let own: MutableElements<UInt8> = call.mutableElements(Operands.scratch)
    let scale = own.dropping(bytes &- 4)
    for i in 0..<4 { scale[i] = UInt8(truncatingIfNeeded: weights.scale) }
    scales = weights.hasGroups ? weights.scales : scale.readOnly
    scaleStride = weights.hasGroups ? weights.groups : 0
    doubles = weights.factor == 2 && call.tensor(Operands.input).elementType == ElementType.int8.rawValue
    factor = doubles ? 1 : weights.factor
    startMask = weights.hasZeros || factor != 1 ? 0 : -1
  }

  private var countsElements: Bool { startMask == 0 }

  /// Rows that are taken at a time.
  var rows: Int { widened.rows }

  /// Widens a row, sums up its groups, and doubles it where that is called for.
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
    if doubles { double(lane) }
  }

  /// Twice as much of every element of a row.
  @inline(never)
  private func double(_ lane: Int) {
    var x = words.dropping(lane)
    for _ in 0..<paddedDepth / 2 {
      // The sign of the lower half would become the lowest bit of the upper.
      x[0] = x[0] &<< 1 & 0xFFFE_FFFF
      x = x.dropping(rows)
    }
  }

  /// All channels of the rows at hand.
  func multiply<Sink: ElementSink>(to sink: Sink) {
    var (channel, constants) = (0, sink.channels)
    while channel < channelCount {
      if rows == 1 {
        let sums = self.sumsOfOne(channel)
        sink.put(sums.a0 &+ constants[0], sums.a1 &+ constants[2], constants, channel)
      } else {
        let sums = self.sumsOfThree(channel)
        let (first, second) = (constants[0], constants[2])
        sink.put(sums.a0 &+ first, sums.a1 &+ second, constants, channel)
        if sink.rows > 1 { sink.put(sums.b0 &+ first, sums.b1 &+ second, constants, channel &+ channelCount) }
        if sink.rows > 2 { sink.put(sums.c0 &+ first, sums.c1 &+ second, constants, channel &+ 2 &* channelCount) }
      }
      channel = channel &+ 2
      if channel < channelCount { constants = constants.dropping(4) }
    }
    sink.finish()
  }

  /// Sums of a row's products. On symmetric grids, and on those that rows are doubled for, the sums of elements are in them.
  @inline(__always)
  private func sumsOfOne(_ channel: Int) -> (a0: Int32, a1: Int32) {
    let sums = weights.type == .int4 ? one(channel, FourBits.self) : one(channel, TwoBits.self)
    return countsElements ? addElementsOfOne(sums.a0, sums.a1, channel) : sums
  }

  /// The same of three rows.
  @inline(__always)
  private func sumsOfThree(_ channel: Int) -> PairSums {
    var sums = weights.type == .int4 ? three(channel, FourBits.self) : three(channel, TwoBits.self)
    if countsElements { addElements(&sums, channel) }
    return sums
  }

  @inline(never)
  private func one<Width: CodeWidth>(_ channel: Int, _: Width.Type) -> (a0: Int32, a1: Int32) {
    var (x, w) = (words.readOnly, weights.words.dropping(channel / 2 &* weights.pairStride))
    var total: (a0: Int32, a1: Int32) = (0, 0)
    var (scales, starts) = (scales.dropping(channel &* scaleStride), groupSums.readOnly)
    let groupWords = weights.hasGroups ? weights.groupSize / Width.pairs : weights.pairStride
    var left = weights.pairStride
    if weights.hasGroups, weights.groupSize == Width.walkedGroup, startMask != 0, weights.depth >= Width.walkedGroup {
      let count = weights.depth / Width.walkedGroup
      left = left &- count &* groupWords
      Width.addGroups(&total, count, &x, &w, &scales, scaleStride, &starts)
    }
    while left > 0 {
      let end = w.dropping(min(left, groupWords))
      left = left &- groupWords
      var a0 = starts[0] & startMask
      var a1 = a0
      while w.isBefore(end) { Width.add(&a0, &a1, &x, &w) }
      total.a0 = total.a0 &+ a0 &* Int32(scales[0])
      total.a1 = total.a1 &+ a1 &* Int32(scales[scaleStride])
      (scales, starts) = (scales.dropping(1), starts.dropping(1))
    }
    return total
  }

  @inline(never)
  private func three<Width: CodeWidth>(_ channel: Int, _: Width.Type) -> PairSums {
    var (x, w) = (words.readOnly, weights.words.dropping(channel / 2 &* weights.pairStride))
    var total = PairSums(0, 0)
    var (scales, starts) = (scales.dropping(channel &* scaleStride), groupSums.readOnly)
    let groupWords = weights.hasGroups ? weights.groupSize / Width.pairs : weights.pairStride
    var left = weights.pairStride
    while left > 0 {
      let end = w.dropping(min(left, groupWords))
      left = left &- groupWords
      var sums = PairSums(0, 0)
      (sums.a0, sums.b0, sums.c0) = (starts[0] & startMask, starts[1] & startMask, starts[2] & startMask)
      (sums.a1, sums.b1, sums.c1) = (sums.a0, sums.b0, sums.c0)
      while w.isBefore(end) { Width.add(&sums, &x, &w) }
      let (first, second) = (Int32(scales[0]), Int32(scales[scaleStride]))
      total.a0 = total.a0 &+ sums.a0 &* first
      total.b0 = total.b0 &+ sums.b0 &* first
      total.c0 = total.c0 &+ sums.c0 &* first
      total.a1 = total.a1 &+ sums.a1 &* second
      total.b1 = total.b1 &+ sums.b1 &* second
      total.c1 = total.c1 &+ sums.c1 &* second
      (scales, starts) = (scales.dropping(1), starts.dropping(3))
    }
    return total
  }

  /// What the sums of the groups' elements come to, by their scales or zero points, and the grid's factor before.
  @inline(never)
  private func addElementsOfOne(_ a0: Int32, _ a1: Int32, _ channel: Int) -> (a0: Int32, a1: Int32) {
    (a0 &* factor &+ elements(channel, 0), a1 &* factor &+ elements(channel &+ 1, 0))
  }

  /// The same of three rows.
  @inline(never)
  private func addElements(_ sums: inout PairSums, _ channel: Int) {
    sums.a0 = sums.a0 &* factor &+ elements(channel, 0)
    sums.a1 = sums.a1 &* factor &+ elements(channel &+ 1, 0)
    sums.b0 = sums.b0 &* factor &+ elements(channel, 1)
    sums.c0 = sums.c0 &* factor &+ elements(channel, 2)
    sums.b1 = sums.b1 &* factor &+ elements(channel &+ 1, 1)
    sums.c1 = sums.c1 &* factor &+ elements(channel &+ 1, 2)
  }

  @inline(never)
  private func elements(_ channel: Int, _ lane: Int) -> Int32 {
    var total: Int32 = 0
    for group in 0..<weights.groups {
      let at = channel &* scaleStride &+ group
      let scale = weights.hasZeros ? Int32(weights.zeros[at]) : Int32(scales[at])
      total = total &+ scale &* groupSums[group &* rows &+ lane]
    }
    return total
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

  func multiply<Product: PairedChannelsProduct, Source: WidenedElement & QuadElement>(_ product: Product, _: Source.Type) {
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

  private func multiply<Product: PairedChannelsProduct, Source: WidenedElement & QuadElement, Sink: ElementSink>(
    _ product: Product, _: Source.Type, to sink: Sink
  ) {
    var sink = sink
    let depth = product.depth
    var source: Elements<Source> = call.elements(Operands.input)
    source = source.dropping((call.units.lowerBound &- call.origin(Operands.input)) &* depth)
    var row = call.units.lowerBound
    while row < call.units.upperBound {
      let count = min(product.rows, call.units.upperBound &- row)
      sink.move(to: row &- call.origin(Operands.output), rows: count)
      product.multiply(source, count: count, to: sink)
      (source, row) = (source.dropping(count &* depth), row &+ count)
    }
  }
}
#endif
