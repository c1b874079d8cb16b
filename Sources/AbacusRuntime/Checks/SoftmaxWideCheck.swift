import AbacusFormat
import CAbacus

@c(abacus_check_softmax_wide)
public func checkSoftmaxWide(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfSoftmaxWide)
}

@_optimize(size)
private func demandsOfSoftmaxWide(_ check: Checker) throws(Status) {
  let p = try check.parameters(SoftmaxWideParameters.self)
  guard let variant = SoftmaxVariant(rawValue: check.call.record.variant) else { throw .unsupportedOperator }
  let types = (
    input: try check.type(Operands.input, oneOf: .int8, .int16, .int32),
    output: try check.type(Operands.output, oneOf: .int8, .int16)
  )
  try require(p.rowLength >= 1 && p.rowLength <= Limits.maximumSoftmaxRow)
  switch variant {
  case .refined:
    try require(p.multiplier >= 0 && Limits.requantizationShifts.contains(p.shift))
  case .paper:
    try check.exponent(p.exponent)
    try require(types.output == .int16 || p.exponent.quotientBits <= 8)
  }
  let input = try check.rows(Operands.input, types.input)
  let output = try check.outputRows(types.output)
  try require(check.elements(input) == check.elements(output))
  let rows = check.elements(input) / p.rowLength
  try require(try product(rows, p.rowLength) == check.elements(input))
  try check.units(rows)
}
