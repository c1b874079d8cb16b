#if ABACUS_MVE
import AbacusFormat
import CAbacus

/// A projection on vectors: two rows by two channels at a time, requantised four channels at a time. Where
/// channels do not come out even, the last four begin early, and some are computed again.
struct VectorProjection<Source: VectorElement> {
  private let stage: OutputStage
  private let weights: Elements<Int8>
  /// Bias and multiplier of each channel.
  private let channels: Elements<Int32>
  private let depth: Int
  private let count: Int
  private let output: VectorOutput
  private let residual: VectorResidual

  /// Nil where the loops do not apply. They need rows of weights that follow each other without a gap, one
  /// shift for all channels, and outputs of 8 or 16 bits.
  @inline(__always)
  init?(_ call: Invocation, _ weights: WeightMatrix, channelCount: Int) {
    let parameters = call.parameters(ProjectParameters.self)
    let output = call.tensor(Operands.output).elementType
    let hasResidual = call.record.variant == ProjectVariant.residual.rawValue
    guard weights.isRowMajor, weights.groupStride == weights.depth, !call.has(Operands.shifts), channelCount >= 4,
      output != ElementType.int32.rawValue, hasResidual || call.record.variant == ProjectVariant.plain.rawValue,
      !hasResidual
        || parameters.stage.shift <= 32 && call.tensor(Operands.second).elementType != ElementType.int32.rawValue
    else { return nil }
    stage = parameters.stage
    self.weights = weights.row(0)
    channels = call.elements(Operands.channels)
    depth = weights.depth
    count = channelCount
    self.output = VectorOutput(call)
    residual = VectorResidual(call, parameters, isPresent: hasResidual)
  }

  /// Rows of the units at hand.
  @inline(__always)
  func run(_ call: Invocation, _ x: Elements<Source>) {
    var x = x
    var (target, addend) = (output, residual)
    target.skip((call.units.lowerBound &- call.origin(Operands.output)) &* count)
    addend.skip((call.units.lowerBound &- addend.origin) &* count)
    var left = call.units.count
    while left > 0 {
      let isPair = left > 1
      pair(x, isPair ? x.dropping(depth) : x, target, addend, pitch: isPair ? count : 0)
      x = x.skipping(2 &* depth)
      target.skip(2 &* count)
      addend.skip(2 &* count)
      left = left &- 2
    }
  }

  /// Two rows; of an odd number, the last takes both places. All of a residual is read before an output is
  /// written over it.
  @inline(never)
  private func pair(
    _ x0: Elements<Source>, _ x1: Elements<Source>, _ output: VectorOutput, _ residual: VectorResidual, pitch: Int
  ) {
    var next = 0
    // Of a residual in the place of the output, elements that are computed again must not have been written.
    let lastAddends = residual.isPresent ? (residual[count &- 4], residual[count &- 4 &+ pitch]) : (.zero, .zero)
    while next < count {
      let isLast = next &+ 4 >= count
      let channel = isLast ? count &- 4 : next
      let w = weights.dropping(channel &* depth)
      let even = products(x0, x1, w)
      let odd = products(x0, x1, w.dropping(depth))
      let first = SIMD4(even.s00, odd.s00, even.s01, odd.s01)
      let second = SIMD4(even.s10, odd.s10, even.s11, odd.s11)
      let (biases, multipliers) = channels.dropping(2 &* channel).pairs
      var addends: (SIMD4<Int32>, SIMD4<Int32>) = (.zero, .zero)
      if residual.isPresent {
        addends = isLast ? lastAddends : (residual[channel], residual[channel &+ pitch])
      }
      output.store(requantized(first &+ biases, multipliers, addends.0), at: channel)
      output.store(requantized(second &+ biases, multipliers, addends.1), at: channel &+ pitch)
      next = next &+ 4
    }
  }

  @inline(__always)
  private func requantized(
    _ accumulators: SIMD4<Int32>, _ multipliers: SIMD4<Int32>, _ addends: SIMD4<Int32>
  ) -> SIMD4<Int32> {
    var high = abacus_multiply_high(accumulators, multipliers)
    let value: SIMD4<Int32>
    if stage.shift > 32 {
      value = abacus_round_right(high, stage.shift &- 32)
    } else {
      var low = accumulators &* multipliers
      if residual.isPresent {
        let factors = SIMD4(repeating: residual.multiplier)
        let more = addends &* factors
        high = high &+ abacus_multiply_high(addends, factors)
        low = low &+ more
        high = abacus_add_carry(high, low, more)
      }
      // The upper word's share is a whole number; half up is decided by the lower one.
      value = abacus_saturated_sum(
        abacus_saturated_left(high, 32 &- stage.shift), abacus_round_unsigned_right(low, stage.shift))
    }
    // Clamping comes first, so that a saturated value cannot wrap.
    let least = SIMD4(repeating: stage.low &- stage.zeroPoint)
    let greatest = SIMD4(repeating: stage.high &- stage.zeroPoint)
    return abacus_lesser_words(abacus_greater_words(value, least), greatest) &+ SIMD4(repeating: stage.zeroPoint)
  }

  /// Two rows by two channels of which the second is the next but one.
  @inline(__always)
  private func products(_ x0: Elements<Source>, _ x1: Elements<Source>, _ w: Elements<Int8>) -> FourProducts {
    var sums = FourProducts()
    var (x0, x1, w0, w1) = (x0, x1, w, w.dropping(2 &* depth))
    var left = depth
    while left > 0 {
      let mask = Source.mask(left)
      let (a, v) = (Source.vector(x0, mask), Source.weights(w0, mask))
      sums.s00 = Source.sum(sums.s00, a, v, mask)
      let b = Source.vector(x1, mask)
      sums.s10 = Source.sum(sums.s10, b, v, mask)
      let w = Source.weights(w1, mask)
      sums.s01 = Source.sum(sums.s01, a, w, mask)
      sums.s11 = Source.sum(sums.s11, b, w, mask)
      (x0, x1) = (x0.skipping(Source.lanes), x1.skipping(Source.lanes))
      (w0, w1) = (w0.skipping(Source.lanes), w1.skipping(Source.lanes))
      left = left &- Source.lanes
    }
    return sums
  }
}

/// Elements of 8 or 16 bits that are written four at a time.
private struct VectorOutput {
  private var bytes: MutableElements<Int8>
  private var halves: MutableElements<Int16>
  private let isNarrow: Bool

  init(_ call: Invocation) {
    bytes = call.mutableElements(Operands.output)
    halves = call.mutableElements(Operands.output)
    isNarrow = call.tensor(Operands.output).elementType == ElementType.int8.rawValue
  }

  @inline(__always)
  mutating func skip(_ count: Int) {
    bytes = bytes.skipping(count)
    halves = halves.skipping(count)
  }

  @inline(__always)
  func store(_ words: SIMD4<Int32>, at index: Int) {
    if isNarrow { bytes.dropping(index).store(words) } else { halves.dropping(index).store(words) }
  }
}

/// What is added to the products, less its zero point.
private struct VectorResidual {
  let isPresent: Bool
  let origin: Int
  let multiplier: Int32
  private let zeroPoint: Int32
  private var bytes: Elements<Int8>
  private var halves: Elements<Int16>
  private let isNarrow: Bool

  init(_ call: Invocation, _ parameters: ProjectParameters, isPresent: Bool) {
    // Without a residual the input stands in, and nothing is read.
    let slot = isPresent ? Operands.second : Operands.input
    self.isPresent = isPresent
    origin = call.origin(slot)
    multiplier = parameters.residualMultiplier
    zeroPoint = parameters.residualZeroPoint
    bytes = call.elements(slot)
    halves = call.elements(slot)
    isNarrow = call.tensor(slot).elementType == ElementType.int8.rawValue
  }

  @inline(__always)
  mutating func skip(_ count: Int) {
    bytes = bytes.skipping(count)
    halves = halves.skipping(count)
  }

  @inline(__always)
  subscript(index: Int) -> SIMD4<Int32> {
    (isNarrow ? bytes.dropping(index).words : halves.dropping(index).words) &- SIMD4(repeating: zeroPoint)
  }
}
#endif
