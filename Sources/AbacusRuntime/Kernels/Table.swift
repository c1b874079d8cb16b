import AbacusFormat
import CAbacus

/// Any function of one int8 code, as 256 bytes (entry i for code i - 128). A unit is an equal share of
/// the elements.
@c(abacus_run_table)
public func runTable(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe lookUp(Invocation(call))
}

private func lookUp(_ call: Invocation) {
  let input: Elements<Int8> = call.elements(Operands.input)
  let table: Elements<Int8> = call.elements(Operands.weights)
  let output: MutableElements<Int8> = call.mutableElements(Operands.output)
  let share = call.share
  for unit in call.units {
    let source = (unit &- call.origin(Operands.input)) &* share
    let target = (unit &- call.origin(Operands.output)) &* share
    for i in 0..<share {
      output[target &+ i] = table[Int(truncatingIfNeeded: input[source &+ i]) &+ 128]
    }
  }
}
