import Testing

@testable import AbacusPack

/// Attention in the decompositions that exporters write.
@Suite struct CanonicalAttentionTests {
  typealias ID = FloatGraph.ID

  private static let (tokens, heads, depth) = (5, 2, 4)

  /// Rows [1, n, h * d] as heads [1, h, n, d].
  private static func split(_ test: inout FloatGraph, _ x: ID, heads: Int = heads) -> ID {
    test.transpose(test.reshape(x, [1, tokens, heads, test.shape(x).last! / heads]), [0, 2, 1, 3])
  }

  private static func join(_ test: inout FloatGraph, _ x: ID) -> ID {
    test.reshape(test.transpose(x, [0, 2, 1, 3]), [1, tokens, heads * depth])
  }

  private static func turned(_ test: inout FloatGraph, _ x: ID) -> ID {
    let rank = test.shape(x).count
    return test.transpose(x, Array(0..<rank - 2) + [rank - 1, rank - 2])
  }

  private static let mask: [Float] = (0..<tokens * tokens).map { $0 % tokens > $0 / tokens ? -1e9 : 0 }

  static let forms: [(String, String, @Sendable (inout FloatGraph, ID) -> ID)] = [
    ("fused projection, timm", "attention heads 2 scale 0.5", { test, x in
      let all = test.transpose(test.reshape(test.linear(x, 24), [1, tokens, 3, heads, depth]), [2, 0, 3, 1, 4])
      let (q, k, v) = (test.pickPlace(all, 0, 0), test.pickPlace(all, 0, 1), test.pickPlace(all, 0, 2))
      let scores = test.product(test.binary(.multiply, q, test.scalar(0.5)), turned(&test, k))
      return join(&test, test.product(test.softmax(scores), v))
    }),
    ("separate projections, divided scores", "attention heads 2 scale 0.5", { test, x in
      let (q, k, v) = (test.linear(x, 8), test.linear(x, 8), test.linear(x, 8))
      let (a, b, c) = (split(&test, q), split(&test, k), split(&test, v))
      let scores = test.binary(.divide, test.product(a, turned(&test, b)), test.scalar(2))
      return join(&test, test.product(test.softmax(scores), c))
    }),
    ("projected, scaled, three dimensions", "attention heads 2 scale 0.25", { test, x in
      // Both sides scaled, and the heads as the only batch.
      func heads3(_ test: inout FloatGraph, _ x: ID) -> ID {
        test.reshape(split(&test, x), [heads, tokens, depth])
      }
      let q = test.binary(.multiply, test.linear(x, 8), test.scalar(0.5))
      let k = test.binary(.multiply, test.linear(x, 8), test.scalar(0.5))
      let v = test.linear(x, 8)
      let (a, b, c) = (heads3(&test, q), heads3(&test, k), heads3(&test, v))
      let scores = test.product(a, b, transposeB: true)
      let wide = test.softmax(test.reshape(scores, [1, heads, tokens, tokens]))
      let result = test.product(test.reshape(wide, [heads, tokens, tokens]), c)
      return test.reshape(test.transpose(result, [1, 0, 2]), [1, tokens, heads * depth])
    }),
    ("interleaved columns, causal", "attention heads 2 scale 1.0 causal", { test, x in
      // Columns of the fused projection by head, then by role.
      let all = test.reshape(test.linear(x, 24), [1, tokens, heads, 3 * depth])
      let parts = (0..<3).map { role in
        test.transpose(test.slice(all, 3, role * depth..<(role + 1) * depth), [0, 2, 1, 3])
      }
      let scores = test.product(parts[0], parts[1], transposeB: true)
      let masked = test.binary(.add, scores, test.constant([1, 1, tokens, tokens], mask))
      return join(&test, test.product(test.softmax(masked), parts[2]))
    }),
    ("selected scores, causal", "attention heads 2 scale 1.0 causal", { test, x in
      let (q, k, v) = (test.linear(x, 8), test.linear(x, 8), test.linear(x, 8))
      let (a, b, c) = (split(&test, q), split(&test, k), split(&test, v))
      let condition = test.graph.add(
        Tensor(name: "mask", shape: [tokens, tokens], type: .bool, data: mask.map { $0 == 0 ? 1 : 0 }))
      let scores = test.product(a, turned(&test, b))
      let selected = test.add(.select, [condition, scores, test.scalar(-1e9)], test.shape(scores))
      return join(&test, test.product(test.softmax(selected), c))
    }),
    ("grouped keys and values", "attention heads 2 of 1 scale 0.5", { test, x in
      let (q, k, v) = (test.linear(x, 8), test.linear(x, 4), test.linear(x, 4))
      let a = split(&test, q)
      func repeated(_ test: inout FloatGraph, _ x: ID) -> ID {
        let one = test.reshape(split(&test, x, heads: 1), [1, 1, 1, tokens, depth])
        return test.reshape(test.concatenation([one, one], 2), [1, heads, tokens, depth])
      }
      let (b, c) = (repeated(&test, k), repeated(&test, v))
      let scores = test.binary(.multiply, test.product(a, turned(&test, b)), test.scalar(0.5))
      return join(&test, test.product(test.softmax(scores), c))
    }),
    ("one key head for all", "attention heads 2 of 1 scale 0.5", { test, x in
      let (q, k, v) = (test.linear(x, 8), test.linear(x, 4), test.linear(x, 4))
      let (a, b, c) = (split(&test, q), split(&test, k, heads: 1), split(&test, v, heads: 1))
      let scores = test.binary(.multiply, test.product(a, turned(&test, b)), test.scalar(0.5))
      return join(&test, test.product(test.softmax(scores), c))
    }),
    ("heads that are computed, not projected", "attention heads 2 scale 1.0", { test, x in
      let (q, k, v) = (test.linear(x, 8), test.linear(x, 8), test.linear(x, 8))
      let rotated = test.binary(.multiply, split(&test, q), test.constant([heads, tokens, depth]))
      let (b, c) = (split(&test, k), split(&test, v))
      return join(&test, test.product(test.softmax(test.product(rotated, turned(&test, b))), c))
    }),
    ("a key mask", "attention heads 2 scale 0.5", { test, x in
      let flags = test.input([1, tokens], type: .int32)
      let cast = test.add(.requantize, [test.reshape(flags, [1, 1, 1, tokens], type: .int32)], [1, 1, 1, tokens])
      let added = test.binary(
        .multiply, test.binary(.subtract, test.scalar(1), cast), test.scalar(-1e9))
      let (q, k, v) = (test.linear(x, 8), test.linear(x, 8), test.linear(x, 8))
      let (a, b, c) = (split(&test, q), split(&test, k), split(&test, v))
      let scores = test.binary(.divide, test.product(a, turned(&test, b)), test.scalar(2))
      return join(&test, test.product(test.softmax(test.binary(.add, scores, added)), c))
    }),
  ]

  @Test(arguments: forms.indices) func isOneNode(_ form: Int) throws {
    let (name, expected, build) = Self.forms[form]
    var test = FloatGraph(seed: form)
    let x = test.input([1, Self.tokens, 8])
    let graph = try test.canonical(test.linear(build(&test, x), 8), comment: name)
    let attention = try #require(
      graph.nodes.first { $0.operation.summary == expected }, "\(name)\n\(graph.summary())")
    #expect(!graph.nodes.contains { if case .softmax = $0.operation { true } else { false } })
    #expect(!graph.nodes.contains { if case .gather = $0.operation { true } else { false } })
    let isComputed = name.hasPrefix("heads")
    // Each operand from a layer of its own, and nothing moves.
    if !isComputed {
      let layers = attention.inputs.prefix(3).map { id in
        graph.nodes.first { $0.outputs == [id!] }?.operation.summary
      }
      #expect(layers == ["fullyConnected", "fullyConnected", "fullyConnected"], "\(name)\n\(graph.summary())")
      #expect(!graph.nodes.contains { $0.operation.summary == "reshape" }, "\(name)\n\(graph.summary())")
    }
    #expect(attention.inputs.count == (name == "a key mask" ? 4 : 3))
  }

  /// Positions by rotation, in the layout [1, h, n, d] of the heads; and one table a head, which is
  /// another function.
  @Test(arguments: [true, false]) func rotaryEmbedding(isShared: Bool) throws {
    var test = FloatGraph(seed: 5)
    let x = test.input([1, Self.tokens, 8])
    let (half, heads) = (Self.depth / 2, isShared ? 1 : Self.heads)
    func table(_ test: inout FloatGraph) -> ID {
      let once = test.values(heads * Self.tokens * half)
      let twice = (0..<heads * Self.tokens).flatMap { row in
        let values = once[row * half..<(row + 1) * half]
        return values + values
      }
      return test.constant([1, heads, Self.tokens, Self.depth], Array(twice))
    }
    let (cosines, sines) = (table(&test), table(&test))
    func rotated(_ test: inout FloatGraph, _ x: ID) -> ID {
      let split = Self.split(&test, x)
      let (first, second) = (test.slice(split, 3, 0..<half), test.slice(split, 3, half..<2 * half))
      let turned = test.concatenation([test.unary(.negate, second), first], 3)
      return test.binary(
        .add, test.binary(.multiply, split, cosines), test.binary(.multiply, turned, sines))
    }
    let (q, k) = (rotated(&test, test.linear(x, 8)), rotated(&test, test.linear(x, 8)))
    let v = Self.split(&test, test.linear(x, 8))
    let scores = test.product(q, Self.turned(&test, k))
    let graph = try test.canonical(Self.join(&test, test.product(test.softmax(scores), v)))
    let names = graph.nodes.map(\.operation.summary)
    #expect(names.contains("attention heads 2 scale 1.0"))
    #expect(names.count { $0 == "rotary heads 2" } == (isShared ? 2 : 0), "\(graph.summary())")
    #expect(!isShared || names.count == 6, "\(graph.summary())")
  }

  @Test func notAttention() throws {
    // Probabilities that are an output, a mask that weighs, a factor that is no constant.
    for form in 0..<3 {
      var test = FloatGraph(seed: form)
      let x = test.input([1, Self.tokens, 8])
      let (q, k, v) = (test.linear(x, 8), test.linear(x, 8), test.linear(x, 8))
      let (a, b, c) = (Self.split(&test, q), Self.split(&test, k), Self.split(&test, v))
      var scores = test.product(a, Self.turned(&test, b))
      if form == 1 { scores = test.binary(.add, scores, test.constant([Self.tokens, Self.tokens])) }
      if form == 2 { scores = test.binary(.multiply, scores, test.unary(.sigmoid, scores)) }
      let probabilities = test.softmax(scores)
      let y = Self.join(&test, test.product(probabilities, c))
      let graph = form == 0 ? try test.canonical(y, probabilities) : try test.canonical(y, comment: "form \(form)")
      #expect(graph.nodes.contains { if case .softmax = $0.operation { true } else { false } }, "form \(form)")
    }
  }
}
