import AbacusFormat
import CAbacus

@c(abacus_run_rotary)
public func runRotary(_ call: UnsafePointer<abacus_kernel_call>) {}
