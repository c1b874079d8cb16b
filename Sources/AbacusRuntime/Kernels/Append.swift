import AbacusFormat
import CAbacus

@c(abacus_run_append)
public func runAppend(_ call: UnsafePointer<abacus_kernel_call>) {}
