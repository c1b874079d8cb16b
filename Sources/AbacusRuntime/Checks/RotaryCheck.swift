import AbacusFormat
import CAbacus

@c(abacus_check_rotary)
public func checkRotary(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  ABACUS_UNSUPPORTED_OPERATOR
}
