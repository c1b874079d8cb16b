import Testing

@testable import AbacusPack

@Suite struct GatherTests {
  /// Picks of `picked` shape along an axis, the first `batchDimensions` dimensions shared.
  private func gather(
    _ shape: [Int], axis: Int, batchDimensions: Int, picked: [Int], seed: Int, constant: Bool = false,
    range: ClosedRange<Int>? = nil, type: DataType = .int8
  ) -> TestGraph {
    var test = TestGraph(seed: seed)
    let data = test.input(shape, scale: 0.1, zeroPoint: type == .int8 ? 3 : 0, type: type)
    let indexShape = Array(shape[..<batchDimensions]) + picked
    let codes = (0..<indexShape.reduce(1, *)).map { _ in test.random(range ?? 0...shape[axis] - 1) }
    let one = Quantization(scale: 1, zeroPoint: 0)
    let indices =
      constant
      ? test.constant(indexShape, one, codes: codes, type: .int32)
      : test.input(indexShape, scale: 1, zeroPoint: 0, type: .int32, codes: codes)
    let output = Array(shape[..<axis]) + picked + Array(shape[(axis + 1)...])
    test.output(
      .gather(axis: axis, batchDimensions: batchDimensions), [data, indices], output, scale: 0.1,
      zeroPoint: type == .int8 ? 3 : 0, type: type)
    return test
  }

  @Test func axesAndBatchDimensions() throws {
    let shape = [2, 3, 2, 4]
    for axis in 0..<4 {
      for batchDimensions in 0...axis {
        for picked in [[], [1], [5], [2, 3]] {
          let rank = shape.count - 1 + picked.count
          if rank > 6 { continue }
          for constant in [false, true] {
            let test = gather(
              shape, axis: axis, batchDimensions: batchDimensions, picked: picked, seed: axis, constant: constant)
            try Execution.check(test, "axis \(axis), batch \(batchDimensions), \(picked)")
          }
        }
      }
    }
  }

  /// Indices that arrive at run time and lie outside read the nearest row.
  @Test func indicesOutsideAreClamped() throws {
    for (range, seed) in [(-5...9, 1), (-2_000_000_000...2_000_000_000, 2), (-2_147_483_648...(-2_147_483_648), 3)] {
      for axis in 0..<2 {
        try Execution.check(
          gather([3, 4], axis: axis, batchDimensions: 0, picked: [40], seed: seed, range: range), "\(range)")
      }
    }
  }

  @Test(arguments: [DataType.int16, .int32])
  func wideElements(type: DataType) throws {
    for axis in 0..<3 {
      try Execution.check(gather([2, 3, 2], axis: axis, batchDimensions: 0, picked: [4], seed: 4, type: type))
    }
  }

  @Test func constantIndicesOutsideAreRefused() {
    for range in [3...3, -1...(-1)] {
      let test = gather([3, 4], axis: 0, batchDimensions: 0, picked: [2], seed: 1, constant: true, range: range)
      #expect(throws: PackError.self) { try Packer.pack(test.graph) }
    }
  }

  @Test func changesOfScaleAndShapeAreRefused() {
    var test = gather([3, 4], axis: 0, batchDimensions: 0, picked: [2], seed: 1)
    test.graph.tensors[2].quantization = Quantization(scale: 0.2, zeroPoint: 3)
    #expect(throws: PackError.self) { try Packer.pack(test.graph) }
    test = gather([3, 4], axis: 0, batchDimensions: 0, picked: [2], seed: 1)
    test.graph.tensors[2].shape = [2, 5]
    expectPackedOrRefused(test.graph)
    #expect(throws: PackError.self) { try Packer.pack(test.graph) }
  }
}
