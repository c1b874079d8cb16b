import AbacusFormat
import CAbacus

@c(abacus_run_multiply_wide)
public func runMultiplyWide(_ call: UnsafePointer<abacus_kernel_call>) {}
