import AbacusFormat
import CAbacus

@c(abacus_check_project)
public func checkProject(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfProject)
}

@_optimize(size)
private func demandsOfProject(_ check: Checker) throws(Status) {
  let p = try check.parameters(ProjectParameters.self)
  guard let variant = ProjectVariant(rawValue: check.call.record.variant) else {
    throw .unsupportedOperator
  }
  let types = (
    input: try check.type(Operands.input, oneOf: .int8, .int16),
    output: variant == .plain
      ? try check.type(Operands.output, oneOf: .int8, .int16, .int32)
      : try check.type(Operands.output, oneOf: .int8, .int16)
  )
  try check.stage(p.stage, types.output)
  let input = try check.rows(Operands.input, types.input)
  let output = try check.outputRows(types.output)
  let weights = try check.tensor(Operands.weights, .int8)
  try require(weights.placement == Placement.constant.rawValue && weights.rank == 2)
  let rows = check.elements(input) / weights.dims[1]
  try require(try product(rows, weights.dims[1]) == check.elements(input))
  try require(try product(rows, weights.dims[0]) == check.elements(output))
  try check.channels(weights.dims[0])
  try check.units(rows)
  try check.pairedScratch(
    depth: weights.dims[1], bytes: PairedLayout.scratchBytes(depth: weights.dims[1], rows: rows))
  if variant == .plain { return }

  let type = try check.type(Operands.second, oneOf: .int8, .int16)
  let residual = try check.rows(Operands.second, type)
  try require(check.elements(residual) == check.elements(output))
  try check.zeroPoint(p.residualZeroPoint, type)
  switch variant {
  case .residual:
    // One shift serves both terms of the sum, which stays below 2^62.
    try require(!check.call.has(Operands.shifts))
    try require(p.residualMultiplier.magnitude <= 1 << 30)
  default:
    try require(Limits.requantizationShifts.contains(p.residualShift))
    try require(Limits.requantizationShifts.contains(p.branchShift))
  }
}
