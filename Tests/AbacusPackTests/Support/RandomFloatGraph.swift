@testable import AbacusPack

/// Random float graphs of all the operations that passes rewrite, whole patterns among them.
enum RandomFloatGraph {
  static func make(seed: Int, nodes: Int) -> FloatGraph {
    var test = FloatGraph(seed: seed)
    var known = (0..<test.random(1...2)).map { _ in test.input(shape(&test)) }
    for _ in 0..<nodes { known.append(step(&test, known)) }
    test.graph.outputs = [known.last!]
    for _ in 0..<test.random(0...1) {
      let extra = test.pick(known)
      if !test.graph.outputs.contains(extra), !test.graph.inputs.contains(extra) { test.graph.outputs.append(extra) }
    }
    return test
  }

  private static func shape(_ test: inout FloatGraph) -> [Int] {
    (0..<test.random(2...4)).map { _ in test.pick([1, 1, 2, 3, 4]) }
  }

  private static func step(_ test: inout FloatGraph, _ known: [FloatGraph.ID]) -> FloatGraph.ID {
    // Recent tensors make longer chains.
    let x = test.random(0...2) == 0 ? test.pick(known) : known.last!
    let shape = test.shape(x)
    let last = shape.count - 1
    switch test.random(0...17) {
    case 0: return test.unary(test.pick([.relu, .relu6, .sigmoid, .tanh, .negate, .square, .clip(low: -0.5, high: 0.5)]), x)
    case 1: return combine(&test, x, known)
    case 2, 3: return test.binary(test.pick([.add, .subtract, .multiply, .maximum, .minimum]), x, constant(&test, shape))
    case 4: return test.binary(test.pick([.add, .multiply, .subtract]), test.scalar(Double(test.random(-2...2)) / 2), x)
    case 5, 6: return test.transpose(x, permutation(&test, shape.count))
    case 7, 8: return test.reshape(x, otherShape(&test, shape))
    case 9:
      let axis = test.random(0...last)
      let start = test.random(0...shape[axis] - 1)
      return test.slice(x, axis, start..<test.random(start + 1...shape[axis]), by: test.random(1...2))
    case 10:
      let axis = test.random(0...last)
      return test.concatenation(
        test.random(0...1) == 0 ? [x, test.constant(shape)] : [test.constant(shape), x], axis)
    case 11:
      let axes = (0...last).filter { _ in test.random(0...1) == 0 }
      let keeps = test.random(0...1) == 0 || axes.count == shape.count
      return axes.isEmpty
        ? test.mean(x)
        : test.reduce(test.pick([.mean, .sum, .maximum]), x, axes, keeps: keeps)
        .nonScalar(&test)
    case 12: return test.linear(x, test.random(1...4))
    case 13: return test.fullyConnected(x, test.random(1...4))
    case 14: return test.random(0...1) == 0 ? test.softmax(x) : test.layerNormalization(x)
    case 15: return test.pickPlace(x, 0, test.random(0...shape[0] - 1)).nonScalar(&test)
    case 16: return normalization(&test, x)
    default: return test.binary(.multiply, x, test.unary(.sigmoid, x))
    }
  }

  private static func combine(_ test: inout FloatGraph, _ x: FloatGraph.ID, _ known: [FloatGraph.ID]) -> FloatGraph.ID {
    let same = known.filter { test.shape($0) == test.shape(x) }
    return test.binary(test.pick([.add, .multiply, .subtract]), x, test.pick(same))
  }

  /// A constant that broadcasts to a shape without making it larger.
  private static func constant(_ test: inout FloatGraph, _ shape: [Int]) -> FloatGraph.ID {
    let own = shape.suffix(test.random(0...shape.count)).map { test.random(0...1) == 0 ? 1 : $0 }
    return test.constant(own)
  }

  private static func permutation(_ test: inout FloatGraph, _ rank: Int) -> [Int] {
    var result = Array(0..<rank)
    result.shuffle(using: &test.generator)
    return result
  }

  /// The same number of elements, with up to four dimensions.
  private static func otherShape(_ test: inout FloatGraph, _ shape: [Int]) -> [Int] {
    var rest = shape.reduce(1, *)
    var result: [Int] = []
    for _ in 0..<test.random(1...3) {
      let divisors = (1...rest).filter { rest % $0 == 0 }
      result.append(test.pick(divisors))
      rest /= result.last!
    }
    return result + [rest]
  }

  /// The parts of a layer normalisation, sometimes with one that does not belong.
  private static func normalization(_ test: inout FloatGraph, _ x: FloatGraph.ID) -> FloatGraph.ID {
    let mean = test.random(0...5) == 0 ? test.reduce(.maximum, x, [test.shape(x).count - 1]) : test.mean(x)
    let difference = test.binary(.subtract, x, mean)
    let variance = test.mean(test.unary(.square, test.random(0...5) == 0 ? x : difference))
    let root = test.unary(.sqrt, test.binary(.add, variance, test.scalar(0.1)))
    return test.binary(.divide, difference, root)
  }
}

extension FloatGraph.ID {
  /// Itself, with a dimension where it has none.
  fileprivate func nonScalar(_ test: inout FloatGraph) -> FloatGraph.ID {
    test.shape(self).count >= 2 ? self : test.reshape(self, [1] + (test.shape(self).isEmpty ? [1] : test.shape(self)))
  }
}
