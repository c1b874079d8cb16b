import Testing

@testable import AbacusPack

@Suite struct ConcatenationTests {
  /// Parts with given extents along an axis, straight from inputs.
  private func joined(
    _ extents: [Int], axis: Int, others: [Int], sameScale: Bool, seed: Int, activation: Activation = .none,
    computed: Bool = false
  ) -> TestGraph {
    var test = TestGraph(seed: seed)
    var parts: [Graph.TensorID] = []
    for extent in extents {
      var shape = others
      shape.insert(extent, at: axis)
      let quantization: (scale: Double?, zeroPoint: Int?) = sameScale ? (0.05, 3) : (nil, nil)
      var part = test.input(shape, scale: quantization.scale, zeroPoint: quantization.zeroPoint)
      if computed {
        let own = test.graph.tensors[part].quantization!
        part = test.add(.unary(.negate), [part], shape, scale: own.scales[0], zeroPoint: own.zeroPoints[0])
        test.graph.outputs.append(part)
      }
      parts.append(part)
    }
    var shape = others
    shape.insert(extents.reduce(0, +), at: axis)
    test.output(.concatenation(axis: axis, activation), parts, shape, scale: 0.05, zeroPoint: 3)
    return test
  }

  @Test(arguments: 0..<4, [false, true])
  func everyAxis(axis: Int, sameScale: Bool) throws {
    for extents in [[1], [1, 1], [2, 3], [4, 4], [1, 2, 3, 4], [5, 1, 2]] {
      for others in [[2, 3, 1], [1, 1, 4], [1, 1, 1], [2, 2, 2]] {
        for computed in [false, true] {
          let test = joined(
            extents, axis: axis, others: others, sameScale: sameScale, seed: axis, computed: computed)
          try Execution.check(test, "\(extents) along \(axis) of \(others)")
        }
      }
    }
  }

  @Test func fusedActivations() throws {
    for activation in [Activation.relu, .relu6, .reluN1To1] {
      for axis in 0..<2 {
        try Execution.check(
          joined([2, 3], axis: axis, others: [4], sameScale: axis == 0, seed: 2, activation: activation))
      }
    }
  }

  /// Where parts are computed in place inside the result, no step is left of the concatenation.
  @Test func outerPartsArePlaced() throws {
    var test = joined([2, 3], axis: 0, others: [4], sameScale: true, seed: 1, computed: true)
    test.graph.outputs = [test.graph.outputs.last!]
    #expect(try Packer.pack(test.graph).planned.program.steps.map(\.opcode) == [.table, .table])
    try Execution.check(test)
  }

  @Test func onePartTwice() throws {
    for axis in 0..<2 {
      var test = TestGraph(seed: 6)
      let input = test.input([2, 4], scale: 0.1, zeroPoint: 0)
      let part = test.add(.unary(.tanh), [input], [2, 4], scale: 0.1)
      test.output(
        .concatenation(axis: axis, .none), [part, part, input], axis == 0 ? [6, 4] : [2, 12], scale: 0.1)
      try Execution.check(test, "axis \(axis)")
      test.graph.outputs.append(part)
      try Execution.check(test, "axis \(axis)")
    }
  }

  @Test func partOfTwoResults() throws {
    var test = TestGraph(seed: 7)
    let a = test.input([4], scale: 0.1, zeroPoint: 0)
    let b = test.input([4], scale: 0.1, zeroPoint: 0)
    test.output(.concatenation(axis: 0, .none), [a, b], [8], scale: 0.1)
    test.output(.concatenation(axis: 0, .none), [b, a], [8], scale: 0.1)
    test.output(.concatenation(axis: 0, .none), [test.graph.outputs[0], test.graph.outputs[1]], [16], scale: 0.1)
    try Execution.check(test)
  }

  @Test func constantParts() throws {
    for axis in 0..<2 {
      var test = TestGraph(seed: 8)
      let input = test.input([2, 3], scale: 0.1, zeroPoint: 0)
      let constant = test.constant([2, 3], Quantization(scale: 0.1, zeroPoint: 0))
      test.output(
        .concatenation(axis: axis, .none), [constant, input, constant], axis == 0 ? [6, 3] : [2, 9], scale: 0.1)
      try Execution.check(test)
    }
  }

  @Test func shapesThatDoNotGoTogetherAreRefused() {
    for (axis, output) in [(0, [5, 3]), (1, [2, 6]), (2, [2, 6]), (-1, [2, 6])] {
      var test = TestGraph(seed: 1)
      let a = test.input([2, 3])
      let b = test.input([2, axis == 1 ? 4 : 3])
      test.output(.concatenation(axis: axis, .none), [a, b], output, scale: 0.1)
      #expect(throws: PackError.self) { try Packer.pack(test.graph) }
    }
  }
}
