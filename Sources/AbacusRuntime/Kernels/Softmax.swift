import AbacusFormat
import CAbacus

// Refined softmax of int8 rows (integer-semantics 4.5). A unit is one row.
//
// The exponential of a difference of codes comes from a 256-entry table where the packer stored
// one (many rows), and is computed where it did not (a classifier's last layer): the same integers.

/// 1 where there is a table.
@c(abacus_form_softmax)
public func softmaxForm(_ call: UnsafePointer<abacus_kernel_call>) -> UInt32 {
  unsafe Invocation(call).has(Operands.weights) ? 1 : 0
}

@c(abacus_run_softmax)
public func runSoftmax(_ call: UnsafePointer<abacus_kernel_call>) {
  if unsafe softmaxForm(call) == 1 { unsafe softmaxTable(call) } else { unsafe softmaxComputed(call) }
}

@c(abacus_run_softmax_computed)
public func softmaxComputed(_ call: UnsafePointer<abacus_kernel_call>) {
  let call = unsafe Invocation(call)
  let p = call.parameters(SoftmaxParameters.self)
  let length = Int(truncatingIfNeeded: p.rowLength)
  let input: Elements<Int8> = call.elements(Operands.input)
  let output = WideOutput(call)
  for unit in call.units {
    let row = CodeExponentials(p, row: input.dropping(unit &* length), count: length)
    softmaxRow(row, count: length, to: output, at: unit &* length)
  }
}

@c(abacus_run_softmax_table)
public func softmaxTable(_ call: UnsafePointer<abacus_kernel_call>) {
  let call = unsafe Invocation(call)
  if call.tensor(Operands.output).elementType == ElementType.int8.rawValue {
    softmaxTable(call, zeroPoint: -128, bits: 22, Int8.self)
  } else {
    softmaxTable(call, zeroPoint: 0, bits: 15, Int16.self)
  }
}

/// - Parameters:
///   - zeroPoint: the least output. The greatest saturates, as `softmaxRow` limits it.
///   - bits: those of an exponential that an output does without.
private func softmaxTable<Output: SaturatedElement>(
  _ call: Invocation, zeroPoint: Int32, bits: Int32, _: Output.Type
) {
  let count = Int(truncatingIfNeeded: call.parameters(SoftmaxParameters.self).rowLength)
  let input: Elements<Int8> = call.elements(Operands.input)
  let output: MutableElements<Output> = call.mutableElements(Operands.output)
  let table: Elements<Int32> = call.elements(Operands.weights)
  for unit in call.units {
    let row = CodeRow(table, input.dropping(unit &* count), count)
    let reciprocal = Reciprocal(row.sum)
    // Sums begin at 2^20, so that only high words of products count.
    let shift = reciprocal.length &+ bits &- 32
    row.write(
      to: output.dropping(unit &* count), multiplier: reciprocal.mantissa,
      summand: 1 &<< (shift &- 1) &+ zeroPoint &<< shift, shift: shift)
  }
}

/// One row, and the exponentials of how far elements are below its greatest.
private struct CodeRow {
  private let table: Elements<Int32>
  private let row: Elements<Int8>
  private let count: Int
  private let greatest: Int

  @inline(__always)
  init(_ table: Elements<Int32>, _ row: Elements<Int8>, _ count: Int) {
    self.table = table
    self.row = row
    self.count = count
    greatest = Int(CodeRow.greatest(of: row, count))
  }

  // Not inlined, so that loops find registers.

  @inline(never)
  static func greatest(of row: Elements<Int8>, _ count: Int) -> Int8 {
    var greatest = row[0]
    for i in 1..<max(count, 1) { greatest = max(greatest, row[i]) }
    return greatest
  }

  var sum: UInt32 {
    @inline(never) get {
      var sum: UInt32 = 0
      for i in 0..<count { sum = sum &+ UInt32(bitPattern: table[greatest &- Int(row[i])]) }
      return sum
    }
  }

  @inline(never)
  func write<Output: SaturatedElement>(
    to output: MutableElements<Output>, multiplier: Int32, summand: Int32, shift: Int32
  ) {
    for i in 0..<count {
      let high = table[greatest &- Int(row[i])].multipliedFullWidth(by: multiplier).high &+ summand
      output[i] = .saturated(high &>> shift)
    }
  }
}

/// `2^-(d * multiplier / 2^shift)` on Q20 for differences of int8 codes, 0...255.
private struct CodeExponentials: RowExponentials {
  private let parameters: SoftmaxParameters
  private let row: Elements<Int8>
  private let greatest: Int32

  @inline(__always)
  init(_ parameters: SoftmaxParameters, row: Elements<Int8>, count: Int) {
    self.parameters = parameters
    self.row = row
    greatest = Int32(CodeRow.greatest(of: row, count))
  }

  /// Not inlined: rows of which exponentials are computed are few.
  subscript(index: Int) -> Int32 {
    @inline(never) get {
      let d = greatest &- Int32(row[index])
      let t = exponentArgument(d, multiplier: parameters.multiplier, shift: parameters.shift)
      return Int32(bitPattern: exponentQ20(t))
    }
  }
}
