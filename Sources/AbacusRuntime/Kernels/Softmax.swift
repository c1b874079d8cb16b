import AbacusFormat
import CAbacus

/// Refined softmax of int8 rows (integer-semantics 4.5). A unit is one row.
///
/// The exponential of a difference of codes comes from a 256-entry table where the packer stored
/// one (many rows), and is computed where it did not (a classifier's last layer): the same integers.
@c(abacus_run_softmax)
public func runSoftmax(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe softmax(Invocation(call))
}

private func softmax(_ call: Invocation) {
  let p = call.parameters(SoftmaxParameters.self)
  let length = Int(truncatingIfNeeded: p.rowLength)
  let input: Elements<Int8> = call.elements(Operands.input)
  let output = WideOutput(call)
  for unit in call.units {
    let row = CodeExponentials(call, p, row: input.dropping(unit &* length), count: length)
    softmaxRow(row, count: length, to: output, at: unit &* length)
  }
}

/// `2^-(d * multiplier / 2^shift)` on Q20 for differences of int8 codes, 0...255.
private struct CodeExponentials: RowExponentials {
  private let parameters: SoftmaxParameters
  private let table: Elements<Int32>
  private let hasTable: Bool
  private let row: Elements<Int8>
  private let greatest: Int32

  @inline(__always)
  init(_ call: Invocation, _ parameters: SoftmaxParameters, row: Elements<Int8>, count: Int) {
    self.parameters = parameters
    hasTable = call.has(Operands.weights)
    table = call.elements(hasTable ? Operands.weights : Operands.input)
    self.row = row
    var greatest = row[0]
    for i in 1..<max(count, 1) { greatest = max(greatest, row[i]) }
    self.greatest = Int32(greatest)
  }

  @inline(__always)
  subscript(index: Int) -> Int32 {
    let d = greatest &- Int32(row[index])
    if hasTable { return table[Int(truncatingIfNeeded: d)] }
    let t = exponentArgument(d, multiplier: parameters.multiplier, shift: parameters.shift)
    return Int32(bitPattern: exponentQ20(t))
  }
}
