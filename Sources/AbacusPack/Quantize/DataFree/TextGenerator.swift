/// Lets a model that continues texts write the texts that it is calibrated with.
struct TextGenerator: Sendable {
  private let evaluator: FloatEvaluator
  private let vocabulary: Int
  /// Where the tokens are among the inputs.
  private let position: Int

  /// Nil for graphs that do not tell, for each token that they read, which one comes next.
  init?(_ graph: Graph) throws {
    let isCausal = graph.nodes.contains { if case .attention(let attributes) = $0.operation { attributes.isCausal } else { false } }
    let readers = graph.inputs.indices.filter { graph.rowsPicked(by: graph.inputs[$0]) != nil }
    guard isCausal, readers.count == 1, let output = graph.outputs.first,
      let vocabulary = graph.rowsPicked(by: graph.inputs[readers[0]]), graph.tensors[output].shape.last == vocabulary,
      graph.tensors[output].elementCount == graph.tensors[graph.inputs[readers[0]]].elementCount * vocabulary
    else { return nil }
    evaluator = try FloatEvaluator(graph)
    self.vocabulary = vocabulary
    position = readers[0]
  }

  /// How often all tokens are drawn anew, each by those before it. After n rounds the first n follow the model's own
  /// distribution exactly, and a later one what the n - 1 before it were drawn for: a text in windows of n tokens, at the price
  /// of n runs, where writing one token after the other would take as many as there are tokens.
  private static let rounds = 12

  /// The inputs of one sample, with a text in place of random tokens.
  func written(_ inputs: [FloatTensor], _ random: inout SplitMix) throws -> [FloatTensor] {
    var inputs = inputs
    var sampler = try Sampler(temperature: 1, seed: random.next())
    for _ in 0..<Self.rounds {
      let logits = try evaluator.evaluate(inputs)[0].values
      for token in 1..<max(inputs[position].values.count, 1) {
        let row = logits[(token - 1) * vocabulary..<token * vocabulary].map(Double.init)
        inputs[position].values[token] = Float(sampler.choose(row))
      }
    }
    return inputs
  }
}
