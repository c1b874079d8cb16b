import AbacusFormat
import CAbacus

// Normalisation of rows (integer-semantics 7). A unit is one row.

/// 1 where the output is of int16 and 2 where the input is; I-LayerNorm: 4, or 5 where the input is of int16.
@c(abacus_form_normalize)
public func normalizeForm(_ call: UnsafePointer<abacus_kernel_call>) -> UInt32 {
  let call = unsafe Invocation(call)
  let isWide = call.tensor(Operands.input).elementType == ElementType.int16.rawValue
  if call.record.variant == NormalizeVariant.paper.rawValue { return isWide ? 5 : 4 }
  return (isWide ? 2 : 0) | (call.tensor(Operands.output).elementType == ElementType.int16.rawValue ? 1 : 0)
}

@c(abacus_run_normalize)
public func runNormalize(_ call: UnsafePointer<abacus_kernel_call>) {
  switch unsafe normalizeForm(call) {
  case 0: unsafe normalizeInt8ToInt8(call)
  case 1: unsafe normalizeInt8ToInt16(call)
  case 2: unsafe normalizeInt16ToInt8(call)
  case 3: unsafe normalizeInt16ToInt16(call)
  case 4: unsafe normalizePaperInt8(call)
  default: unsafe normalizePaperInt16(call)
  }
}

@c(abacus_run_normalize_int8_int8)
public func normalizeInt8ToInt8(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe normalize(Invocation(call), Int8.self, Int8.self)
}

@c(abacus_run_normalize_int8_int16)
public func normalizeInt8ToInt16(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe normalize(Invocation(call), Int8.self, Int16.self)
}

@c(abacus_run_normalize_int16_int8)
public func normalizeInt16ToInt8(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe normalize(Invocation(call), Int16.self, Int8.self)
}

@c(abacus_run_normalize_int16_int16)
public func normalizeInt16ToInt16(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe normalize(Invocation(call), Int16.self, Int16.self)
}

@c(abacus_run_normalize_paper_int8)
public func normalizePaperInt8(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe normalizePaper(Invocation(call), Int8.self)
}

@c(abacus_run_normalize_paper_int16)
public func normalizePaperInt16(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe normalizePaper(Invocation(call), Int16.self)
}

#if ABACUS_MVE
private typealias RowElement = SaturatedElement & WidenedWords
#elseif ABACUS_DSP
private typealias RowElement = SaturatedElement & WidenedElement
#else
private typealias RowElement = SaturatedElement
#endif

/// LayerNorm and RMSNorm, exact but for the rounding of the output (7.2).
@inline(never)
private func normalize<Source: RowElement, Output: RowElement>(
  _ call: Invocation, _: Source.Type, _: Output.Type
) {
  let p = call.parameters(NormalizeParameters.self)
  let isCentered = call.record.variant == NormalizeVariant.layer.rawValue
  let input: Elements<Source> = call.elements(Operands.input)
  let output: MutableElements<Output> = call.mutableElements(Operands.output)
  let affines: Elements<Int32> = call.elements(Operands.channels)
  let count = Int32(bitPattern: p.rowLength)
  let length = Int(truncatingIfNeeded: count)

  for unit in call.units {
    let row = input.dropping((unit &- call.origin(Operands.input)) &* length)
    let target = output.dropping((unit &- call.origin(Operands.output)) &* length)
    let moments = RowMoments(row, length, zeroPoint: p.inputZeroPoint)
    let inverse = InverseDeviation(
      isCentered
        ? moments.variance(count: count) &+ p.epsilon
        : moments.power(count: count) &+ p.epsilon &* widened(p.rowLength))
    // d = count * (x - zero point) - sum, in one multiplication.
    let offset = (isCentered ? moments.sum : 0) &+ count &* p.inputZeroPoint
    AffineRow(inverse, count: count, offset: offset, p.stage).write(row, affines, length, to: target)
  }
}

#if ABACUS_DSP
extension RowMoments {
  /// Four elements at a time: the zero point comes off the sums.
  @inline(never)
  fileprivate init<Source: RowElement>(_ row: Elements<Source>, _ length: Int, zeroPoint: Int32) {
    var sum: Int32 = 0
    var squares: Int64 = 0
    var source = row
    let end = row.dropping(length & ~3)
    while source.isBefore(end) {
      let quad = Source.quad(source)
      sum = abacus_multiply_add_pairs(quad.even, 0x1_0001, abacus_multiply_add_pairs(quad.odd, 0x1_0001, sum))
      squares = abacus_multiply_add_pairs_wide(
        quad.even, quad.even, abacus_multiply_add_pairs_wide(quad.odd, quad.odd, squares))
      source = source.dropping(4)
    }
    for i in 0..<length & 3 {
      let x = Int32(truncatingIfNeeded: source[i])
      sum = sum &+ x
      squares = squares &+ abacus_multiply_wide(x, x)
    }
    self.init()
    let offset = Int32(truncatingIfNeeded: length) &* zeroPoint
    self.sum = sum &- offset
    // The sum of (x - z)^2 is that of x^2, less z times the sum of x + (x - z).
    self.squares = UInt64(bitPattern: squares &- abacus_multiply_wide(zeroPoint, sum &+ self.sum))
  }
}
#else
extension RowMoments {
  @inline(never)
  fileprivate init<Source: FixedWidthInteger & BitwiseCopyable>(
    _ row: Elements<Source>, _ length: Int, zeroPoint: Int32
  ) {
    self.init()
    for i in 0..<length { add(Int32(truncatingIfNeeded: row[i]) &- zeroPoint) }
  }
}
#endif

/// Constants of one row's outputs.
private struct AffineRow {
  let inverse: InverseDeviation
  let count: Int32
  let offset: Int32
  let stage: OutputStage

  @inline(__always)
  init(_ inverse: InverseDeviation, count: Int32, offset: Int32, _ stage: OutputStage) {
    self.inverse = inverse
    self.count = count
    self.offset = offset
    self.stage = stage
  }

  /// The loop has few numbers and no branches, and its saturation is that of the elements; a narrower clamp comes after.
  @inline(never)
  func write<Source: RowElement, Output: RowElement>(
    _ row: Elements<Source>, _ affines: Elements<Int32>, _ length: Int, to target: MutableElements<Output>
  ) {
    let stage = stage
    #if ABACUS_MVE
    AffineVectors(
      count: count, offset: offset, mantissa: inverse.mantissa, preShift: inverse.preShift, shift: inverse.shift,
      stage: stage
    ).write(row, affines, length, to: target)
    #elseif ABACUS_DSP
    let (factor, summand) = (count &<< inverse.preShift, 0 &- offset &<< inverse.preShift)
    let (mantissa, rounding, bits) = (inverse.mantissa, 1 &<< inverse.shift as Int32, inverse.shift &+ 1)
    let (half, shift, zeroPoint) = (1 &<< (stage.shift &- 33) as Int32, stage.shift &- 32, stage.zeroPoint)
    var (source, affine, output) = (row, affines, target)
    let end = row.dropping(length)
    while source.isBefore(end) {
      let d = Int32(truncatingIfNeeded: source[0]) &* factor &+ summand
      let z = abacus_word_right(abacus_add_high_product(rounding, d, mantissa), bits)
      let y = abacus_add_high_product(affine[1] &+ half, z, affine[0])
      output[0] = .saturated(abacus_word_right(y, shift) &+ zeroPoint)
      (source, affine, output) = (source.dropping(1), affine.dropping(2), output.dropping(1))
    }
    #else
    for i in 0..<length {
      let z = inverse.normalize(count &* Int32(truncatingIfNeeded: row[i]) &- offset)
      let y = affine(z, gain: affines[2 &* i], offset: affines[2 &* i &+ 1], shift: stage.shift)
      target[i] = .saturated(y &+ stage.zeroPoint)
    }
    #endif
    stage.clampSaturated(target, length)
  }
}

/// I-LayerNorm (7.1). Mean and deviation do not depend on the zero point.
@inline(never)
private func normalizePaper<Source: FixedWidthInteger & BitwiseCopyable>(
  _ call: Invocation, _: Source.Type
) {
  let p = call.parameters(NormalizeParameters.self)
  let input: Elements<Source> = call.elements(Operands.input)
  let output = WideOutput(call)
  let channels: Elements<Int32> = call.elements(Operands.channels)
  let hasShifts = call.has(Operands.shifts)
  let shifts: Elements<UInt8> = call.elements(hasShifts ? Operands.shifts : Operands.channels)
  let length = Int(truncatingIfNeeded: p.rowLength)

  for unit in call.units {
    let row = input.dropping((unit &- call.origin(Operands.input)) &* length)
    let target = (unit &- call.origin(Operands.output)) &* length
    var moments = RowMoments()
    for i in 0..<length { moments.sum = moments.sum &+ Int32(truncatingIfNeeded: row[i]) }
    let mean = roundedMean(moments.sum, count: Int32(bitPattern: p.rowLength))
    for i in 0..<length { moments.addSquare(Int32(truncatingIfNeeded: row[i]) &- mean) }
    let deviation = max(paperSquareRoot(moments.squares, start: p.rootStart), 1)
    let factor = Int32(bitPattern: (.max &>> 1) / deviation)
    for i in 0..<length {
      let product = (Int32(truncatingIfNeeded: row[i]) &- mean).multipliedFullWidth(by: factor)
      let half = Int32(bitPattern: UInt32(bitPattern: product.high) &<< 31 | product.low &>> 1)
      let y = p.stage.apply(
        half &+ channels[2 &* i], multiplier: channels[2 &* i &+ 1],
        shift: hasShifts ? Int32(shifts[i]) : p.stage.shift)
      output.store(y, at: target &+ i)
    }
  }
}

extension NormalizeParameters {
  /// E of the refined forms.
  @inline(__always)
  var epsilon: UInt64 { widened(epsilonHigh) &<< 32 | widened(epsilonLow) }
}
