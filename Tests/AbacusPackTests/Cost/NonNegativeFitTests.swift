import Testing

@testable import AbacusPack

@Suite struct NonNegativeFitTests {
  @Test func findsWhatSamplesAreMadeOf() {
    let samples = (1...20).map { n -> (features: [String: Double], measured: Double) in
      let (a, b) = (Double(n), Double(n * n % 7 + 1))
      return (["call": 1, "a": a, "b": b, "a b": a * b], 5 + 3 * a + 0.25 * a * b)
    }
    let fitted = NonNegativeFit.fit(samples)
    for (features, measured) in samples {
      let predicted = fitted.reduce(0) { $0 + $1.value * (features[$1.key] ?? 0) }
      #expect(abs(predicted / measured - 1) < 1e-4)
    }
  }

  @Test func noCoefficientIsNegative() {
    let samples = (1...10).map { n -> (features: [String: Double], measured: Double) in
      (["call": 1, "a": Double(n)], Double(20 - n))
    }
    let fitted = NonNegativeFit.fit(samples)
    #expect(!fitted.isEmpty)
    #expect(fitted.values.allSatisfy { $0 > 0 })
  }
}
