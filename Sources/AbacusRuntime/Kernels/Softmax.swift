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
  let exponential = DifferenceExponential(call, p)
  let isWide = call.tensor(Operands.output).elementType == ElementType.int16.rawValue

  for unit in call.units {
    let row = input.dropping(unit &* length)
    var greatest = row[0]
    for i in 1..<max(length, 1) { greatest = max(greatest, row[i]) }
    var sum: UInt32 = 0
    for i in 0..<length {
      sum = sum &+ UInt32(bitPattern: exponential[Int32(greatest) &- Int32(row[i])])
    }
    let reciprocal = Reciprocal(sum)
    if isWide {
      let output: MutableElements<Int16> = call.mutableElements(Operands.output)
      for i in 0..<length {
        let y = requantize(
          exponential[Int32(greatest) &- Int32(row[i])], reciprocal.mantissa,
          shift: reciprocal.length &+ 15)
        output[unit &* length &+ i] = Int16(truncatingIfNeeded: min(y, 32767))
      }
    } else {
      let output: MutableElements<Int8> = call.mutableElements(Operands.output)
      for i in 0..<length {
        let y = requantize(
          exponential[Int32(greatest) &- Int32(row[i])], reciprocal.mantissa,
          shift: reciprocal.length &+ 22)
        output[unit &* length &+ i] = Int8(truncatingIfNeeded: min(y, 255) &- 128)
      }
    }
  }
}

/// `2^-(d * multiplier / 2^shift)` on Q20 for differences of int8 codes, 0...255.
private struct DifferenceExponential {
  private let parameters: SoftmaxParameters
  private let table: Elements<Int32>
  private let hasTable: Bool

  init(_ call: Invocation, _ parameters: SoftmaxParameters) {
    self.parameters = parameters
    hasTable = call.has(Operands.weights)
    table = call.elements(hasTable ? Operands.weights : Operands.input)
  }

  @inline(__always)
  subscript(d: Int32) -> Int32 {
    if hasTable { return table[Int(truncatingIfNeeded: d)] }
    let t = exponentArgument(d, multiplier: parameters.multiplier, shift: parameters.shift)
    return Int32(bitPattern: exponentQ20(t))
  }
}
