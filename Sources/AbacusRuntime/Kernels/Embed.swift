import AbacusFormat
import CAbacus

@c(abacus_run_embed)
public func runEmbed(_ call: UnsafePointer<abacus_kernel_call>) {}
