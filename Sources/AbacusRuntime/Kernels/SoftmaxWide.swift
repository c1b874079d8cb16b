import AbacusFormat
import CAbacus

@c(abacus_run_softmax_wide)
public func runSoftmaxWide(_ call: UnsafePointer<abacus_kernel_call>) {}
