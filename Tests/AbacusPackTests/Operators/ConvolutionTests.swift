import Testing

@testable import AbacusPack

@Suite struct ConvolutionTests {
  /// A convolution over an image just large enough for `outputs` positions, or nil where none fits.
  static func layer(
    _ seed: Int, size: [Int], strides: [Int] = [1, 1], dilations: [Int] = [1, 1],
    padBefore: [Int] = [0, 0], padAfter: [Int] = [0, 0], image: [Int], batch: Int = 1,
    groups: Int = 1, groupDepth: Int, groupChannels: Int, style: WeightStyle = WeightStyle(),
    activation: Activation = .none
  ) -> TestGraph? {
    let window = WindowAttributes(
      size: size, strides: strides, dilations: dilations, padBefore: padBefore, padAfter: padAfter)
    guard let output = window.outputExtents(of: image) else { return nil }
    var test = TestGraph(seed: seed)
    let input = test.input([batch] + image + [groups * groupDepth])
    let channels = groups * groupChannels
    let (weights, bias, scale) = test.weights(
      for: input, [channels] + size + [groupDepth], axis: 0, depth: size[0] * size[1] * groupDepth,
      style: style)
    test.output(
      .convolution(window, groups: groups, activation), [input, weights, bias],
      [batch] + output + [channels], scale: scale, zeroPoint: test.random(-20...20))
    return test
  }

  /// Every window, stride and dilation, each with several images, paddings and channel counts.
  @Test(arguments: 1...3, 1...3)
  func geometry(height: Int, width: Int) throws {
    var checked = 0
    for strides in RealTensor.indices([2, 2]) {
      for dilations in RealTensor.indices([2, 2]) {
        for variant in 0..<6 {
          let seed = height * 10000 + width * 1000 + strides[0] * 800 + strides[1] * 400 + dilations[0] * 200
            + dilations[1] * 100 + variant
          var choice = TestGraph(seed: seed)
          let groups = choice.pick([1, 1, 2, 3])
          guard
            let test = Self.layer(
              seed, size: [height, width], strides: strides.map { $0 + 1 },
              dilations: dilations.map { $0 + 1 }, padBefore: [choice.random(0...2), choice.random(0...2)],
              padAfter: [choice.random(0...2), choice.random(0...2)],
              image: [choice.random(1...6), choice.random(1...7)], batch: choice.random(1...2), groups: groups,
              groupDepth: choice.random(1...3), groupChannels: choice.random(1...3),
              style: WeightStyle.all[variant])
          else { continue }
          checked += 1
          try Execution.check(test, "\(test.graph.nodes[0].operation) seed \(seed)")
        }
      }
    }
    #expect(checked >= 40)
  }

  @Test(arguments: 1...5)
  func channels(input: Int) throws {
    for output in 1...5 {
      for (index, style) in WeightStyle.all.enumerated() {
        for size in [[1, 1], [2, 3]] {
          let test = try #require(
            Self.layer(
              input * 100 + output * 10 + index, size: size, padBefore: [size[0] / 2, 1],
              padAfter: [0, size[1] / 2], image: [3, 5], batch: 2, groupDepth: input,
              groupChannels: output, style: style))
          try Execution.check(test, "\(input) to \(output), \(size), \(style)")
        }
      }
    }
  }

  @Test func pointwise() throws {
    for width in 1...5 {
      for batch in 1...2 {
        for style in WeightStyle.all {
          let test = try #require(
            Self.layer(
              width, size: [1, 1], image: [2, width], batch: batch, groupDepth: 5, groupChannels: 3,
              style: style))
          try Execution.check(test, "width \(width), \(style)")
        }
      }
    }
  }

  /// One tap, but not the image as it lies.
  @Test func pointwiseWithStrideOrPadding() throws {
    for (strides, padBefore, padAfter) in [
      ([2, 2], [0, 0], [0, 0]), ([1, 1], [1, 0], [0, 0]), ([1, 1], [0, 0], [0, 1]), ([2, 1], [0, 0], [1, 0]),
      ([2, 2], [1, 1], [1, 1]),
    ] {
      let test = try #require(
        Self.layer(
          strides[0], size: [1, 1], strides: strides, padBefore: padBefore, padAfter: padAfter,
          image: [4, 5], groupDepth: 3, groupChannels: 2))
      try Execution.check(test, "\(strides) \(padBefore) \(padAfter)")
    }
  }

  /// A window as large as the image is a fully connected layer, and only then.
  @Test func windowsOverTheWholeImage() throws {
    for (size, image, strides, dilations, padAfter) in [
      ([3, 4], [3, 4], [1, 1], [1, 1], [0, 0]), ([3, 4], [3, 4], [2, 2], [1, 1], [0, 0]),
      // As many taps as pixels, but not the same ones.
      ([1, 4], [2, 2], [2, 1], [1, 1], [0, 2]), ([2, 2], [2, 2], [1, 1], [2, 2], [1, 1]),
      ([4, 1], [2, 2], [1, 2], [1, 1], [2, 0]), ([2, 2], [1, 4], [1, 3], [1, 1], [1, 0]),
    ] {
      for groups in 1...2 {
        let test = try #require(
          Self.layer(
            size[0] + groups, size: size, strides: strides, dilations: dilations, padAfter: padAfter,
            image: image, batch: 2, groups: groups, groupDepth: 3, groupChannels: 2))
        try Execution.check(test, "\(size) over \(image), \(groups) groups")
      }
    }
  }

  @Test(arguments: [Activation.relu, .relu6, .reluN1To1])
  func fusedActivations(activation: Activation) throws {
    for seed in 0..<20 {
      let test = try #require(
        Self.layer(
          seed, size: [2, 2], padBefore: [1, 1], image: [3, 3], groupDepth: 2, groupChannels: 4,
          style: WeightStyle.all[seed % 6], activation: activation))
      try Execution.check(test, "\(seed)")
    }
  }

  @Test func blockedWeightsGiveTheSameBits() throws {
    for seed in 0..<60 {
      var choice = TestGraph(seed: seed)
      let groups = choice.pick([1, 1, 2])
      guard
        let test = Self.layer(
          seed, size: [choice.random(1...3), choice.random(1...3)], strides: [1, choice.random(1...2)],
          padBefore: [choice.random(0...1), 1], padAfter: [1, choice.random(0...1)],
          image: [3, choice.random(2...5)], groups: groups, groupDepth: choice.random(1...5),
          groupChannels: choice.random(1...5), style: WeightStyle.all[seed % 6])
      else { continue }
      try expectBlockedLayoutsAgree(test)
    }
  }
}

extension WindowAttributes {
  /// Height and width of the output over an image, nil where the window does not fit.
  func outputExtents(of image: [Int]) -> [Int]? {
    let extents = (0..<2).map { axis -> Int in
      let covered = (size[axis] - 1) * dilations[axis] + 1
      let padded = image[axis] + padBefore[axis] + padAfter[axis]
      return padded < covered ? 0 : (padded - covered) / strides[axis] + 1
    }
    return extents.contains(0) ? nil : extents
  }
}
