import Testing

@testable import AbacusPack

@Suite struct MatrixMultiplyTests {
  private func product(
    _ seed: Int, batchA: [Int], batchB: [Int], batch: [Int], transposeA: Bool = false,
    transposeB: Bool = false, rows: Int, depth: Int, columns: Int, constantB: Bool = false
  ) -> TestGraph {
    var test = TestGraph(seed: seed)
    let a = test.input(batchA + (transposeA ? [depth, rows] : [rows, depth]))
    let shapeB = batchB + (transposeB ? [columns, depth] : [depth, columns])
    let b =
      constantB
      ? test.constant(shapeB, Quantization(scale: test.scale(), zeroPoint: test.random(-9...9)))
      : test.input(shapeB)
    let scales = [a, b].map { test.graph.tensors[$0].quantization!.scales[0] }
    test.output(
      .matrixMultiply(transposeA: transposeA, transposeB: transposeB), [a, b], batch + [rows, columns],
      scale: scales[0] * scales[1] * Double(depth).squareRoot() * 90, zeroPoint: test.random(-20...20))
    return test
  }

  @Test(arguments: [false, true], [false, true])
  func smallShapes(transposeA: Bool, transposeB: Bool) throws {
    for rows in 1...3 {
      for depth in [1, 2, 5, 8] {
        for columns in 1...4 {
          for constantB in [false, true] {
            let test = product(
              rows * 100 + depth * 10 + columns, batchA: [], batchB: [], batch: [], transposeA: transposeA,
              transposeB: transposeB, rows: rows, depth: depth, columns: columns, constantB: constantB)
            try Execution.check(test, "[\(rows), \(depth)] x [\(depth), \(columns)], constant \(constantB)")
          }
        }
      }
    }
  }

  @Test(
    arguments: [
      ([2], [2], [2]), ([2], [1], [2]), ([1], [3], [3]), ([2], [], [2]), ([], [2], [2]),
      ([2, 3], [2, 3], [2, 3]), ([2, 1], [1, 3], [2, 3]), ([2, 3], [3], [2, 3]),
      ([1, 3], [2, 1], [2, 3]), ([2, 1, 2, 1], [1, 3, 1, 2], [2, 3, 2, 2]),
    ])
  func batches(_ batchA: [Int], _ batchB: [Int], _ batch: [Int]) throws {
    for (index, transposes) in [(false, false), (true, false), (false, true), (true, true)].enumerated() {
      let test = product(
        index, batchA: batchA, batchB: batchB, batch: batch, transposeA: transposes.0,
        transposeB: transposes.1, rows: 2, depth: 3, columns: 4)
      try Execution.check(test, "\(batchA) \(batchB) \(transposes)")
    }
  }

  /// A constant right-hand matrix for all batches, and one for each.
  @Test func constantBatches() throws {
    for (batchA, batchB, batch) in [
      ([2, 2], [], [2, 2]), ([2], [1], [2]), ([2], [2], [2]), ([1, 2], [2, 1], [2, 2]),
    ] {
      for transposeB in [false, true] {
        let test = product(
          batchA.count, batchA: batchA, batchB: batchB, batch: batch, transposeB: transposeB, rows: 3,
          depth: 5, columns: 2, constantB: true)
        try Execution.check(test, "\(batchA) \(batchB) \(transposeB)")
      }
    }
  }

  /// A matrix times its own transpose: one tensor in both operands.
  @Test func square() throws {
    var test = TestGraph(seed: 5)
    let a = test.input([3, 4], scale: 0.1)
    test.output(.matrixMultiply(transposeA: false, transposeB: true), [a, a], [3, 3], scale: 2)
    test.output(.matrixMultiply(transposeA: true, transposeB: false), [a, a], [4, 4], scale: 2)
    try Execution.check(test)
  }

  @Test func shapesThatDoNotGoTogetherAreRefused() {
    for (shapeA, shapeB, output) in [
      ([2, 3], [4, 5], [2, 5]), ([2, 3], [3, 5], [2, 4]), ([2, 2, 3], [3, 3, 5], [2, 2, 5]), ([3], [3, 5], [5]),
    ] {
      for constantB in [false, true] {
        var test = TestGraph(seed: 1)
        let a = test.input(shapeA)
        let b =
          constantB ? test.constant(shapeB, Quantization(scale: 0.1, zeroPoint: 0)) : test.input(shapeB)
        test.output(.matrixMultiply(transposeA: false, transposeB: false), [a, b], output, scale: 1)
        if constantB && shapeA == [3] { continue }
        #expect(throws: PackError.self, "\(shapeA) \(shapeB)") { try Packer.pack(test.graph) }
      }
    }
  }
}
