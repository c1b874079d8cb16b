import Testing

@testable import AbacusPack

@Suite struct FloatReductionTests {
  @Test(arguments: [PoolKind.max, .average]) func pool(_ kind: PoolKind) throws {
    for seed in 0..<40 {
      var test = FloatCase(seed: seed)
      var (window, input, output) = test.randomWindow(dilated: kind == .max)
      // Every window must cover some of the image: a maximum of nothing is minus infinity.
      while zip(window.padBefore + window.padAfter, window.size + window.size).contains(where: { $0 >= $1 }) {
        (window, input, output) = test.randomWindow(dilated: kind == .max)
      }
      let channels = test.random(1...5)
      test.input(input + [channels])
      try test.check(
        .pool(kind, window, seed % 3 == 0 ? .relu : .none), output + [channels])
    }
  }

  @Test(arguments: [ReduceKind.sum, .mean, .maximum, .minimum]) func reduce(_ kind: ReduceKind) throws {
    for seed in 0..<30 {
      var test = FloatCase(seed: seed)
      let shape = test.shape(test.random(1...4))
      let axes = shape.indices.filter { _ in test.flip() }
      test.input(shape)
      let kept = shape.indices.filter { !axes.contains($0) }.map { shape[$0] }
      try test.check(.reduce(kind, axes: axes), kept)
    }
  }

  @Test func reductionsMayKeepDimensions() throws {
    var test = FloatCase(seed: 3)
    test.input([2, 3, 4])
    try test.check(.reduce(.mean, axes: [1]), [2, 1, 4])
  }
}
