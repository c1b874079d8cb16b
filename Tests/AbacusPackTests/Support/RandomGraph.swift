@testable import AbacusPack

/// Random graphs whose steps may share memory.
enum RandomGraph {
  /// Element-wise nodes, and the views and joins between them; the last results are the outputs.
  static func elementwise(
    seed: Int, nodes: Int, reshapes: Bool = true, width: ClosedRange<Int> = 4...9
  ) -> TestGraph {
    var test = TestGraph(seed: seed)
    // One scale for all, so that views, slices and joins need no copies.
    let scale = 0.02
    let shape = [2, test.random(width), 2]
    var known = (0..<test.random(1...2)).map { _ in test.input(shape, scale: scale, zeroPoint: 0) }
    for _ in 0..<nodes {
      let a = test.pick(known)
      let shapeA = test.graph.tensors[a].shape
      let same = known.filter { test.graph.tensors[$0].shape == shapeA }
      let function = test.pick(BinaryTests.functions)
      let result: Graph.TensorID
      switch test.random(0...(reshapes ? 9 : 3)) {
      case 0, 1:
        result = test.add(.unary(test.pick([.relu, .negate, .tanh])), [a], shapeA, scale: scale)
      case 2, 3:
        result = test.add(.binary(function, .none), [a, test.pick(same)], shapeA, scale: scale)
      case 4:
        // The first part of a tensor, broadcast over the whole of it.
        let part = test.add(
          .slice(starts: shapeA.map { _ in 0 }, strides: shapeA.map { _ in 1 }), [a],
          [1] + shapeA.dropFirst(), scale: scale)
        known.append(part)
        result = test.add(.binary(function, .none), [a, part], shapeA, scale: scale)
      case 5:
        let rows = shapeA[0]
        let start = test.random(0...rows - 1)
        let extent = test.random(1...rows - start)
        result = test.add(
          .slice(starts: [start, 0, 0], strides: [1, 1, 1]), [a], [extent] + shapeA.dropFirst(), scale: scale)
      case 6:
        let flat = test.add(.reshape, [a], [shapeA.reduce(1, *)], scale: scale)
        known.append(test.add(.reshape, [flat], shapeA, scale: scale))
        result = test.add(.unary(.negate), [known.last!], shapeA, scale: scale)
      case 7, 8:
        let b = test.pick(same)
        result = test.add(
          .concatenation(axis: 0, .none), [a, b], [2 * shapeA[0]] + shapeA.dropFirst(), scale: scale)
      default:
        let b = test.pick(same)
        result = test.add(
          .concatenation(axis: 1, .none), [a, b], [shapeA[0], 2 * shapeA[1], shapeA[2]], scale: scale)
      }
      known.append(result)
    }
    test.graph.outputs = [known.last!]
    if test.random(0...2) == 0 { test.graph.outputs.append(test.pick(known)) }
    return test
  }
}
