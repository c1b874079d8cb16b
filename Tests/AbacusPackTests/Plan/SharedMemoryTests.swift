import AbacusRuntime
import Testing

@testable import AbacusPack

/// Work in place, views, and parts placed in their whole change where results lie, never what they are.
@Suite struct SharedMemoryTests {
  /// A graph with only its last results as outputs shares what it can; with every result as output
  /// nothing can be overwritten. Both give the same codes, and each node's are right for its inputs.
  @Test(arguments: 0..<8)
  func randomGraphs(part: Int) throws {
    var inPlace = 0
    for seed in part * 60..<(part + 1) * 60 {
      let sharing = RandomGraph.elementwise(seed: seed, nodes: 10)
      var keeping = sharing
      keeping.graph.outputs = sharing.graph.nodes.map { $0.outputs[0] } + sharing.graph.inputs
      // A slice or view of an input is that input, which is an output as well.
      let kept = try Execution.check(keeping, "seed \(seed)")
      let codes = try Execution.run(sharing.graph, sharing.inputCodes)
      for (output, id) in zip(codes, sharing.graph.outputs) {
        let position = try #require(keeping.graph.outputs.firstIndex(of: id))
        #expect(output == kept[position], "seed \(seed)")
      }
      #expect(kept.suffix(sharing.graph.inputs.count) == sharing.inputCodes.suffix(sharing.graph.inputs.count))
      inPlace += try Packer.pack(sharing.graph).planned.inPlaceSteps
    }
    #expect(inPlace > 30)
  }

  @Test func chainsWorkInPlace() throws {
    var test = TestGraph(seed: 1)
    var last = test.input([100], scale: 0.1)
    for _ in 0..<5 { last = test.add(.unary(.tanh), [last], [100], scale: 0.01) }
    test.graph.outputs = [last]
    let planned = try Packer.pack(test.graph).planned
    #expect(planned.inPlaceSteps == 5 && planned.plan.arenaBytes == 100)
  }

  /// The first row, added to every row: the output must not take the tensor's place while its first
  /// row is still read.
  @Test func partOfATensorAddedToTheWhole() throws {
    for function in BinaryTests.functions {
      for partFirst in [false, true] {
        var test = TestGraph(seed: 1)
        let input = test.input([3, 8], scale: 0.05)
        let whole = test.add(.unary(.tanh), [input], [3, 8], scale: 0.01)
        let part = test.add(.slice(starts: [0, 0], strides: [1, 1]), [whole], [1, 8], scale: 0.01)
        test.output(
          .binary(function, .none), partFirst ? [part, whole] : [whole, part], [3, 8],
          scale: BinaryTests.outputScale(function, 0.01, 0.01))
        var keeping = test
        keeping.graph.outputs = test.graph.nodes.map { $0.outputs[0] }
        let wanted = try Execution.check(keeping, "\(function)")
        #expect(try Execution.run(test.graph, test.inputCodes)[0] == wanted[2], "\(function)")
      }
    }
  }

  /// Rows of the whole that are joined elsewhere while the whole is read again.
  @Test func valuesThatAreReadLaterStay() throws {
    var test = TestGraph(seed: 2)
    let input = test.input([4, 4], scale: 0.05, zeroPoint: 0)
    let first = test.add(.unary(.tanh), [input], [4, 4], scale: 0.01)
    let second = test.add(.unary(.negate), [first], [4, 4], scale: 0.01)
    let third = test.add(.unary(.relu), [first], [4, 4], scale: 0.01)
    let joined = test.add(.concatenation(axis: 0, .none), [second, third], [8, 4], scale: 0.01)
    let again = test.add(.unary(.abs), [second], [4, 4], scale: 0.01)
    test.graph.outputs = [joined, again, input]
    var keeping = test
    keeping.graph.outputs += [first, second, third]
    let wanted = try Execution.check(keeping)
    #expect(try Execution.run(test.graph, test.inputCodes) == Array(wanted.prefix(3)))
  }

  @Test func outputsThatAreInputs() throws {
    var test = TestGraph(seed: 3)
    let input = test.input([6], scale: 0.05)
    let other = test.input([6], scale: 0.05)
    let unused = test.input([5], scale: 0.05)
    let result = test.add(.unary(.negate), [input], [6], scale: 0.05)
    test.graph.outputs = [input, result, input, unused, result, other]
    let outputs = try Execution.check(test)
    #expect(outputs[0] == test.inputCodes[0] && outputs[2] == test.inputCodes[0])
    #expect(outputs[3] == test.inputCodes[2] && outputs[5] == test.inputCodes[1])
    #expect(outputs[1] == outputs[4])
  }

  @Test func graphsWithoutSteps() throws {
    var test = TestGraph(seed: 4)
    let input = test.input([6], scale: 0.05, zeroPoint: 2)
    let view = test.add(.reshape, [input], [2, 3], scale: 0.05, zeroPoint: 2)
    test.graph.outputs = [input, view]
    let outputs = try Execution.check(test)
    #expect(outputs == [test.inputCodes[0], test.inputCodes[0]])
    #expect(try Packer.pack(test.graph).planned.plan.arenaBytes == 8)
  }

  @Test func constantOutputs() throws {
    var test = TestGraph(seed: 5)
    let input = test.input([3], scale: 0.05)
    let constant = test.constant([3], Quantization(scale: 0.1, zeroPoint: 1), codes: [1, -2, 3])
    test.graph.outputs = [constant, input, constant]
    let outputs = try Execution.check(test)
    #expect(outputs[0] == [1, -2, 3] && outputs[2] == [1, -2, 3])
  }

  /// Different inputs never share memory, nor do different outputs.
  @Test func boundaryTensorsDoNotOverlap() throws {
    for seed in 0..<40 {
      let test = RandomGraph.elementwise(seed: seed + 1000, nodes: 8)
      let blob = try BlobDescription(try Packer.pack(test.graph).blob, name: "test")
      for (index, a) in blob.inputs.enumerated() {
        for b in blob.inputs[..<index] {
          let (first, second) = (blob.tensors[a], blob.tensors[b])
          #expect(
            first.offset + first.byteCount <= second.offset
              || second.offset + second.byteCount <= first.offset)
        }
      }
    }
  }
}
