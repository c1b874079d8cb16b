import Testing

@testable import AbacusPack

@Suite struct DenseLinearAlgebraTests {
  @Test func factorOfASmallMatrix() throws {
    let factor = try #require(CholeskyFactor(SymmetricMatrix(count: 3, values: [4, 2, -2, 2, 10, 2, -2, 2, 11])))
    #expect(factor.lower == [2, 0, 0, 1, 3, 0, -1, 1, 3])
    #expect(factor.upper == [2, 1, -1, 0, 3, 1, 0, 0, 3])
    #expect(factor.solve([4.0, 14, 11]) == [1, 1, 1])
  }

  @Test func whatIsNotPositiveDefiniteHasNoFactor() {
    #expect(CholeskyFactor(SymmetricMatrix(count: 2, values: [1, 2, 2, 1])) == nil)
    #expect(CholeskyFactor(SymmetricMatrix(count: 2, values: [1, 1, 1, 1])) == nil)
    #expect(CholeskyFactor(SymmetricMatrix(count: 1, values: [.nan])) == nil)
    #expect(CholeskyFactor(SymmetricMatrix(count: 0, values: []))?.count == 0)
  }

  /// Sizes around the tiles of four rows.
  @Test(arguments: [1, 2, 3, 4, 5, 7, 8, 19, 33])
  func solutionsSolve(_ count: Int) throws {
    let problem = try RoundingProblem(channels: 1, depth: count, directions: count, seed: UInt64(count))
    let matrix = problem.moments.matrix
    let factor = try #require(CholeskyFactor(matrix))
    let wanted = (0..<count).map { Double($0 % 5) - 1.5 }
    let right = (0..<count).map { row in
      zip(matrix.values[row * count..<(row + 1) * count], wanted).reduce(0.0) { $0 + $1.0 * $1.1 }
    }
    for (value, expected) in zip(factor.solve(right), wanted) { #expect(abs(value - expected) < 1e-9) }
  }
}
