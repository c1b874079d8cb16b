import Testing

@testable import AbacusPack

/// Pad, transpose, slice and reshape.
@Suite struct MovementTests {
  /// One node that keeps codes, and the same with another scale.
  private func check(
    _ operation: AbacusPack.Operation, _ shape: [Int], _ output: [Int], seed: Int,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    for changesScale in [false, true] {
      var test = TestGraph(seed: seed)
      let input = test.input(shape)
      let quantization = test.graph.tensors[input].quantization!
      test.output(
        operation, [input], output, scale: changesScale ? test.scale() : quantization.scales[0],
        zeroPoint: changesScale ? test.random(-30...30) : quantization.zeroPoints[0])
      try Execution.check(test, "\(operation) of \(shape)", sourceLocation: sourceLocation)
    }
  }

  // MARK: Pad

  @Test func padWithValue() throws {
    for (index, value) in [nil, 0.0, 1.0, -2.5, 1000].enumerated() {
      for (before, after) in [
        ([0, 1, 2, 0], [0, 2, 1, 0]), ([1, 0, 0, 3], [0, 0, 0, 1]), ([0, 0, 0, 0], [0, 0, 0, 0]),
        ([2, 2, 2, 2], [1, 1, 1, 1]),
      ] {
        let shape = [2, 3, 2, 3]
        let output = shape.indices.map { before[$0] + shape[$0] + after[$0] }
        try check(.pad(before: before, after: after, value: value, .constant), shape, output, seed: index)
      }
    }
    try check(.pad(before: [3], after: [0], value: 0.5, .constant), [4], [7], seed: 9)
    let six = [2, 1, 2, 1, 2, 2]
    try check(
      .pad(before: [1, 1, 0, 1, 0, 1], after: [0, 1, 1, 0, 1, 0], value: nil, .constant), six,
      [3, 3, 3, 2, 3, 3], seed: 10)
  }

  @Test(arguments: [PadMode.reflect, .symmetric])
  func padByMirroring(mode: PadMode) throws {
    let shape = [3, 2, 4]
    for seed in 0..<40 {
      var choice = TestGraph(seed: seed)
      let limit = shape.map { mode == .reflect ? $0 - 1 : $0 }
      let before = limit.map { choice.random(0...$0) }
      let after = limit.map { choice.random(0...$0) }
      let output = shape.indices.map { before[$0] + shape[$0] + after[$0] }
      try check(.pad(before: before, after: after, value: nil, mode), shape, output, seed: seed)
    }
    var test = TestGraph(seed: 1)
    let input = test.input([3])
    let wide = mode == .reflect ? 3 : 4
    test.output(.pad(before: [wide], after: [0], value: nil, mode), [input], [3 + wide], scale: 0.1)
    #expect(throws: PackError.self) { try Packer.pack(test.graph) }
  }

  // MARK: Transpose

  /// All permutations of four dimensions.
  @Test func transposeEveryPermutation() throws {
    let permutations = RealTensor.indices([4, 4, 4, 4]).filter { Set($0).count == 4 }
    #expect(permutations.count == 24)
    for (index, permutation) in permutations.enumerated() {
      for shape in [[2, 3, 4, 5], [1, 3, 1, 4], [3, 3, 1, 1]] {
        try check(.transpose(permutation: permutation), shape, permutation.map { shape[$0] }, seed: index)
      }
    }
  }

  @Test func transposeOtherRanks() throws {
    try check(.transpose(permutation: [0]), [5], [5], seed: 1)
    try check(.transpose(permutation: [1, 0]), [3, 7], [7, 3], seed: 2)
    try check(.transpose(permutation: [5, 3, 1, 4, 2, 0]), [2, 3, 2, 2, 3, 2], [2, 2, 3, 3, 2, 2], seed: 3)
  }

  // MARK: Slice

  /// Every start and stride that fits two small dimensions; odd offsets are not aligned.
  @Test func slicesOfTwoDimensions() throws {
    let shape = [4, 5]
    var cuts: [[(start: Int, stride: Int, extent: Int)]] = []
    for extent in shape {
      var own: [(start: Int, stride: Int, extent: Int)] = []
      for start in 0..<extent {
        for stride in [1, 2, -1, -3] {
          let reach = stride > 0 ? (extent - 1 - start) / stride : start / -stride
          own.append((start, stride, reach + 1))
        }
      }
      cuts.append(own)
    }
    var seed = 0
    for rows in cuts[0] {
      for columns in cuts[1] where (rows.start + columns.start) % 2 == seed % 2 || columns.extent == 5 {
        seed += 1
        try check(
          .slice(starts: [rows.start, columns.start], strides: [rows.stride, columns.stride]), shape,
          [rows.extent, columns.extent], seed: seed)
      }
    }
    #expect(seed > 100)
  }

  /// Slices along the outer dimension are views where they are aligned and copies where not.
  @Test func contiguousSlices() throws {
    for width in 1...5 {
      for start in 0..<6 {
        for extent in 1...(6 - start) {
          try check(.slice(starts: [start, 0], strides: [1, 1]), [6, width], [extent, width], seed: width)
        }
      }
    }
  }

  @Test func slicesOfAViewOfAView() throws {
    for first in 0..<4 {
      for second in 0..<3 {
        var test = TestGraph(seed: first * 10 + second)
        let input = test.input([8, 3], scale: 0.1, zeroPoint: 1)
        let part = test.add(
          .slice(starts: [first, 0], strides: [1, 1]), [input], [4, 3], scale: 0.1, zeroPoint: 1)
        test.graph.outputs.append(part)
        test.output(
          .slice(starts: [second, 0], strides: [1, 1]), [part], [2, 3], scale: 0.1, zeroPoint: 1)
        try Execution.check(test, "\(first), then \(second)")
      }
    }
  }

  @Test func slicesOfConstants() throws {
    for start in 0..<5 {
      var test = TestGraph(seed: start)
      let input = test.input([3], scale: 0.1)
      let constant = test.constant([8], Quantization(scale: 0.1, zeroPoint: 2))
      let part = test.add(.slice(starts: [start], strides: [1]), [constant], [3], scale: 0.1, zeroPoint: 2)
      test.graph.outputs.append(part)
      test.output(.binary(.add, .none), [input, part], [3], scale: 0.2)
      try Execution.check(test, "start \(start)")
    }
  }

  @Test func slicesOutsideAreRefused() {
    for (starts, strides, output) in [([3], [1], [3]), ([-1], [1], [2]), ([0], [-1], [2]), ([5], [1], [1])] {
      var test = TestGraph(seed: 1)
      let input = test.input([5])
      test.output(.slice(starts: starts, strides: strides), [input], output, scale: 0.1)
      #expect(throws: PackError.self) { try Packer.pack(test.graph) }
    }
  }

  // MARK: Reshape

  @Test func reshapes() throws {
    for (from, to) in [([2, 3], [6]), ([6], [3, 2]), ([1, 2, 3], [2, 1, 3, 1]), ([], [1, 1]), ([2, 3], [2, 3])] {
      try check(.reshape, from, to, seed: from.count)
    }
    var test = TestGraph(seed: 1)
    let input = test.input([2, 3], scale: 0.1, zeroPoint: 0)
    test.output(.reshape, [input], [3, 2], scale: 0.1, zeroPoint: 0)
    #expect(try Packer.pack(test.graph).planned.program.steps.isEmpty)
    test.graph.tensors[1].shape = [4]
    #expect(throws: PackError.self) { try Packer.pack(test.graph) }
  }

  /// Wider elements move as well.
  @Test(arguments: [DataType.int16, .int32])
  func wideElements(type: DataType) throws {
    for seed in 0..<12 {
      var test = TestGraph(seed: seed)
      let input = test.input([3, 5], scale: 0.1, zeroPoint: 0, type: type)
      let operation: (AbacusPack.Operation, [Int]) =
        [
          (.transpose(permutation: [1, 0]), [5, 3]), (.slice(starts: [2, 4], strides: [-1, -2]), [3, 3]),
          (.pad(before: [1, 0], after: [0, 2], value: -3, .constant), [4, 7]), (.reshape, [15]),
          (.pad(before: [1, 2], after: [2, 0], value: nil, .reflect), [6, 7]),
          (.slice(starts: [1, 0], strides: [1, 1]), [2, 5]),
        ][seed % 6]
      test.output(operation.0, [input], operation.1, scale: 0.1, type: type)
      try Execution.check(test, "\(operation.0)")
    }
  }
}
