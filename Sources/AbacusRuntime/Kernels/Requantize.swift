import AbacusFormat
import CAbacus

/// Change of scale, zero point or width, element by element. A unit is an equal share of the
/// elements.
@c(abacus_run_requantize)
public func runRequantize(_ call: UnsafePointer<abacus_kernel_call>) {
  let call = unsafe Invocation(call)
  switch call.tensor(Operands.input).elementType {
  case ElementType.int32.rawValue: requantize(call, from: Int32.self)
  case ElementType.int16.rawValue: requantize(call, from: Int16.self)
  default: requantize(call, from: Int8.self)
  }
}

private func requantize<Source: FixedWidthInteger & BitwiseCopyable>(
  _ call: Invocation, from: Source.Type
) {
  switch call.tensor(Operands.output).elementType {
  case ElementType.int32.rawValue: requantize(call, from, to: Int32.self)
  case ElementType.int16.rawValue: requantize(call, from, to: Int16.self)
  default: requantize(call, from, to: Int8.self)
  }
}

@inline(__always)
private func requantize<
  Source: FixedWidthInteger & BitwiseCopyable, Target: FixedWidthInteger & BitwiseCopyable
>(_ call: Invocation, _: Source.Type, to: Target.Type) {
  let p = call.parameters(RequantizeParameters.self)
  let input: Elements<Source> = call.elements(Operands.input)
  let output: MutableElements<Target> = call.mutableElements(Operands.output)
  let share = call.share
  for unit in call.units {
    let source = (unit &- call.origin(Operands.input)) &* share
    let target = (unit &- call.origin(Operands.output)) &* share
    for i in 0..<share {
      let x = Int32(truncatingIfNeeded: input[source &+ i]) &- p.inputZeroPoint
      output[target &+ i] = Target(truncatingIfNeeded: p.stage.apply(x, multiplier: p.multiplier))
    }
  }
}
