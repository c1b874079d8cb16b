import AbacusFormat
import CAbacus

@c(abacus_check_project)
public func checkProject(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfProject)
}

@_optimize(size)
private func demandsOfProject(_ check: Checker) throws(Status) {
  _ = try check.tensor(Operands.weights, .int8)
  try demandsOfRows(check)
}

/// What weights [N, K] have in common.
@_optimize(size)
func demandsOfRows(_ check: Checker) throws(Status) {
  try require(check.call.has(Operands.weights))
  let weights = check.call.tensor(Operands.weights)
  try require(weights.placement == Placement.constant.rawValue && weights.rank == 2)
  try demandsOfRows(check, channels: weights.dims[0], depth: weights.dims[1])
  try check.pairedScratch(
    depth: weights.dims[1], bytes: PairedLayout.scratchBytes(depth: weights.dims[1], rows: check.call.record.units))
}

/// What weights of all kinds have in common: rows, channels, outputs and residuals that go together.
///
/// - Parameter depth: elements of a row, at least 1.
@_optimize(size)
func demandsOfRows(_ check: Checker, channels: UInt32, depth: UInt32) throws(Status) {
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
  let rows = check.elements(input) / depth
  try require(try product(rows, depth) == check.elements(input))
  try require(try product(rows, channels) == check.elements(output))
  try check.channels(channels)
  try check.units(rows)
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
