import Testing

@testable import AbacusPack

@Suite struct SoftmaxTests {
  private func rows(
    _ shape: [Int], seed: Int, inputScale: Double, beta: Double = 1, scale: Double = 1.0 / 256,
    zeroPoint: Int = -128
  ) -> TestGraph {
    var test = TestGraph(seed: seed)
    let input = test.input(shape, scale: inputScale)
    test.output(.softmax(beta: beta), [input], shape, scale: scale, zeroPoint: zeroPoint)
    return test
  }

  @Test func lengths() throws {
    for length in [1, 2, 3, 7, 16, 100, 512, 1000, 4095] {
      for inputScale in [0.002, 0.02, 0.1, 0.6, 3] {
        try Execution.check(
          rows([2, length], seed: length, inputScale: inputScale), "\(length) of scale \(inputScale)")
      }
    }
  }

  @Test func shapesAndBeta() throws {
    for shape in [[5], [3, 4], [2, 3, 4], [1, 2, 2, 6]] {
      for beta in [0.125, 0.5, 1, 2.5, 10] {
        try Execution.check(rows(shape, seed: shape.count, inputScale: 0.05, beta: beta), "\(shape) \(beta)")
      }
    }
  }

  /// With a table of exponentials (many elements) and without, one row gives the same codes.
  @Test func tableAndComputationAgree() throws {
    for seed in 0..<6 {
      let long = rows([40, 64], seed: seed, inputScale: [0.001, 0.03, 0.4][seed % 3])
      let results = try Execution.check(long, "seed \(seed)")[0]
      for row in 0..<4 {
        var short = long
        short.graph.tensors[0].shape = [1, 64]
        short.graph.tensors[1].shape = [1, 64]
        short.inputCodes = [Array(long.inputCodes[0][row * 64..<(row + 1) * 64])]
        let alone = try Execution.run(short.graph, short.inputCodes)[0]
        #expect(alone == Array(results[row * 64..<(row + 1) * 64]))
      }
    }
  }

  /// Another output scale costs a second rounding, of half a step of 1/256.
  @Test func otherOutputScales() throws {
    for (scale, zeroPoint) in [(1.0 / 255, -128), (1.0 / 128, 0), (0.002, -100), (1.0 / 256, -127)] {
      let second = Execution.tolerance / 256 / scale
      for seed in 0..<10 {
        try Execution.check(
          rows([3, 10], seed: seed, inputScale: 0.05, scale: scale, zeroPoint: zeroPoint),
          tolerance: Execution.tolerance + second, "\(scale) \(zeroPoint)")
      }
    }
  }

  @Test func allEqualAndOnePeak() throws {
    for length in [1, 2, 3, 256, 300] {
      for codes in [
        [Int](repeating: -7, count: length), (0..<length).map { $0 == length / 2 ? 127 : -128 },
        (0..<length).map { $0 == 0 ? -127 : -128 },
      ] {
        var test = TestGraph(seed: 1)
        let input = test.input([1, length], scale: 0.1, codes: codes)
        test.output(.softmax(beta: 1), [input], [1, length], scale: 1.0 / 256, zeroPoint: -128)
        try Execution.check(test, "\(length)")
      }
    }
  }

  @Test func whatItCannotDoIsRefused() {
    for (length, beta, scale) in [(4096, 1.0, 0.1), (4, 0.0, 0.1), (4, -1.0, 0.1), (4, .infinity, 0.1), (4, 1.0, 1e9)] {
      let test = rows([1, length], seed: 1, inputScale: scale, beta: beta)
      #expect(throws: PackError.self, "\(length) \(beta) \(scale)") { try Packer.pack(test.graph) }
    }
  }

  /// The sum of a row is unsigned, so its bound is that of 32 bits without a sign.
  @Test func certificateOfLongRowsHolds() throws {
    let blob = try Packer.pack(rows([1, 4095], seed: 1, inputScale: 0.1).graph).blob
    let certificate = BoundsCertificate(try BlobDescription(blob, name: "test"))
    #expect(certificate.rows.count == 1 && certificate.holds)
    #expect(certificate.rows.allSatisfy { $0.headroom >= 0 })
  }
}
