import AbacusRuntime
import Foundation
import Testing

@testable import AbacusPack

/// Every operator of every real model, cut out and run on its own, against what LiteRT's plain
/// kernels made of the same input: never more than one step apart.
@Suite struct OperatorByOperatorTests {
  @Test(arguments: ModelCase.recorded)
  func agreesWithLiteRT(_ model: ModelCase) throws {
    let archive = try NumPyArchive(model.recording)
    let graph = try model.graph
    var compared = 0
    for part in try Self.operators(of: graph) {
      guard let index = Self.index(part.origin) else { continue }
      let packed = try Packer.pack(part.graph)
      let runtime = try Model(packed.blob)
      let inputs = try runtime.inputs.enumerated().map { position, boundary in
        try InputReader.codes(
          try archive.array("op\(index)_in\(position)"), "\(part.origin), input \(position)", boundary)
      }
      let outputs = try runtime(inputs)
      #expect(runtime.guardsAreIntact, "\(part.origin)")
      for (position, output) in outputs.enumerated() {
        let wanted = try archive.array("op\(index)_out\(position)").bytes
        let largest = zip(output, wanted).map { a, b in
          abs(Int(Int8(bitPattern: a)) - Int(Int8(bitPattern: b)))
        }.max() ?? 0
        #expect(output.count == wanted.count, "\(part.origin)")
        #expect(largest <= 1, "\(part.origin), output \(position): \(largest) steps apart")
      }
      compared += 1
    }
    #expect(compared >= 3)
  }

  struct Part {
    var origin: String
    var graph: Graph
  }

  /// The nodes that each operator of the source became, as a graph of their own. The model's inputs
  /// are the run-time tensors that come from outside, in the order of their first use.
  static func operators(of graph: Graph) throws -> [Part] {
    var origins: [String] = []
    for node in graph.nodes where origins.last != node.origin { origins.append(node.origin) }
    return origins.map { origin in
      let nodes = graph.nodes.filter { $0.origin == origin }
      let produced = Set(nodes.flatMap(\.outputs))
      let elsewhere = Set(graph.nodes.filter { $0.origin != origin }.flatMap { $0.inputs.compactMap { $0 } })
      var inputs: [Graph.TensorID] = []
      for id in nodes.flatMap({ $0.inputs.compactMap { $0 } })
      where !produced.contains(id) && !graph.tensors[id].isConstant && !inputs.contains(id) {
        inputs.append(id)
      }
      let outputs = nodes.flatMap(\.outputs).filter { elsewhere.contains($0) || graph.outputs.contains($0) }
      return Part(
        origin: origin,
        graph: Graph(tensors: graph.tensors, nodes: nodes, inputs: inputs, outputs: outputs))
    }
  }

  /// 3 of "CONV_2D, operator 3".
  static func index(_ origin: String) -> Int? {
    origin.split(separator: " ").last.flatMap { Int($0) }
  }
}
