import AbacusFormat
import CAbacus

/// Any function of one int8 code, as 256 bytes (entry i for code i - 128). One unit.
@c(abacus_run_table)
public func runTable(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe lookUp(Invocation(call))
}

private func lookUp(_ call: Invocation) {
  let input: Elements<Int8> = call.elements(Operands.input)
  let table: Elements<Int8> = call.elements(Operands.weights)
  let output: MutableElements<Int8> = call.mutableElements(Operands.output)
  for i in 0..<output.count {
    output[i] = table[Int(truncatingIfNeeded: input[i]) &+ 128]
  }
}
