import Testing

@testable import AbacusPack

@Suite struct DepthwiseConvolutionTests {
  private func layer(
    _ seed: Int, size: [Int], strides: [Int] = [1, 1], dilations: [Int] = [1, 1],
    padBefore: [Int] = [0, 0], padAfter: [Int] = [0, 0], image: [Int], batch: Int = 1, channels: Int,
    multiplier: Int, style: WeightStyle = WeightStyle(), activation: Activation = .none
  ) -> TestGraph? {
    let window = WindowAttributes(
      size: size, strides: strides, dilations: dilations, padBefore: padBefore, padAfter: padAfter)
    guard let output = window.outputExtents(of: image) else { return nil }
    var test = TestGraph(seed: seed)
    let input = test.input([batch] + image + [channels])
    let (weights, bias, scale) = test.weights(
      for: input, [1] + size + [channels * multiplier], axis: 3, depth: size[0] * size[1], style: style)
    test.output(
      .depthwiseConvolution(window, multiplier: multiplier, activation), [input, weights, bias],
      [batch] + output + [channels * multiplier], scale: scale, zeroPoint: test.random(-20...20))
    return test
  }

  /// One channel (an ordinary convolution), counts not divisible by four, every multiplier.
  @Test(arguments: 1...9, 1...3)
  func channels(channels: Int, multiplier: Int) throws {
    for (index, style) in WeightStyle.all.enumerated() {
      for size in [[1, 1], [3, 2]] {
        let test = try #require(
          layer(
            channels * 10 + index, size: size, padBefore: [1, 0], padAfter: [0, 1], image: [3, 4], batch: 2,
            channels: channels, multiplier: multiplier, style: style))
        try Execution.check(test, "\(channels) x \(multiplier), \(size), \(style)")
      }
    }
  }

  @Test(arguments: 1...3, 1...3)
  func geometry(height: Int, width: Int) throws {
    var checked = 0
    for strides in RealTensor.indices([2, 2]) {
      for dilations in RealTensor.indices([2, 2]) {
        for variant in 0..<4 {
          let seed = height * 10000 + width * 1000 + strides[0] * 800 + strides[1] * 400 + dilations[0] * 200
            + dilations[1] * 100 + variant
          var choice = TestGraph(seed: seed)
          guard
            let test = layer(
              seed, size: [height, width], strides: strides.map { $0 + 1 },
              dilations: dilations.map { $0 + 1 }, padBefore: [choice.random(0...2), choice.random(0...2)],
              padAfter: [choice.random(0...2), choice.random(0...2)],
              image: [choice.random(1...6), choice.random(1...7)], batch: choice.random(1...2),
              channels: choice.random(2...6), multiplier: choice.pick([1, 1, 2]),
              style: WeightStyle.all[variant])
          else { continue }
          checked += 1
          try Execution.check(test, "\(test.graph.nodes[0].operation) seed \(seed)")
        }
      }
    }
    #expect(checked >= 25)
  }

  @Test(arguments: [Activation.relu, .relu6, .reluN1To1])
  func fusedActivations(activation: Activation) throws {
    for seed in 0..<20 {
      let test = try #require(
        layer(
          seed, size: [2, 2], padBefore: [1, 1], image: [3, 3], channels: 1 + seed % 5,
          multiplier: 1 + seed % 2, style: WeightStyle.all[seed % 6], activation: activation))
      try Execution.check(test, "\(seed)")
    }
  }

  /// Depthwise weights stay as they are, whatever the blocks of other layers; the weights of a single
  /// input channel do not.
  @Test func blockedWeightsGiveTheSameBits() throws {
    for seed in 0..<12 {
      let test = try #require(
        layer(
          seed, size: [3, 3], padBefore: [1, 1], image: [3, 4], channels: 1 + seed % 4, multiplier: 3,
          style: WeightStyle.all[seed % 6]))
      try expectBlockedLayoutsAgree(test)
    }
  }
}
