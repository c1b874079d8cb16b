import Testing

@testable import AbacusPack

@Suite struct DecoderTests {
  private func llama(_ tokens: Int = 32) throws -> Graph {
    try ModelFile.load(
      TestFolder.golden("models/shakespeare-llama"), overrides: ["tokens": "\(tokens)"])
  }

  private func message(_ graph: Graph, context: Int = 8) -> String {
    do {
      _ = try graph.decoder(context: context)
      return "accepted"
    } catch {
      return "\(error)"
    }
  }

  @Test func onlyCachesAndTablesKnowMoreThanOneToken() throws {
    let source = try llama()
    let graph = try source.decoder(context: 24)
    let position = try #require(graph.position)
    #expect(graph.tensors[position].shape == [1] && graph.tensors[position].type == .int32)
    #expect(graph.inputs == source.inputs && graph.outputs == source.outputs)
    #expect(graph.tensors[graph.inputs[0]].shape == [1, 1])
    #expect(graph.tensors[graph.outputs[0]].shape == [1, 1, 65])
    let caches = graph.nodes.filter { $0.operation == .cacheAppend }
    #expect(caches.count == 10)
    let cached = Set(caches.map { $0.outputs[0] })
    for node in graph.nodes {
      for id in node.outputs {
        let shape = graph.tensors[id].shape
        #expect(shape[1] == (cached.contains(id) ? 24 : 1), "\(node.origin)")
      }
    }
  }

  @Test func attentionReadsRotatedKeysAndValuesFromCaches() throws {
    let graph = try llama().decoder(context: 24)
    let position = try #require(graph.position)
    let writers = Dictionary(
      uniqueKeysWithValues: graph.nodes.flatMap { node in node.outputs.map { ($0, node) } })
    var found = 0
    for node in graph.nodes {
      guard case .attention(let attributes) = node.operation else { continue }
      found += 1
      #expect(attributes.isCausal && attributes.heads == 8 && attributes.keyValueHeads == 4)
      try #require(node.inputs.count == 5)
      #expect(node.inputs[3] == nil && node.inputs[4] == position)
      let key = try #require(node.inputs[1].flatMap { writers[$0] })
      let value = try #require(node.inputs[2].flatMap { writers[$0] })
      #expect(key.operation == .cacheAppend && value.operation == .cacheAppend)
      #expect(key.inputs[1] == position && value.inputs[1] == position)
      #expect(graph.tensors[key.outputs[0]].shape == [1, 24, 32])
      let rotated = try #require(key.inputs[0].flatMap { writers[$0] })
      #expect(rotated.operation == .rotary(RotaryAttributes(heads: 4, isInterleaved: false)))
      #expect(rotated.inputs.count == 4 && rotated.inputs[3] == position)
      let plain = try #require(value.inputs[0].flatMap { writers[$0] })
      #expect(plain.operation == .fullyConnected(.none))
    }
    #expect(found == 5)
  }

  /// Token by token with caches gives what the whole sequence gives, before passes and after.
  @Test(arguments: [false, true]) func decodesWhatTheSequenceComputes(isCanonical: Bool) throws {
    let tokens: [Float] = [30, 27, 25, 17, 27, 10, 0, 21]
    let source = try llama(tokens.count)
    let wanted = try FloatEvaluator(source).evaluate([FloatTensor(shape: [1, 8], values: tokens)])[0]
    let graph = try (isCanonical ? source.canonical() : source).decoder(context: tokens.count)
    var caches: [Graph.TensorID: FloatTensor] = [:]
    for (position, token) in tokens.enumerated() {
      let step = try StepGraph(graph, position: position, caches)
      let logits = try FloatEvaluator(step.graph).evaluate([FloatTensor(shape: [1, 1], values: [token])]) {
        if step.caches.contains($0) { caches[$0] = $1 }
      }
      let row = wanted.values[position * 65..<(position + 1) * 65]
      let difference = zip(logits[0].values, row).map { ($0 - $1).magnitude }.max() ?? .infinity
      #expect(difference < 1e-4, "position \(position)")
    }
  }

  @Test func tablesAreCutToTheContext() throws {
    let source = try llama()
    let graph = try source.decoder(context: 24)
    func tables(_ graph: Graph) -> Set<Int> {
      let rotations = graph.nodes.filter { if case .rotary = $0.operation { true } else { false } }
      return Set(rotations.flatMap { $0.inputs[1...2].compactMap { $0 } })
    }
    #expect(tables(graph).count == 2)
    for (old, new) in zip(tables(source).sorted(), tables(graph).sorted()) {
      #expect(graph.tensors[new].shape == [24, 4])
      #expect(graph.tensors[new].data == source.tensors[old].data.map { Array($0.prefix(24 * 4 * 4)) })
    }
    // The weights stay as they are, tied ones tied.
    #expect(graph.nodes.last?.inputs[1] == graph.nodes.first?.inputs[0])
  }

  /// With the whole width as long as the sequence: the axis is followed, not guessed by its extent.
  @Test func sequenceAsLongAsWide() throws {
    let graph = try llama(64).decoder(context: 64)
    #expect(graph.nodes.allSatisfy { graph.tensors[$0.outputs[0]].shape.count == 3 })
    #expect(graph.tensors[graph.nodes[0].outputs[0]].shape == [1, 1, 64])
  }

  @Test func namesWhatDoesNotGoTokenByToken() throws {
    let source = try llama()
    #expect(message(source) == "accepted")
    #expect(message(source, context: 33).contains("tokens=33"))
    #expect(message(source, context: 0).contains("context of 0"))
    #expect(message(try source.decoder(context: 8)).contains("already"))
    #expect(message(Graph()).contains("no causal attention"))

    // Something that mixes tokens after the last node.
    let logits = source.outputs[0]
    for (operation, shape) in [
      (Operation.reduce(.mean, axes: [1]), [1, 1, 65]),
      (.slice(starts: [0, 31, 0], strides: [1, 1, 1]), [1, 1, 65]),
      (.reshape, [1, 32 * 65]),
    ] {
      var graph = source
      let id = graph.add(Tensor(name: "mixed", shape: shape, type: .float32))
      graph.nodes.append(Node(operation, inputs: [logits], outputs: [id], origin: "the mixer"))
      #expect(message(graph).hasPrefix("the mixer: "), "\(operation)")
    }

    // A constant that differs from token to token.
    var graph = source
    let table = graph.add(
      Tensor(
        name: "positions", shape: [1, 32, 1], type: .float32, data: [UInt8](repeating: 0, count: 128)))
    let sum = graph.add(Tensor(name: "sum", shape: [1, 32, 65], type: .float32))
    graph.nodes.append(
      Node(.binary(.add, .none), inputs: [logits, table], outputs: [sum], origin: "the sum"))
    #expect(message(graph).hasPrefix("the sum: "))
    // One that does not is fine.
    graph.tensors[table].shape = [1, 1, 1]
    graph.tensors[table].data = [0, 0, 0, 0]
    #expect(message(graph) == "accepted")
  }

  @Test func refusesAttentionThatLooksAhead() throws {
    var graph = try llama()
    let index = try #require(
      graph.nodes.lastIndex { if case .attention = $0.operation { true } else { false } })
    guard case .attention(var attributes) = graph.nodes[index].operation else { return }
    attributes.isCausal = false
    graph.nodes[index].operation = .attention(attributes)
    #expect(message(graph).hasPrefix("model.layers.4.self_attn.attention: "))
    attributes.isCausal = true
    graph.nodes[index].operation = .attention(attributes)
    graph.nodes[index].inputs.append(graph.inputs[0])
    #expect(message(graph).contains("mask"))
  }
}

/// One run of a decoding graph at a known position, as a graph that needs none: tables are rows,
/// caches are what earlier runs left and the new row.
private struct StepGraph {
  var graph: Graph
  var caches: Set<Graph.TensorID> = []

  init(_ decoder: Graph, position: Int, _ past: [Graph.TensorID: FloatTensor]) throws {
    graph = decoder
    graph.position = nil
    for index in graph.nodes.indices {
      let node = graph.nodes[index]
      switch node.operation {
      case .rotary:
        graph.nodes[index].inputs = [node.inputs[0]] + node.inputs[1...2].map { row(position, of: $0!) }
      case .attention(var attributes):
        attributes.isCausal = false
        graph.nodes[index].operation = .attention(attributes)
        graph.nodes[index].inputs = Array(node.inputs.prefix(3))
      case .cacheAppend:
        let cache = node.outputs[0]
        caches.insert(cache)
        graph.tensors[cache].shape[1] = position + 1
        graph.nodes[index].operation = .concatenation(axis: 1, .none)
        graph.nodes[index].inputs = try past[cache].map { [try constant($0)] } ?? []
        graph.nodes[index].inputs.append(node.inputs[0])
      default: break
      }
    }
  }

  private mutating func row(_ position: Int, of table: Graph.TensorID) -> Graph.TensorID {
    var tensor = graph.tensors[table]
    let bytes = 4 * tensor.shape[1]
    tensor.data = tensor.data.map { Array($0[position * bytes..<(position + 1) * bytes]) }
    tensor.shape[0] = 1
    return graph.add(tensor)
  }

  private mutating func constant(_ values: FloatTensor) throws -> Graph.TensorID {
    let array = try NumericArray(floats: values.values, shape: values.shape)
    return graph.add(Tensor(name: "past", shape: array.shape, type: .float32, data: array.bytes))
  }
}
