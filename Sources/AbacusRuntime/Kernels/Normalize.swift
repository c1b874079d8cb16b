import AbacusFormat
import CAbacus

@c(abacus_run_normalize)
public func runNormalize(_ call: UnsafePointer<abacus_kernel_call>) {}
