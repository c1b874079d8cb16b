import AbacusFormat
import CAbacus

@c(abacus_check_add_wide)
public func checkAddWide(_ call: UnsafePointer<abacus_kernel_call>) -> abacus_status {
  unsafe status(call, demandsOfAddWide)
}

@_optimize(size)
private func demandsOfAddWide(_ check: Checker) throws(Status) {
  let p = try checkBinaryWide(check)
  guard let variant = AddWideVariant(rawValue: check.call.record.variant) else { throw .unsupportedOperator }
  if variant == .sum {
    // Products with 32 bits and their sum stay below 2^63.
    let limit = Limits.sumMultiplierMagnitude
    try require(p.multiplierA.magnitude <= limit && p.multiplierB.magnitude <= limit)
  }
}
