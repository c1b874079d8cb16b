import Testing

@testable import AbacusPack

@Suite struct SecondMomentsTests {
  @Test func twoRows() throws {
    var moments = SecondMoments(depth: 2)
    try moments.add([1, 2, 3, 6])
    #expect(moments.mean == [2, 4])
    #expect(moments.matrix(isCentred: false) == [5, 10, 10, 20])
    #expect(moments.matrix(isCentred: true) == [1, 2, 2, 4])
    var cross = SecondMoments(depth: 2, isCross: true)
    try cross.add([1, 2, 3, 6], [1, 0, 0, 1])
    #expect(cross.matrix(isCentred: false) == [0.5, 1.5, 1, 3])
    #expect(cross.otherMean == [0.5, 0.5])
    #expect(cross.matrix(isCentred: true) == [-0.5, 0.5, -1, 1])
  }

  /// More rows than a block, more inputs than a panel, whatever the number of cores.
  @Test func partsAndThreadsDoNotMatter() throws {
    var generator = SplitMix(state: 3)
    let rows = (0..<700 * 18).map { _ in Float(generator.next(below: 17) - 8) }
    var whole = SecondMoments(depth: 18)
    try whole.add(rows, threads: 3)
    var parts = SecondMoments(depth: 18)
    try parts.add(Array(rows[..<(18 * 99)]), threads: 1)
    try parts.add(Array(rows[(18 * 99)...]), threads: 1)
    #expect(whole.matrix(isCentred: true) == parts.matrix(isCentred: true))
    let expected = (0..<700).reduce(0.0) { $0 + Double(rows[$1 * 18 + 17] * rows[$1 * 18 + 2]) } / 700
    #expect(abs(whole.matrix(isCentred: false)[17 * 18 + 2] - expected) < 1e-12)
  }

  @Test func rowsMustBeWhole() {
    var moments = SecondMoments(depth: 3)
    #expect(throws: PackError.self) { try moments.add([1, 2, 3, 4]) }
    #expect(throws: PackError.self) { try moments.add([1, 2, 3], [1, 2, 3, 4, 5, 6]) }
  }

  /// What has no inverse gets one, also where nothing was ever seen; what is no number is refused.
  @Test func dampingGrows() throws {
    let singular = try RoundingProblem(channels: 1, depth: 20, directions: 1, seed: 1)
    #expect(singular.moments.damping > 0)
    let zeros = try DampedMoments(SymmetricMatrix(count: 2, values: [0, 0, 0, 0]), name: "layer")
    #expect(zeros.matrix.values == [1, 0, 0, 1])
    // Not positive definite by more than a percent of the diagonal.
    let grown = try DampedMoments(SymmetricMatrix(count: 2, values: [1, 1.5, 1.5, 1]), name: "layer")
    #expect(grown.damping == 1)
    let error = #expect(throws: PackError.self) {
      try DampedMoments(SymmetricMatrix(count: 2, values: [.nan, 0, 0, 1]), name: "the layer")
    }
    #expect(error?.description.contains("the layer") == true)
    #expect(throws: PackError.self) {
      try DampedMoments(SymmetricMatrix(count: 2, values: [1, 1e30, 1e30, 1]), name: "layer")
    }
  }
}
