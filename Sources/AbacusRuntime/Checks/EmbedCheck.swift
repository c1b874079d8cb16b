import AbacusFormat
import CAbacus

@c(abacus_check_embed)
public func checkEmbed(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfEmbed)
}

@_optimize(size)
private func demandsOfEmbed(_ check: Checker) throws(Status) {
  let p = try check.parameters(EmbedParameters.self)
  let type = try check.type(Operands.output, oneOf: .int8, .int16)
  try check.stage(p.stage, type)
  let indices = try check.rows(Operands.input, .int32)
  let output = try check.outputRows(type)
  try require(p.entries >= 1 && p.rowLength >= 1)
  try check.constant(Operands.weights, .int8, count: try product(p.entries, p.rowLength))
  try check.constant(Operands.channels, .int32, count: p.entries)
  try require(try product(check.elements(indices), p.rowLength) == check.elements(output))
  try check.units(check.elements(indices))
}
