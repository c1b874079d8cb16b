import AbacusFormat
import CAbacus

@c(abacus_check_multiply_wide)
public func checkMultiplyWide(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  ABACUS_UNSUPPORTED_OPERATOR
}
