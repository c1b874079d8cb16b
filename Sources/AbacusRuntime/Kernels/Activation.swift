import AbacusFormat
import CAbacus

/// GELU and its kin, of rows of codes. A unit is one row.
@c(abacus_run_activation)
public func runActivation(_ call: UnsafePointer<abacus_kernel_call>) {
  let call = unsafe Invocation(call)
  if call.record.variant == ActivationVariant.paper.rawValue {
    activatePaper(call)
  } else {
    activate(call)
  }
}

/// ReLU minus an even table (integer-semantics 5.3).
private func activate(_ call: Invocation) {
  let p = call.parameters(ActivationParameters.self)
  let input = WideElements(call, Operands.input)
  let output = WideOutput(call)
  let table: Elements<Int16> = call.elements(Operands.weights)
  let last = call.tensor(Operands.weights).elementCount &- 1
  let length = Int(truncatingIfNeeded: p.rowLength)

  for unit in call.units {
    let source = (unit &- call.origin(Operands.input)) &* length
    let target = (unit &- call.origin(Operands.output)) &* length
    for i in 0..<length {
      let x = activationArgument(
        input[source &+ i] &- p.inputZeroPoint, multiplier: p.inputMultiplier, shift: p.inputShift)
      let y = activationCurve(x, last: last) { table[$0] }
      output.store(p.stage.apply(y, multiplier: p.multiplier), at: target &+ i)
    }
  }
}

/// ShiftGELU (integer-semantics 5.1). The greatest element of a row is its unit of measure, so that
/// this is a function of whole rows.
private func activatePaper(_ call: Invocation) {
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
