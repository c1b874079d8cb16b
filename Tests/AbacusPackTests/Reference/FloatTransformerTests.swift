import Testing

@testable import AbacusPack

@Suite struct FloatTransformerTests {
  @Test(arguments: [0.3, 1, 4]) func softmax(_ beta: Double) throws {
    for seed in 0..<10 {
      var test = FloatCase(seed: seed)
      let shape = test.shape(test.random(1...3), 1...9)
      test.input(shape, in: -30...30)
      try test.check(.softmax(beta: beta), shape)
    }
  }

  @Test(arguments: 0..<20) func layerNormalization(_ seed: Int) throws {
    var test = FloatCase(seed: seed)
    let shape = test.shape(test.random(0...2)) + [test.random(2...40)]
    test.input(shape, in: -3...5)
    if seed % 4 > 0 { test.constant([shape.last!]) } else { test.nothing() }
    if seed % 3 > 0 { test.constant([shape.last!]) }
    try test.check(.layerNormalization(epsilon: 1e-5), shape, tolerance: 1e-4)
  }

  @Test(arguments: 0..<20) func rmsNormalization(_ seed: Int) throws {
    var test = FloatCase(seed: seed)
    let shape = test.shape(test.random(0...2)) + [test.random(1...40)]
    test.input(shape)
    if seed % 4 > 0 { test.constant([shape.last!]) }
    try test.check(.rmsNormalization(epsilon: 1e-3), shape, tolerance: 1e-5)
  }

  /// Rows without any spread, which epsilon must save.
  @Test func constantRows() throws {
    for operation in [Operation.layerNormalization(epsilon: 1e-6), .rmsNormalization(epsilon: 1e-6)] {
      var test = FloatCase(seed: 0)
      test.input([2, 4], [0, 0, 0, 0, 3, 3, 3, 3])
      try test.check(operation, [2, 4])
    }
  }

  /// Heads in groups, causal or not, with masks that broadcast, keys and values of other widths.
  @Test(arguments: 0..<80) func attention(_ seed: Int) throws {
    var test = FloatCase(seed: seed)
    let batch = test.shape(test.random(0...2), 1...3)
    let groups = test.random(1...3)
    let heads = groups * test.random(1...3)
    let (queries, keys) = (test.random(1...7), test.random(1...7))
    let (width, valueWidth) = (test.random(1...6), test.random(1...6))
    test.input(batch + [queries, heads * width])
    test.either(batch + [keys, groups * width])
    test.either(batch + [keys, groups * valueWidth])
    if test.flip() {
      let shape = test.narrowed(batch) + [keys]
      test.input(shape, (0..<shape.reduce(1, *)).map { _ in test.flip() ? 1 : 0 })
    }
    let attributes = AttentionAttributes(
      heads: heads, keyValueHeads: groups, scale: test.flip() ? 0.35 : 1, isCausal: test.flip())
    try test.check(.attention(attributes), batch + [queries, heads * valueWidth], tolerance: 1e-5)
  }

  /// More scores than are kept at a time.
  @Test(arguments: [false, true]) func attentionOfManyQueries(_ isCausal: Bool) throws {
    var test = FloatCase(seed: 1)
    test.input([230, 2])
    test.input([300, 1])
    test.input([300, 1])
    let attributes = AttentionAttributes(heads: 2, keyValueHeads: 1, scale: 0.5, isCausal: isCausal)
    try test.check(.attention(attributes), [230, 2], tolerance: 1e-5)
  }

  @Test(arguments: 0..<30) func rotary(_ seed: Int) throws {
    var test = FloatCase(seed: seed)
    let (rows, heads, half) = (test.random(1...5), test.random(1...3), test.random(1...4))
    let shape = test.shape(test.random(0...2), 1...3) + [rows, heads * 2 * half]
    test.input(shape)
    let positions = rows + test.random(0...2)
    test.constant([positions, half], in: -1...1)
    test.constant([positions, half], in: -1...1)
    try test.check(.rotary(RotaryAttributes(heads: heads, isInterleaved: test.flip())), shape)
  }

  @Test func sessionsAreRefused() {
    var cache = FloatCase(seed: 0)
    cache.input([1, 4])
    cache.input([1], [0])
    expectRefusal(.unsupported) { try cache.evaluate(.cacheAppend, [8, 4]) }

    var rotary = FloatCase(seed: 0)
    rotary.input([1, 4])
    rotary.constant([8, 2])
    rotary.constant([8, 2])
    rotary.input([1], [0])
    expectRefusal(.unsupported) {
      try rotary.evaluate(.rotary(RotaryAttributes(heads: 1, isInterleaved: false)), [1, 4])
    }
  }

  private func expectRefusal(_ kind: PackError.Kind, _ body: () throws -> [Float]) {
    let error = #expect(throws: PackError.self) { _ = try body() }
    #expect(error?.kind == kind)
    #expect(error?.description.contains("the node: a ") == true)
  }
}
