import AbacusFormat
import CAbacus

@c(abacus_check_append)
public func checkAppend(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  ABACUS_UNSUPPORTED_OPERATOR
}
