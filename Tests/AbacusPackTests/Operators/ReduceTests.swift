import Testing

@testable import AbacusPack

@Suite struct ReduceTests {
  private func reduction(
    _ kind: ReduceKind, _ shape: [Int], axes: [Int], keepsDimensions: Bool, seed: Int
  ) -> TestGraph {
    var test = TestGraph(seed: seed)
    let input = test.input(shape)
    let kept =
      keepsDimensions
      ? shape.indices.map { axes.contains($0) ? 1 : shape[$0] }
      : shape.indices.filter { !axes.contains($0) }.map { shape[$0] }
    let count = Double(axes.map { shape[$0] }.reduce(1, *))
    let scale = test.graph.tensors[input].quantization!.scales[0]
    test.output(
      .reduce(kind, axes: axes), [input], kept,
      scale: scale * (kind == .sum ? count.squareRoot() : kind == .mean ? 1 / count.squareRoot() : 1.3),
      zeroPoint: test.random(-20...20))
    return test
  }

  /// Every subset of four axes, the empty one and the whole included.
  @Test(arguments: [ReduceKind.sum, .mean, .maximum, .minimum])
  func everySubsetOfAxes(kind: ReduceKind) throws {
    for subset in 0..<16 {
      let axes = (0..<4).filter { subset >> $0 & 1 == 1 }
      for shape in [[2, 3, 4, 5], [3, 1, 2, 2], [1, 1, 1, 3]] {
        for keepsDimensions in [false, true] {
          let test = reduction(kind, shape, axes: axes, keepsDimensions: keepsDimensions, seed: subset)
          try Execution.check(test, "\(shape) over \(axes)")
        }
      }
    }
  }

  @Test(arguments: [ReduceKind.sum, .mean, .maximum, .minimum])
  func otherRanks(kind: ReduceKind) throws {
    for (shape, axes) in [
      ([9], [0]), ([4, 5], [1]), ([4, 5], [0]), ([2, 2, 2, 2, 2, 3], [0, 2, 5]), ([2, 2, 2, 2, 2, 3], [1, 3, 4]),
    ] {
      try Execution.check(
        reduction(kind, shape, axes: axes, keepsDimensions: false, seed: axes.count), "\(shape) \(axes)")
    }
  }

  @Test func longMean() throws {
    try Execution.check(reduction(.mean, [1, 60, 60, 2], axes: [1, 2], keepsDimensions: false, seed: 1))
  }

  @Test func shapesThatDoNotGoTogetherAreRefused() {
    for (axes, output) in [([0, 1], [2]), ([4], [2, 3]), ([-1], [2])] {
      var test = TestGraph(seed: 1)
      let input = test.input([2, 3])
      test.output(.reduce(.sum, axes: axes), [input], output, scale: 0.1)
      #expect(throws: PackError.self, "\(axes)") { try Packer.pack(test.graph) }
    }
  }
}
