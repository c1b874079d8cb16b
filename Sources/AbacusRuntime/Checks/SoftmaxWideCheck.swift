import AbacusFormat
import CAbacus

@c(abacus_check_softmax_wide)
public func checkSoftmaxWide(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  ABACUS_UNSUPPORTED_OPERATOR
}
