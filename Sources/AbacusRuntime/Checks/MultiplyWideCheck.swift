import AbacusFormat
import CAbacus

@c(abacus_check_multiply_wide)
public func checkMultiplyWide(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  let check = unsafe Checker(call)
  return status { () throws(Status) in
    _ = try checkBinaryWide(check)
    try require(check.call.tensor(Operands.input).elementType != ElementType.int32.rawValue, .unsupportedOperator)
    try require(check.call.tensor(Operands.second).elementType != ElementType.int32.rawValue, .unsupportedOperator)
  }
}
