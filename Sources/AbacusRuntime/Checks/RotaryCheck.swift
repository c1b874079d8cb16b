import AbacusFormat
import CAbacus

@c(abacus_check_rotary)
public func checkRotary(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfRotary)
}

@_optimize(size)
private func demandsOfRotary(_ check: Checker) throws(Status) {
  let p = try check.parameters(RotaryParameters.self)
  let types = (
    input: try check.type(Operands.input, oneOf: .int8, .int16),
    output: try check.type(Operands.output, oneOf: .int8, .int16)
  )
  // The shift is the head's own.
  try check.clamp(p.stage, types.output)
  try require(p.heads >= 1 && p.depth >= 2 && p.depth % 2 == 0)
  try require(p.positions >= 1 && p.isInterleaved <= 1)
  let input = try check.rows(Operands.input, types.input)
  let output = try check.outputRows(types.output)
  let row = try product(p.heads, p.depth)
  let rows = check.elements(input) / row
  try require(try product(rows, row) == check.elements(input))
  try require(check.elements(output) == check.elements(input))
  try check.constant(Operands.weights, .int16, count: try product(p.positions, p.depth))
  try check.constant(Operands.channels, .int32, count: try product(p.heads, 2))
  if check.call.has(Operands.position) { try check.position() }
  try check.units(rows)
}
