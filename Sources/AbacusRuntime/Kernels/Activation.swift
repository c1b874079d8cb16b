import AbacusFormat
import CAbacus

@c(abacus_run_activation)
public func runActivation(_ call: UnsafePointer<abacus_kernel_call>) {}
