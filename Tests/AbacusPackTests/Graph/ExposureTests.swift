import AbacusRuntime
import Testing

@testable import AbacusPack

@Suite struct ExposureTests {
  private func graph() throws -> Graph { try ModelFile.load(TestFolder.golden("models/resnet-int8.tflite")).normalized() }

  @Test func namedTensorsFollowTheOutputs() throws {
    let graph = try graph()
    let names = [graph.nodes[4], graph.nodes[1]].map { graph.tensors[$0.outputs[0]].name }
    let exposed = try graph.exposing(names)
    #expect(exposed.outputs == graph.outputs + [graph.nodes[4].outputs[0], graph.nodes[1].outputs[0]])
  }

  @Test func outputsStayWhereTheyAre() throws {
    let graph = try graph()
    #expect(try graph.exposing([graph.tensors[graph.outputs[0]].name]).outputs == graph.outputs)
  }

  @Test func unknownNamesAreRefusedWithThoseThatAreNear() throws {
    let graph = try graph()
    let name = graph.tensors[graph.nodes[2].outputs[0]].name
    let error = #expect(throws: PackError.self) { try graph.exposing([name + "!"]) }
    #expect(error?.description.contains("--expose \(name)!") == true)
    #expect(error?.description.contains("\"\(name)\"") == true)
  }

  /// Inputs and constants are not computed.
  @Test func inputsAreRefused() throws {
    let graph = try graph()
    #expect(throws: PackError.self) { try graph.exposing([graph.tensors[graph.inputs[0]].name]) }
  }

  /// The same numbers come out, whatever else is looked at.
  @Test func exposureChangesNoNumber() throws {
    let source = try ModelFile.load(TestFolder.golden("models/dscnn-int8.tflite"))
    let plain = try Model(try Packer.pack(source).blob)
    let nodes = try source.normalized().nodes.filter { if case .convolution = $0.operation { true } else { false } }
    var options = PackOptions()
    options.exposed = nodes.map { source.tensors[$0.outputs[0]].name }
    let open = try Model(try Packer.pack(source, options: options).blob)
    #expect(open.outputs.count == 1 + nodes.count && nodes.count > 1)
    var random = SeededGenerator(state: 5)
    let sample = [plain.inputs[0].byteCount].map { count in (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) } }
    #expect(try open(sample)[0] == plain(sample)[0])
  }
}
