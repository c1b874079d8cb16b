import AbacusFormat
import CAbacus

@c(abacus_check_append)
public func checkAppend(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfAppend)
}

@_optimize(size)
private func demandsOfAppend(_ check: Checker) throws(Status) {
  let p = try check.parameters(AppendParameters.self)
  let type = try check.type(Operands.output, oneOf: .int8, .int16)
  let input = try check.rows(Operands.input, type)
  let output = try check.output(Operands.output, type)
  try require(output.placement == Placement.state.rawValue && p.rowLength >= 1)
  let rows = check.elements(input) / p.rowLength
  try require(try product(rows, p.rowLength) == check.elements(input))
  try require(check.elements(output) % p.rowLength == 0)
  try check.position()
  try check.units(rows)
}
