import Foundation
import Testing

@testable import AbacusPack

@Suite struct CalibrationTests {
  /// in [4, 6] -> normalised -> GELU, the node's results being tensors 1 and 2.
  private static let graph: Graph = {
    var graph = Graph()
    for name in ["in", "normalised", "out"] {
      _ = graph.add(Tensor(name: name, shape: [4, 6], type: .float32))
    }
    graph.nodes = [
      Node(.layerNormalization(epsilon: 1e-5), inputs: [0], outputs: [1], origin: "first"),
      Node(.unary(.gelu(approximate: false)), inputs: [1], outputs: [2], origin: "second"),
    ]
    (graph.inputs, graph.outputs) = ([0], [2])
    return graph
  }()

  /// Of such different sizes that the order in which they are added shows in the sum.
  private static func sample(_ index: Int) -> [FloatTensor] {
    let size = Float(sign: .plus, exponent: index * 7 % 60, significand: 1)
    let values = TensorStatisticsTests.values(24, seed: UInt64(index)).map { size * $0 }
    return [FloatTensor(shape: [4, 6], values: values)]
  }

  /// Exactly what one thread that takes the samples in order would find.
  @Test(arguments: [1, 2, 3, 8]) func resultsDoNotDependOnThreads(_ threads: Int) throws {
    let count = 60
    let calibration = try Calibration(
      Self.graph,
      samples: { index in
        // Samples end in another order than they begin.
        if index % 7 == 0 { Thread.sleep(forTimeInterval: 0.002) }
        return Self.sample(index)
      }, count: count, channelGroups: [1: 2], threads: threads)
    let evaluator = try FloatEvaluator(Self.graph)
    var plain = [TensorStatistics(), TensorStatistics(groups: 2), TensorStatistics()]
    for index in 0..<count {
      _ = try evaluator.evaluate(Self.sample(index)) { id, tensor in
        var one = TensorStatistics(groups: plain[id].histograms.count)
        one.add(tensor)
        plain[id].merge(one)
      }
    }
    for id in 0..<3 {
      #expect(calibration[id] == plain[id])
      #expect(calibration[id].count == count * 24)
    }
    #expect(calibration[2].maximum > 1)
  }

  /// The error of the first sample that fails, whichever thread is faster.
  @Test(arguments: [1, 4]) func firstErrorWins(_ threads: Int) {
    let error = #expect(throws: PackError.self) {
      _ = try Calibration(
        Self.graph,
        samples: { index in
          if index == 5 { Thread.sleep(forTimeInterval: 0.005) }
          if index >= 5 { throw PackError(.file, "sample \(index)") }
          return Self.sample(index)
        }, count: 40, threads: threads)
    }
    #expect(error?.description == "sample 5")
  }

  @Test func impossibleRequests() {
    #expect(throws: PackError.self) { _ = try Calibration(Self.graph, samples: Self.sample, count: 0) }
    #expect(throws: PackError.self) {
      _ = try Calibration(Self.graph, samples: Self.sample, count: 1, channelGroups: [1: 4])
    }
    #expect(throws: PackError.self) {
      _ = try Calibration(Self.graph, samples: { _ in [] }, count: 1)
    }
  }

  @Test func constantsHaveNoStatistics() throws {
    let calibration = try Calibration(Self.graph, samples: Self.sample, count: 1)
    #expect(calibration[99] == TensorStatistics())
  }

  @Test(arguments: [1, 2, 5, 100]) func orderedWork(_ threads: Int) throws {
    for count in [0, 1, 2, 50] {
      var consumed: [Int] = []
      try OrderedWork.run(count: count, threads: threads) { index in
        // Every other one is overtaken by those that follow.
        if index % 2 == 0 { Thread.sleep(forTimeInterval: 0.001) }
        return index * index
      } consume: { index, square in
        #expect(square == index * index)
        consumed.append(index)
      }
      #expect(consumed == Array(0..<count))
    }
  }

  @Test func errorsOfTheConsumerEndTheWork() {
    struct Full: Error {}
    var consumed = 0
    #expect(throws: Full.self) {
      try OrderedWork.run(count: 1000, threads: 4, produce: { $0 }) { index, _ in
        if index == 3 { throw Full() }
        consumed += 1
      }
    }
    #expect(consumed == 3)
  }
}
