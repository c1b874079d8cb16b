import AbacusFormat
import CAbacus

/// Softmax of rows of 8, 16 or 32 bits: refined (integer-semantics 4.5), or I-ViT's Shiftmax (4.1).
/// A unit is one row.
@c(abacus_run_softmax_wide)
public func runSoftmaxWide(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe softmaxWide(Invocation(call))
}

private func softmaxWide(_ call: Invocation) {
  let p = call.parameters(SoftmaxWideParameters.self)
  let length = Int(truncatingIfNeeded: p.rowLength)
  let input = WideElements(call, Operands.input)
  let output = WideOutput(call)
  let isPaper = call.record.variant == SoftmaxVariant.paper.rawValue
  for unit in call.units {
    let source = (unit &- call.origin(Operands.input)) &* length
    let target = (unit &- call.origin(Operands.output)) &* length
    let row = DifferenceRow(input, start: source, count: length, p)
    if isPaper {
      shiftmaxRow(row, count: length, p.exponent, to: output, at: target)
    } else {
      softmaxRow(row, count: length, to: output, at: target)
    }
  }
}

/// How far the elements of one row are below its greatest.
private struct DifferenceRow: RowExponentials {
  private let elements: WideElements
  private let start: Int
  private let greatest: Int32
  private let multiplier: Int32
  private let shift: Int32

  @inline(__always)
  init(_ elements: WideElements, start: Int, count: Int, _ p: SoftmaxWideParameters) {
    self.elements = elements
    self.start = start
    multiplier = p.multiplier
    shift = p.shift
    var greatest = Int32.min
    for i in 0..<count { greatest = max(greatest, elements[start &+ i]) }
    self.greatest = greatest
  }

  @inline(__always)
  func difference(_ index: Int) -> Int32 { greatest &- elements[start &+ index] }

  @inline(__always)
  subscript(index: Int) -> Int32 {
    Int32(bitPattern: exponentQ20(exponentArgument(difference(index), multiplier: multiplier, shift: shift)))
  }
}

/// Shiftmax of one row, on k bits.
@inline(__always)
private func shiftmaxRow(
  _ row: DifferenceRow, count: Int, _ exponent: ShiftExponentParameters, to output: WideOutput, at target: Int
) {
  var sum: Int32 = 0
  for i in 0..<count { sum = saturatedSum(sum, shiftExponent(0 &- row.difference(i), exponent)) }
  let quotient = PaperQuotient(divisor: sum, bits: exponent.quotientBits)
  for i in 0..<count {
    output.store(quotient[shiftExponent(0 &- row.difference(i), exponent)], at: target &+ i)
  }
}
