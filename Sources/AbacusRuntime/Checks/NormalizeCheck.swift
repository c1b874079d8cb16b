import AbacusFormat
import CAbacus

@c(abacus_check_normalize)
public func checkNormalize(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfNormalize)
}

@_optimize(size)
private func demandsOfNormalize(_ check: Checker) throws(Status) {
  let p = try check.parameters(NormalizeParameters.self)
  guard let variant = NormalizeVariant(rawValue: check.call.record.variant) else {
    throw .unsupportedOperator
  }
  try check.codeRows(p.stage, inputZeroPoint: p.inputZeroPoint, rowLength: p.rowLength)
  try require(p.rowLength <= Limits.maximumNormalizedRow)
  switch variant {
  case .layer, .rootMeanSquare:
    try check.constant(Operands.channels, .int32, count: try product(p.rowLength, 2))
    try require(p.stage.shift > 32)
    let limit = variant == .layer ? Limits.layerEpsilon : Limits.rootMeanSquareEpsilon
    try require(p.epsilon <= limit)
  case .paper:
    try check.channels(p.rowLength)
    try require(p.rootStart == 0 || Limits.rootStarts.contains(p.rootStart))
  }
}
