import AbacusFormat
import CAbacus

@c(abacus_run_add_wide)
public func runAddWide(_ call: UnsafePointer<abacus_kernel_call>) {}
