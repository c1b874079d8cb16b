import AbacusFormat
import CAbacus

@c(abacus_check_attention)
public func checkAttention(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  let check = unsafe Checker(call)
  return status { () throws(Status) in
    let p = try check.parameters(AttentionParameters.self)
    let type = try check.type(Operands.output, oneOf: .int8, .int16)
    // The shift of values is the head's own.
    try check.clamp(p.stage, type)
    try require(AttentionVariant(rawValue: check.call.record.variant) != nil, .unsupportedOperator)
    try require(p.heads >= 1 && p.keyValueHeads >= 1 && p.heads % p.keyValueHeads == 0)
    try require(p.depth >= 1 && p.valueDepth >= 1 && p.isCausal <= 1 && p.block >= 1)
    try require(p.keys >= 1 && p.keys <= Limits.maximumAttentionKeys)
    let queries = try check.rows(Operands.input, try check.type(Operands.input, oneOf: .int8, .int16))
    let keys = try check.input(Operands.second)
    let values = try check.input(Operands.values)
    let output = try check.outputRows(type)
    let queryRow = try product(p.heads, p.depth)
    let rows = check.elements(queries) / queryRow
    try require(try product(rows, queryRow) == check.elements(queries))
    try require(try product(rows, try product(p.heads, p.valueDepth)) == check.elements(output))
    try require(try product(p.keys, try product(p.keyValueHeads, p.depth)) == check.elements(keys))
    try require(try product(p.keys, try product(p.keyValueHeads, p.valueDepth)) == check.elements(values))
    try check.constant(Operands.channels, .int32, count: try product(p.heads, 4))
    let scratch = try check.output(Operands.scratch, .int32)
    if check.call.record.variant == AttentionVariant.online.rawValue {
      try require(check.elements(scratch) >= (try sum(min(p.block, p.keys), p.valueDepth)))
    } else {
      try require(check.elements(scratch) >= p.keys)
    }
    if check.call.record.variant == AttentionVariant.paper.rawValue { try check.exponent(p.exponent) }
    if check.call.has(Operands.mask) {
      let mask = try check.input(Operands.mask, try check.type(Operands.mask, oneOf: .int8, .int32))
      try require(check.elements(mask) == p.keys)
    }
    if check.call.has(Operands.position) { try check.position() }
    try check.units(rows)
  }
}
