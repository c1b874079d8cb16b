import AbacusFormat
import CAbacus

/// Weighted sum of tensors of 8, 16 or 32 bits with broadcasting. A unit is one run of the last
/// dimension.
@c(abacus_run_add_wide)
public func runAddWide(_ call: UnsafePointer<abacus_kernel_call>) {
  let call = unsafe Invocation(call)
  if call.record.variant == AddWideVariant.paper.rawValue {
    broadcastWide(call, PaperSum.self)
  } else {
    broadcastWide(call, WideSum.self)
  }
}

private enum WideSum: BinaryKernel {
  @inline(__always)
  static func combine(_ a: Int32, _ b: Int32, _ p: BinaryParameters) -> Int32 {
    saturatedWeightedSum(a, p.multiplierA, b, p.multiplierB, shift: p.stage.shift)
  }
}

/// I-ViT (arXiv 2207.01405): each branch is rounded by itself.
private enum PaperSum: BinaryKernel {
  @inline(__always)
  static func combine(_ a: Int32, _ b: Int32, _ p: BinaryParameters) -> Int32 {
    saturatedSum(
      requantize(a, p.multiplierA, shift: p.innerShift), requantize(b, p.multiplierB, shift: p.stage.shift))
  }
}
