import AbacusFormat
import CAbacus

/// Product of tensors of 8 or 16 bits with broadcasting. A unit is one run of the last dimension.
@c(abacus_run_multiply_wide)
public func runMultiplyWide(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe broadcastWide(Invocation(call), Multiply.self)
}
