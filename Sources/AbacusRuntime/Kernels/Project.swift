import AbacusFormat
import CAbacus

@c(abacus_run_project)
public func runProject(_ call: UnsafePointer<abacus_kernel_call>) {}
