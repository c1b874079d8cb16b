import Foundation
import Testing

@testable import AbacusPack

@Suite struct SamplerTests {
  private let logits = [0.0, 2.0, 1.0, 2.0, -3.0]

  private func frequencies(_ sampler: Sampler, _ draws: Int = 20_000) -> [Double] {
    var sampler = sampler
    var counts = [Double](repeating: 0, count: logits.count)
    for _ in 0..<draws { counts[sampler.choose(logits)] += 1 }
    return counts.map { $0 / Double(draws) }
  }

  @Test func greedyTakesTheFirstOfTheHighest() throws {
    var sampler = try Sampler()
    #expect((0..<10).allSatisfy { _ in sampler.choose(logits) == 1 })
  }

  @Test(arguments: [0.5, 1, 3]) func drawsByTheSoftmax(_ temperature: Double) throws {
    let weights = logits.map { exp($0 / temperature) }
    let total = weights.reduce(0, +)
    let drawn = frequencies(try Sampler(temperature: temperature, seed: 7))
    for (share, weight) in zip(drawn, weights) { #expect(abs(share - weight / total) < 0.015) }
  }

  @Test func topKExcludesTheRest() throws {
    let drawn = frequencies(try Sampler(temperature: 5, topK: 3, seed: 1))
    #expect(drawn[0] == 0 && drawn[4] == 0)
    #expect(drawn[1] > 0.3 && drawn[2] > 0.25 && drawn[3] > 0.3)
    #expect(frequencies(try Sampler(temperature: 5, topK: 1))[1] == 1)
    #expect(frequencies(try Sampler(temperature: 5, topK: 99)).allSatisfy { $0 > 0 })
  }

  @Test func seedsRepeat() throws {
    func draw(_ seed: UInt64) throws -> [Int] {
      var sampler = try Sampler(temperature: 2, seed: seed)
      return (0..<50).map { _ in sampler.choose(logits) }
    }
    #expect(try draw(1) == draw(1))
    #expect(try draw(1) != draw(2))
  }

  @Test func refuses() {
    #expect(throws: PackError.self) { try Sampler(temperature: -1) }
    #expect(throws: PackError.self) { try Sampler(temperature: .nan) }
    #expect(throws: PackError.self) { try Sampler(topK: 0) }
  }
}
