import AbacusFormat
import CAbacus

@c(abacus_check_multiply_wide)
public func checkMultiplyWide(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfMultiplyWide)
}

@_optimize(size)
private func demandsOfMultiplyWide(_ check: Checker) throws(Status) {
  _ = try checkBinaryWide(check)
  try require(check.call.tensor(Operands.input).elementType != ElementType.int32.rawValue, .unsupportedOperator)
  try require(check.call.tensor(Operands.second).elementType != ElementType.int32.rawValue, .unsupportedOperator)
}
