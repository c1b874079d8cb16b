import Testing

@testable import AbacusPack

@Suite struct PoolTests {
  private func pool(
    _ kind: PoolKind, _ seed: Int, size: [Int], strides: [Int], padBefore: [Int] = [0, 0],
    padAfter: [Int] = [0, 0], image: [Int], batch: Int = 1, channels: Int, sameScale: Bool,
    activation: Activation = .none
  ) -> TestGraph? {
    let window = WindowAttributes(size: size, strides: strides, padBefore: padBefore, padAfter: padAfter)
    guard let output = window.outputExtents(of: image) else { return nil }
    var test = TestGraph(seed: seed)
    let input = test.input([batch] + image + [channels])
    let quantization = test.graph.tensors[input].quantization!
    test.output(
      .pool(kind, window, activation), [input], [batch] + output + [channels],
      scale: sameScale ? quantization.scales[0] : test.scale(),
      zeroPoint: sameScale ? quantization.zeroPoints[0] : test.random(-30...30))
    return test
  }

  @Test(arguments: [PoolKind.max, .average], [false, true])
  func windows(kind: PoolKind, sameScale: Bool) throws {
    for size in RealTensor.indices([3, 3]).map({ $0.map { $0 + 1 } }) {
      for strides in [[1, 1], [2, 2], [1, 3], [2, 1]] {
        for image in [[3, 3], [4, 5], [7, 3]] {
          for batch in 1...2 {
            guard
              let test = pool(
                kind, size[0] * 10 + strides[0], size: size, strides: strides, image: image, batch: batch,
                channels: 1 + size[1] + batch, sameScale: sameScale)
            else { continue }
            try Execution.check(test, "\(size) by \(strides) over \(image)")
          }
        }
      }
    }
  }

  /// Padding does not count, on any side; every window touches the image.
  @Test(arguments: [PoolKind.max, .average], [false, true])
  func padding(kind: PoolKind, sameScale: Bool) throws {
    for seed in 0..<150 {
      var choice = TestGraph(seed: seed)
      let size = [choice.random(2...4), choice.random(2...4)]
      guard
        let test = pool(
          kind, seed, size: size, strides: [choice.random(1...2), choice.random(1...3)],
          padBefore: [choice.random(0...size[0] - 1), choice.random(0...size[1] - 1)],
          padAfter: [choice.random(0...size[0] - 1), choice.random(0...size[1] - 1)],
          image: [choice.random(2...5), choice.random(1...5)], batch: choice.random(1...2),
          channels: choice.random(1...5), sameScale: sameScale)
      else { continue }
      try Execution.check(test, "seed \(seed)")
    }
  }

  @Test(arguments: [PoolKind.max, .average], [Activation.relu, .relu6, .reluN1To1])
  func fusedActivations(kind: PoolKind, activation: Activation) throws {
    for seed in 0..<10 {
      let test = try #require(
        pool(
          kind, seed, size: [2, 2], strides: [2, 2], image: [4, 4], channels: 3, sameScale: seed % 2 == 0,
          activation: activation))
      try Execution.check(test, "seed \(seed)")
    }
  }

  /// The last pool of many image classifiers.
  @Test func wholeImage() throws {
    for kind in [PoolKind.max, .average] {
      let test = try #require(
        pool(kind, 9, size: [25, 5], strides: [1, 1], image: [25, 5], channels: 6, sameScale: false))
      try Execution.check(test)
    }
  }

  @Test func dilationIsRefused() {
    var test = TestGraph(seed: 1)
    let input = test.input([1, 5, 5, 1])
    let window = WindowAttributes(size: [2, 2], dilations: [2, 2])
    test.output(.pool(.max, window, .none), [input], [1, 3, 3, 1], scale: 0.1)
    #expect(throws: PackError.self) { try Packer.pack(test.graph) }
  }
}
