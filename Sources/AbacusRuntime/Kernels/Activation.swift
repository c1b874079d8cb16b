import AbacusFormat
import CAbacus

// GELU and its kin, of rows of codes. A unit is one row.

/// 0: what the packer makes of a curve, int16 on its own grid to int8; 1: any curve; 2: ShiftGELU.
@c(abacus_form_activation)
public func activationForm(_ call: UnsafePointer<abacus_kernel_call>) -> UInt32 {
  let call = unsafe Invocation(call)
  if call.record.variant == ActivationVariant.paper.rawValue { return 2 }
  let p = call.parameters(ActivationParameters.self)
  let isPlain =
    p.inputShift == 0 && p.inputZeroPoint == 0 && p.stage.shift > 32
    && call.tensor(Operands.input).elementType == ElementType.int16.rawValue
    && call.tensor(Operands.output).elementType == ElementType.int8.rawValue
  return isPlain ? 0 : 1
}

@c(abacus_run_activation)
public func runActivation(_ call: UnsafePointer<abacus_kernel_call>) {
  switch unsafe activationForm(call) {
  case 0: unsafe activatePlain(call)
  case 1: unsafe activateCurve(call)
  default: unsafe activatePaper(call)
  }
}

/// ReLU minus an even table (integer-semantics 5.3).
@c(abacus_run_activation_plain)
public func activatePlain(_ call: UnsafePointer<abacus_kernel_call>) {
  let call = unsafe Invocation(call)
  let p = call.parameters(ActivationParameters.self)
  let output: MutableElements<Int8> = call.mutableElements(Operands.output)
  let (source, target, count) = call.rows(of: p)
  Curve(call, p).write(call.elements(Operands.input).dropping(source), count, to: output.dropping(target))
}

/// The same for all widths and grids.
@c(abacus_run_activation_curve)
public func activateCurve(_ call: UnsafePointer<abacus_kernel_call>) {
  let call = unsafe Invocation(call)
  let p = call.parameters(ActivationParameters.self)
  let (source, target, count) = call.rows(of: p)
  Curve(call, p).write(
    WideElements(call, Operands.input), from: source, count, p, to: WideOutput(call), at: target)
}

extension Invocation {
  /// Where the rows at hand begin, and how many elements they have.
  @inline(__always)
  fileprivate func rows(of p: ActivationParameters) -> (source: Int, target: Int, count: Int) {
    let length = Int(truncatingIfNeeded: p.rowLength)
    let first = units.lowerBound
    return (
      (first &- origin(Operands.input)) &* length, (first &- origin(Operands.output)) &* length, units.count &* length
    )
  }
}

/// The function as a table.
private struct Curve {
  private let table: Elements<Int16>
  private let last: Int
  private let multiplier: Int32
  private let stage: OutputStage

  @inline(__always)
  init(_ call: Invocation, _ p: ActivationParameters) {
    table = call.elements(Operands.weights)
    last = call.tensor(Operands.weights).elementCount &- 1
    multiplier = p.multiplier
    stage = p.stage
  }

  /// In few instructions: no widths to tell apart, one high word, saturation to the type.
  @inline(never)
  func write(_ input: Elements<Int16>, _ count: Int, to output: MutableElements<Int8>) {
    #if ABACUS_MVE
    curveVectors(input, count, table, last: last, multiplier: multiplier, stage, to: output)
    #elseif ABACUS_DSP
    let (table, last, multiplier) = (table, last, multiplier)
    let (half, shift, zeroPoint) = (1 &<< (stage.shift &- 33) as Int32, stage.shift &- 32, stage.zeroPoint)
    var (source, target) = (input, output)
    let end = input.dropping(count)
    while source.isBefore(end) {
      let x = Int32(source[0])
      let magnitude = abacus_saturate_magnitude(Int32(bitPattern: x.magnitude))
      let index = Int(magnitude &>> 5)
      var y = max(x, 0) &<< 6
      if index < last {
        // The weights of an entry and the next, as halfwords.
        let fraction = UInt32(bitPattern: magnitude & 31)
        let value = abacus_multiply_add_pairs(table.word(index), fraction &<< 16 | (32 &- fraction), 16)
        y = y &- abacus_word_right(value, 5)
      }
      let value = abacus_word_right(abacus_add_high_product(half, y, multiplier), shift)
      target[0] = .saturated(value &+ zeroPoint)
      (source, target) = (source.dropping(1), target.dropping(1))
    }
    stage.clampSaturated(output, count)
    #else
    let (table, last, multiplier, stage) = (table, last, multiplier, stage)
    for i in 0..<count {
      let y = activationCurve(max(Int32(input[i]), -32767), last: last) { table[$0] }
      let high = y.multipliedFullWidth(by: multiplier).high
      let value = (high &+ (1 &<< (stage.shift &- 33))) &>> (stage.shift &- 32)
      output[i] = .saturated(value &+ stage.zeroPoint)
    }
    stage.clampSaturated(output, count)
    #endif
  }

  /// For all widths and grids.
  @inline(never)
  func write(
    _ input: WideElements, from source: Int, _ count: Int, _ p: ActivationParameters, to output: WideOutput,
    at target: Int
  ) {
    for i in 0..<count {
      let x = activationArgument(
        input[source &+ i] &- p.inputZeroPoint, multiplier: p.inputMultiplier, shift: p.inputShift)
      let y = activationCurve(x, last: last) { table[$0] }
      output.store(stage.apply(y, multiplier: multiplier), at: target &+ i)
    }
  }
}

/// ShiftGELU (integer-semantics 5.1). The greatest element of a row is its unit of measure, so that
/// this is a function of whole rows.
@c(abacus_run_activation_paper)
public func activatePaper(_ call: UnsafePointer<abacus_kernel_call>) {
  let call = unsafe Invocation(call)
  let p = call.parameters(ActivationParameters.self)
  let input = WideElements(call, Operands.input)
  let output = WideOutput(call)
  let length = Int(truncatingIfNeeded: p.rowLength)

  for unit in call.units {
    let source = (unit &- call.origin(Operands.input)) &* length
    let target = (unit &- call.origin(Operands.output)) &* length
    var greatest = Int32.min
    for i in 0..<length { greatest = max(greatest, p.exponentArgument(input[source &+ i])) }
    let zero = shiftExponent(0 &- greatest, p.exponent)
    for i in 0..<length {
      let code = input[source &+ i]
      let e = shiftExponent(p.exponentArgument(code) &- greatest, p.exponent)
      let sigmoid = PaperQuotient(divisor: saturatedSum(e, zero), bits: p.exponent.quotientBits)[e]
      let product = (code &- p.inputZeroPoint) &* sigmoid
      output.store(p.stage.apply(product, multiplier: p.multiplier), at: target &+ i)
    }
  }
}

extension ActivationParameters {
  /// 1.702 times a code: by shifts, where the exponential's unit does not have the factor already.
  @inline(__always)
  fileprivate func exponentArgument(_ code: Int32) -> Int32 {
    let x = code &- inputZeroPoint
    return isScaled != 0 ? x : sigmoidSlope(x)
  }
}
