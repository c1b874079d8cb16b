import AbacusFormat
import CAbacus

@c(abacus_check_attention)
public func checkAttention(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  ABACUS_UNSUPPORTED_OPERATOR
}
