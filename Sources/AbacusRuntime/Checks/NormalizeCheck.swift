import AbacusFormat
import CAbacus

@c(abacus_check_normalize)
public func checkNormalize(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  ABACUS_UNSUPPORTED_OPERATOR
}
