import Testing

@testable import AbacusPack

@Suite struct FloatMovementTests {
  @Test(arguments: 0..<30) func transpose(_ seed: Int) throws {
    var test = FloatCase(seed: seed)
    let shape = test.shape(test.random(0...5), 1...4)
    let permutation = shape.indices.shuffled(using: &test.generator)
    test.input(shape)
    try test.check(.transpose(permutation: permutation), permutation.map { shape[$0] }, tolerance: 0)
  }

  @Test(arguments: 0..<40) func slice(_ seed: Int) throws {
    var test = FloatCase(seed: seed)
    let input = test.shape(test.random(1...4), 1...7)
    var (starts, strides, output): ([Int], [Int], [Int]) = ([], [], [])
    for extent in input {
      let stride = test.random(1...3)
      let start = test.random(0...extent - 1)
      if test.flip() {
        strides.append(stride)
        output.append(test.random(0...(extent - 1 - start) / stride) + 1)
      } else {
        strides.append(-stride)
        output.append(test.random(0...start / stride) + 1)
      }
      starts.append(start)
    }
    test.input(input)
    try test.check(.slice(starts: starts, strides: strides), output, tolerance: 0)
  }

  @Test(arguments: 0..<30) func concatenation(_ seed: Int) throws {
    var test = FloatCase(seed: seed)
    var shape = test.shape(test.random(1...4), 1...4)
    let axis = test.random(0...shape.count - 1)
    let extents = test.shape(test.random(1...4), 1...4)
    for extent in extents {
      shape[axis] = extent
      test.either(shape)
    }
    shape[axis] = extents.reduce(0, +)
    try test.check(.concatenation(axis: axis, seed % 2 == 0 ? .none : .relu), shape, tolerance: 0)
  }

  @Test(arguments: [PadMode.constant, .reflect, .symmetric]) func pad(_ mode: PadMode) throws {
    for seed in 0..<20 {
      var test = FloatCase(seed: seed)
      let shape = test.shape(test.random(1...4), 1...4)
      let reach = shape.map { mode == .reflect ? $0 - 1 : (mode == .symmetric ? $0 : 3) }
      let before = reach.map { test.random(0...$0) }
      let after = reach.map { test.random(0...$0) }
      test.input(shape)
      try test.check(
        .pad(before: before, after: after, value: mode == .constant && test.flip() ? -1.5 : nil, mode),
        shape.indices.map { before[$0] + shape[$0] + after[$0] }, tolerance: 0)
    }
  }

  @Test(arguments: 0..<40) func gather(_ seed: Int) throws {
    var test = FloatCase(seed: seed)
    let data = test.shape(test.random(1...4), 1...4)
    let axis = test.random(0...data.count - 1)
    let batchDimensions = test.random(0...axis)
    let picked = test.shape(test.random(0...2), 1...3)
    let indices = data[..<batchDimensions] + picked
    test.input(data)
    let picks = (0..<indices.reduce(1, *)).map { _ in Float(test.random(0...data[axis] - 1)) }
    test.input(Array(indices), picks)
    try test.check(
      .gather(axis: axis, batchDimensions: batchDimensions),
      data[..<axis] + picked + data[(axis + 1)...], tolerance: 0)
  }

  @Test func reshape() throws {
    var test = FloatCase(seed: 1)
    test.input([2, 3, 4])
    try test.check(.reshape, [6, 1, 4], tolerance: 0)
  }

  @Test(arguments: [-1, 3, 0.5, Float.nan, .infinity, 1e30]) func gatherRefusesIndices(_ index: Float) {
    var test = FloatCase(seed: 1)
    test.input([3, 2])
    test.input([1], [index])
    let error = #expect(throws: PackError.self) {
      try test.evaluate(.gather(axis: 0, batchDimensions: 0), [1, 2])
    }
    #expect(error?.description.contains("the node: index") == true)
  }
}
