import AbacusFormat
import CAbacus

@c(abacus_run_attention)
public func runAttention(_ call: UnsafePointer<abacus_kernel_call>) {}
