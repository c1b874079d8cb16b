import AbacusFormat
import CAbacus

@c(abacus_check_activation)
public func checkActivation(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfActivation)
}

@_optimize(size)
private func demandsOfActivation(_ check: Checker) throws(Status) {
  let p = try check.parameters(ActivationParameters.self)
  guard let variant = ActivationVariant(rawValue: check.call.record.variant) else {
    throw .unsupportedOperator
  }
  try check.codeRows(p.stage, inputZeroPoint: p.inputZeroPoint, rowLength: p.rowLength)
  switch variant {
  case .curve:
    try require(p.inputShift == 0 || Limits.requantizationShifts.contains(p.inputShift))
    let table = try check.input(Operands.weights, .int16)
    try require(table.placement == Placement.constant.rawValue)
    try require(Limits.activationEntries.contains(check.elements(table)))
  case .paper:
    try check.exponent(p.exponent)
    try require(p.isScaled <= 1)
  }
}
