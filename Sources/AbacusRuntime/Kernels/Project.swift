import AbacusFormat
import CAbacus

// Rows [M, K] of int8 or int16 times constant weights [N, K], with or without a residual, to any
// width. A unit is one row.

/// 1 where rows are of int16, and 2 where weights in pairs have loops of their own.
@c(abacus_form_project)
public func projectForm(_ call: UnsafePointer<abacus_kernel_call>) -> UInt32 {
  let call = unsafe Invocation(call)
  let isWide = call.tensor(Operands.input).elementType == ElementType.int16.rawValue
  return (isWide ? 1 : 0) | (isPairedProjection(call) ? 2 : 0)
}

@c(abacus_run_project)
public func runProject(_ call: UnsafePointer<abacus_kernel_call>) {
  switch unsafe projectForm(call) {
  case 0: unsafe projectRowsInt8(call)
  case 1: unsafe projectRowsInt16(call)
  case 2: unsafe projectPairsInt8(call)
  default: unsafe projectPairsInt16(call)
  }
}

@c(abacus_run_project_rows_int8)
public func projectRowsInt8(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe projectRows(Invocation(call), Int8.self)
}

@c(abacus_run_project_rows_int16)
public func projectRowsInt16(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe projectRows(Invocation(call), Int16.self)
}

@c(abacus_run_project_pairs_int8)
public func projectPairsInt8(_ call: UnsafePointer<abacus_kernel_call>) {
  #if ABACUS_LANES
  unsafe projectLanes(Invocation(call))
  #else
  unsafe projectPairs(Invocation(call), Int8.self)
  #endif
}

@c(abacus_run_project_pairs_int16)
public func projectPairsInt16(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe projectPairs(Invocation(call), Int16.self)
}

#if arch(x86_64) || arch(arm64) || ABACUS_MVE
private typealias RowElement = VectorElement
#else
private typealias RowElement = ProductElement
#endif

/// Any layout of weights.
@inline(never)
private func projectRows<Source: RowElement>(_ call: Invocation, _: Source.Type) {
  let record = call.tensor(Operands.weights)
  let depth = record.extent(1)
  let weights = WeightMatrix(call.elements(Operands.weights), record: record, depth: depth)
  let input: Elements<Source> = call.elements(Operands.input)
  #if ABACUS_MVE
  if let projection = VectorProjection<Source>(call, weights, channelCount: record.extent(0)) {
    let first = (call.units.lowerBound &- call.origin(Operands.input)) &* depth
    return projection.run(call, input.dropping(first))
  }
  #endif
  let projection = Projection(call, channelCount: record.extent(0))
  let (first, last) = (call.units.lowerBound, call.units.upperBound)
  var source = (first &- call.origin(Operands.input)) &* depth
  var row = first
  #if arch(x86_64) || arch(arm64)
  while row < last && weights.isDense && call.vectors != .common {
    projection.one(input.dropping(source), weights, row: row, call.vectors)
    source = source &+ depth
    row = row &+ 1
  }
  #endif
  while row &+ 1 < last && weights.isRowMajor {
    projection.two(input.dropping(source), input.dropping(source &+ depth), weights, row: row)
    source = source &+ 2 &* depth
    row = row &+ 2
  }
  while row < last {
    projection.one(input.dropping(source), weights, row: row)
    source = source &+ depth
    row = row &+ 1
  }
}

/// Weights in pairs, with outputs and residuals as they usually are.
private func isPairedProjection(_ call: Invocation) -> Bool {
  let output = call.tensor(Operands.output).elementType
  let hasResidual = call.record.variant != ProjectVariant.plain.rawValue
  return call.isPaired
    && PairedLayout.takes(
      call.parameters(ProjectParameters.self), ProjectVariant(rawValue: call.record.variant), output: output,
      residual: hasResidual ? call.tensor(Operands.second).elementType : output)
}

#if ABACUS_DSP
@inline(never)
private func projectPairs<Source: WidenedElement>(_ call: Invocation, _: Source.Type) {
  let record = call.tensor(Operands.weights)
  let depth = record.extent(1)
  let channels = record.extent(0)
  let parameters = call.parameters(ProjectParameters.self)
  let input: Elements<Source> = call.elements(Operands.input)
  let first = call.units.lowerBound
  let source = input.dropping((first &- call.origin(Operands.input)) &* depth)
  let target = first &- call.origin(Operands.output)
  func multiply<Sink: PairSink>(to sink: Sink) {
    var sink = sink
    multiplyPaired(
      call, source, rows: call.units.count, depth: depth, channels: channels, to: &sink, row: target)
  }
  if PairedLayout.isWide(parameters.stage) {
    multiply(to: WideSink(call, parameters, channelCount: channels))
  } else if call.tensor(Operands.output).elementType == ElementType.int16.rawValue {
    multiply(to: RowSink<Int16>(call, parameters.stage, channelCount: channels))
  } else {
    multiply(to: ByteSink(call, parameters.stage, channelCount: channels))
  }
}
#elseif ABACUS_LANES
/// Rows of int8 in lanes, two at a time where there is scratch for it.
@inline(never)
private func projectLanes(_ call: Invocation) {
  let record = call.tensor(Operands.weights)
  let depth = record.extent(1)
  let weights = LaneWeights(call, depth: depth)
  let scratch: MutableElements<Int32> = call.mutableElements(Operands.scratch)
  let isForTwo = call.storedCount(Operands.scratch, Int32.self) >= 4 &* weights.quads
  if !isForTwo && !weights.takesOneRow { return projectPairs(call, Int8.self) }
  let projection = Projection(call, channelCount: record.extent(0))
  let (first, last) = (call.units.lowerBound, call.units.upperBound)
  var source: Elements<Int8> = call.elements(Operands.input)
  source = source.dropping((first &- call.origin(Operands.input)) &* depth)
  var row = first
  while row < last {
    // Without a second row the first stands in for it.
    let count = min(last &- row, 2)
    if weights.takesOneRow && (!isForTwo || count == 1) {
      projection.one(weights.row(source, scratch), weights, row: row)
      (source, row) = (source.dropping(depth), row &+ 1)
      continue
    }
    packLanes(source, source.dropping((count &- 1) &* depth), scratch, depth)
    weights.arrange(scratch)
    projection.two(scratch.readOnly, weights, row: row, rows: count)
    (source, row) = (source.dropping(count &* depth), row &+ count)
  }
}

/// Rows two by two, as they lie.
@inline(never)
private func projectPairs<Source: ProductElement>(_ call: Invocation, _: Source.Type) {
  let record = call.tensor(Operands.weights)
  let depth = record.extent(1)
  let weights = LaneWeights(call, depth: depth)
  let projection = Projection(call, channelCount: record.extent(0))
  let (first, last) = (call.units.lowerBound, call.units.upperBound)
  var source: Elements<Source> = call.elements(Operands.input)
  source = source.dropping((first &- call.origin(Operands.input)) &* depth)
  var row = first
  while row < last {
    // Without a second row the first stands in for it.
    let count = min(last &- row, 2)
    projection.two(source, source.dropping((count &- 1) &* depth), weights, row: row, rows: count)
    (source, row) = (source.dropping(count &* depth), row &+ count)
  }
}
#else
private func projectPairs<Source: RowElement>(_ call: Invocation, _: Source.Type) {
  projectRows(call, Source.self)
}
#endif

/// What becomes of the sums of products.
struct Projection {
  private let parameters: ProjectParameters
  private let variant: UInt8
  private let channelCount: Int
  /// Bias and multiplier of each channel.
  private let channels: Elements<Int32>
  /// A shift of each channel's own, where `hasShifts`.
  private let shifts: Elements<UInt8>
  private let hasShifts: Bool
  private let residual: WideElements
  private let residualOrigin: Int
  private let output: WideOutput
  private let outputOrigin: Int

  init(_ call: Invocation, channelCount: Int) {
    parameters = call.parameters(ProjectParameters.self)
    variant = call.record.variant
    self.channelCount = channelCount
    channels = call.elements(Operands.channels)
    hasShifts = call.has(Operands.shifts)
    shifts = call.elements(hasShifts ? Operands.shifts : Operands.channels)
    // Without a residual the input stands in, and nothing is read.
    let slot = variant == ProjectVariant.plain.rawValue ? Operands.input : Operands.second
    residual = WideElements(call, slot)
    residualOrigin = call.origin(slot)
    output = WideOutput(call)
    outputOrigin = call.origin(Operands.output)
  }

  /// One row.
  @inline(__always)
  func one<Source: ProductElement>(_ x: Elements<Source>, _ weights: WeightMatrix, row: Int) {
    for n in 0..<channelCount {
      let sum =
        weights.isRowMajor
        ? Source.dot(x, weights.row(n), weights.depth) : weights.dotProduct(row: n, x)
      finish(sum, row: row, channel: n)
    }
  }

  /// The same with weights of few bits.
  @inline(__always)
  func one<Source: ProductElement>(_ x: Elements<Source>, _ weights: CodedWeights, row: Int) {
    for n in 0..<channelCount { finish(weights.dotProduct(row: n, x), row: row, channel: n) }
  }

  /// The same with weights of which groups are left out.
  @inline(__always)
  func one<Source: SparseElement>(_ x: Elements<Source>, _ weights: SparseWeights, row: Int) {
    var weights = weights
    for n in 0..<channelCount { finish(weights.next(n, x), row: row, channel: n) }
  }

  #if arch(x86_64) || arch(arm64)
  /// One row by a row-major matrix, in vectors.
  @inline(__always)
  func one<Source: VectorElement>(
    _ x: Elements<Source>, _ weights: WeightMatrix, row: Int, _ vectors: VectorInstructions
  ) {
    var sums = InlineArray<16, Int32>(repeating: 0)
    var n = 0
    while n < channelCount {
      let count = min(channelCount &- n, 16)
      Source.add(vectors, x, weights.row(n), depth: weights.depth, channels: count, to: &sums)
      for i in 0..<count { finish(sums[i], row: row, channel: n &+ i) }
      n = n &+ 16
    }
  }
  #endif

  /// Two rows of a row-major matrix at once, so that each weight is loaded once for both.
  @inline(__always)
  func two<Source: ProductElement>(
    _ x0: Elements<Source>, _ x1: Elements<Source>, _ weights: WeightMatrix, row: Int
  ) {
    let depth = weights.depth
    var n = 0
    while n &+ 1 < channelCount {
      let sums = Source.dot(x0, x1, weights.row(n), weights.row(n &+ 1), depth)
      finish(sums, row: row, channel: n)
      n = n &+ 2
    }
    if n < channelCount {
      finish(Source.dot(x0, weights.row(n), depth), row: row, channel: n)
      finish(Source.dot(x1, weights.row(n), depth), row: row &+ 1, channel: n)
    }
  }

  #if ABACUS_LANES
  /// One row, weights in pairs.
  @inline(__always)
  func one(_ x: LaneRow, _ weights: LaneWeights, row: Int) {
    var w = weights.bytes
    var n = 0
    while n < channelCount {
      // Without a second pair the first stands in for it, and nothing is stored.
      let hasSecond = n &+ 2 < channelCount
      let v = hasSecond ? w.dropping(8 &* weights.quads) : w
      let sums = weights.fourSums(x, w, v)
      for i in 0..<(hasSecond ? 4 : 2) { finish(sums[i], row: row, channel: n &+ i) }
      n = n &+ 4
      if n < channelCount { w = v.dropping(8 &* weights.quads) }
    }
  }

  /// Two rows or the first of them, weights in pairs.
  @inline(__always)
  func two(_ x: Elements<Int32>, _ weights: LaneWeights, row: Int, rows: Int) {
    var w = weights.bytes
    var n = 0
    while n < channelCount {
      finish(weights.pairSums(x, w), row: row, rows: rows, channel: n)
      (w, n) = (w.dropping(8 &* weights.quads), n &+ 2)
    }
  }

  /// The same as they lie.
  @inline(__always)
  func two<Source: ProductElement>(
    _ x0: Elements<Source>, _ x1: Elements<Source>, _ weights: LaneWeights, row: Int, rows: Int
  ) {
    var w = weights.bytes
    var n = 0
    while n < channelCount {
      finish(pairProducts(x0, x1, w, weights.depth), row: row, rows: rows, channel: n)
      (w, n) = (w.dropping(8 &* weights.quads), n &+ 2)
    }
  }

  @inline(__always)
  private func finish(_ sums: SIMD4<Int32>, row: Int, rows: Int, channel n: Int) {
    if rows == 2 { return finish(sums, row: row, channel: n) }
    finish(sums[0], row: row, channel: n)
    finish(sums[1], row: row, channel: n &+ 1)
  }
  #endif

  /// Two rows by two channels.
  @inline(never)
  private func finish(_ sums: SIMD4<Int32>, row: Int, channel n: Int) {
    if variant != ProjectVariant.plain.rawValue || hasShifts || parameters.stage.shift <= 32 {
      finish(sums[0], row: row, channel: n)
      finish(sums[1], row: row, channel: n &+ 1)
      finish(sums[2], row: row &+ 1, channel: n)
      finish(sums[3], row: row &+ 1, channel: n &+ 1)
      return
    }
    // The common case, where only the high word of the product counts.
    let stage = parameters.stage
    let (first, second) = (bias(n), bias(n &+ 1))
    let (m, nextM) = (multiplier(n), multiplier(n &+ 1))
    let target = (row &- outputOrigin) &* channelCount &+ n
    output.store(stage.applyHigh(sums[0] &+ first, multiplier: m), at: target)
    output.store(stage.applyHigh(sums[1] &+ second, multiplier: nextM), at: target &+ 1)
    output.store(stage.applyHigh(sums[2] &+ first, multiplier: m), at: target &+ channelCount)
    output.store(stage.applyHigh(sums[3] &+ second, multiplier: nextM), at: target &+ channelCount &+ 1)
  }

  /// Not inlined, because it would be seven times.
  @inline(never)
  private func finish(_ sum: Int32, row: Int, channel n: Int) {
    let accumulator = sum &+ bias(n)
    let multiplier = multiplier(n)
    let shift = hasShifts ? Int32(shifts[n]) : parameters.stage.shift
    let value: Int32
    switch variant {
    case ProjectVariant.residual.rawValue:
      value = saturatedWeightedSum(
        accumulator, multiplier, addend(row, n), parameters.residualMultiplier, shift: shift)
    case ProjectVariant.paperResidual.rawValue:
      let branch = min(max(requantize(accumulator, multiplier, shift: shift), -32768), 32767)
      value = saturatedSum(
        requantize(branch, parameters.branchMultiplier, shift: parameters.branchShift),
        requantize(addend(row, n), parameters.residualMultiplier, shift: parameters.residualShift))
    default:
      value = requantize(accumulator, multiplier, shift: shift)
    }
    output.store(
      parameters.stage.finish(value), at: (row &- outputOrigin) &* channelCount &+ n)
  }

  @inline(__always)
  private func bias(_ n: Int) -> Int32 { channels[2 &* n] }

  @inline(__always)
  private func multiplier(_ n: Int) -> Int32 { channels[2 &* n &+ 1] }

  /// An element of the residual.
  @inline(__always)
  private func addend(_ row: Int, _ n: Int) -> Int32 {
    residual[(row &- residualOrigin) &* channelCount &+ n] &- parameters.residualZeroPoint
  }
}
