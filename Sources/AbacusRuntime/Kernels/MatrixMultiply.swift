import AbacusFormat
import CAbacus

/// Product of two run-time matrices, batched, with zero points on both sides. A unit is one row of
/// one product.
@c(abacus_run_matrix_multiply)
public func runMatrixMultiply(_ call: UnsafePointer<abacus_kernel_call>) {
  unsafe matrixMultiply(Invocation(call))
}

private func matrixMultiply(_ call: Invocation) {
  let p = call.parameters(MatrixMultiplyParameters.self)
  let a: Elements<Int8> = call.elements(Operands.input)
  let b: Elements<Int8> = call.elements(Operands.second)
  let output: MutableElements<Int8> = call.mutableElements(Operands.output)
  let hasBias = call.has(Operands.channels)
  let bias: Elements<Int32> = call.elements(hasBias ? Operands.channels : Operands.input)
  let rows = Int(truncatingIfNeeded: p.rows)
  let columns = Int(truncatingIfNeeded: p.columns)
  let depth = Int(truncatingIfNeeded: p.depth)
  let depthA = Int(truncatingIfNeeded: p.depthStrideA)
  let depthB = Int(truncatingIfNeeded: p.depthStrideB)

  for unit in call.units {
    var batch = unit / rows
    var startA = unit % rows &* Int(truncatingIfNeeded: p.rowStrideA)
    var startB = 0
    for step in 0..<4 {
      let dimension = 3 &- step
      let extent = Int(truncatingIfNeeded: p.batch[dimension])
      let index = batch % extent
      startA = startA &+ index &* Int(truncatingIfNeeded: p.batchStrideA[dimension])
      startB = startB &+ index &* Int(truncatingIfNeeded: p.batchStrideB[dimension])
      batch = batch / extent
    }
    let row = a.dropping(startA)
    for n in 0..<columns {
      let column = b.dropping(startB &+ n &* Int(truncatingIfNeeded: p.columnStrideB))
      var sum: Int32 = hasBias ? bias[n] : 0
      if depthA == 1 && depthB == 1 {
        for k in 0..<depth {
          sum = sum &+ (Int32(row[k]) &- p.zeroPointA) &* (Int32(column[k]) &- p.zeroPointB)
        }
      } else {
        for k in 0..<depth {
          sum = sum
            &+ (Int32(row[k &* depthA]) &- p.zeroPointA)
            &* (Int32(column[k &* depthB]) &- p.zeroPointB)
        }
      }
      output[unit &* columns &+ n] = Int8(
        truncatingIfNeeded: p.stage.apply(sum, multiplier: p.multiplier))
    }
  }
}
