import AbacusFormat
import CAbacus

@c(abacus_check_add_wide)
public func checkAddWide(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  ABACUS_UNSUPPORTED_OPERATOR
}
