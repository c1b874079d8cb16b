import Testing

@testable import AbacusPack

/// One network, our vision transformer, in every form that it has: the same canonical graph.
@Suite(.enabled(if: TestFolder.shared != nil, "the shared models are not here"))
struct SameGraphTests {
  static let forms = [
    "vit_op20.onnx", "vit_op20_static.onnx", "vit_op13_decomposed.onnx", "vit_float.tflite",
  ]

  /// The same nodes in the same order, and weights equal up to the rounding of converters.
  @Test(arguments: forms) func isTheSameAsFromSafetensors(_ form: String) throws {
    let wanted = try ModelFile.load(TestFolder.golden("models/fmnist-vit")).canonical()
    let graph = try ModelFile.load(try TestFolder.model("fmnist-vit/\(form)")).canonical()
    let compared = try Self.expectSame(graph, wanted)
    // Two for patches, class token and positions, twelve for each block, two for the head.
    #expect(compared == 2 + 2 + 4 * 12 + 2)
  }
  /// The same nodes, and constants that are equal up to rounding.
  ///
  /// - Returns: how many constants there are.
  @discardableResult
  static func expectSame(
    _ graph: Graph, _ wanted: Graph, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> Int {
    let (summary, reference) = (graph.summary(names: false), wanted.summary(names: false))
    #expect(summary == reference, sourceLocation: sourceLocation)
    let pairs = zip(graph.nodes, wanted.nodes).flatMap { zip($0.inputs, $1.inputs) }
    var compared = 0
    for case (let id?, let other?) in pairs where graph.tensors[id].isConstant {
      let values = try graph.tensors[id].realValues()
      let reference = try wanted.tensors[other].realValues()
      let largest = reference.map(\.magnitude).max() ?? 0
      let difference = zip(values, reference).map { ($0 - $1).magnitude }.max() ?? .infinity
      #expect(
        difference <= 1e-5 * max(largest, 1), "\(wanted.tensors[other].name)", sourceLocation: sourceLocation)
      compared += 1
    }
    return compared
  }
}
