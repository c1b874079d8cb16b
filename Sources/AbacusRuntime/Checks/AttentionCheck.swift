import AbacusFormat
import CAbacus

@c(abacus_check_attention)
public func checkAttention(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfAttention)
}

@_optimize(size)
private func demandsOfAttention(_ check: Checker) throws(Status) {
  let p = try check.parameters(AttentionParameters.self)
  let type = try check.type(Operands.output, oneOf: .int8, .int16)
  // The shift of values is the head's own.
  try check.clamp(p.stage, type)
  try require(AttentionVariant(rawValue: check.call.record.variant) != nil, .unsupportedOperator)
  try require(p.heads >= 1 && p.keyValueHeads >= 1 && p.heads % p.keyValueHeads == 0)
  try require(p.depth >= 1 && p.valueDepth >= 1 && p.isCausal <= 1 && p.block >= 1)
  try require(p.keys >= 1 && p.keys <= Limits.maximumAttentionKeys)
  let queries = try check.countInRows(
    Operands.input, try check.type(Operands.input, oneOf: .int8, .int16))
  let queryRow = try product(p.heads, p.depth)
  let rows = queries / queryRow
  try require(try product(rows, queryRow) == queries)
  _ = try check.outputRows(type)
  try require(try product(rows, try product(p.heads, p.valueDepth)) == check.countInRows(Operands.output, type))
  try require(try product(p.keys, try product(p.keyValueHeads, p.depth)) == check.count(Operands.second))
  try require(try product(p.keys, try product(p.keyValueHeads, p.valueDepth)) == check.count(Operands.values))
  try check.constant(Operands.channels, .int32, count: try product(p.heads, 4))
  _ = try check.output(Operands.scratch, .int32)
  let isOnline = check.call.record.variant == AttentionVariant.online.rawValue
  let needed = isOnline ? try sum(min(p.block, p.keys), p.valueDepth) : p.keys
  try require(try check.count(Operands.scratch, .int32) >= needed)
  if check.call.record.variant == AttentionVariant.paper.rawValue { try check.exponent(p.exponent) }
  if check.call.has(Operands.mask) {
    let type = try check.type(Operands.mask, oneOf: .int8, .int32)
    try require(try check.count(Operands.mask, type) == p.keys)
  }
  if check.call.has(Operands.position) { try check.position() }
  try check.units(rows)
}
