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

  /// A text is written in stretches of so many tokens at once: a run of the model draws the next token of every stretch, by
  /// all that stands before it at the time.
  private static let stretch = 12
  /// How often all of it is written. What a stretch goes on from is noise at first, and afterwards the end of another.
  private static let drafts = 2

  /// The inputs of one sample, with a text in place of random tokens.
  func written(_ inputs: [FloatTensor], _ random: inout SplitMix) throws -> [FloatTensor] {
    var inputs = inputs
    var sampler = try Sampler(temperature: 1, seed: random.next())
    for run in 0..<Self.drafts * Self.stretch {
      let logits = try evaluator.evaluate(inputs)[0].values
      for token in stride(from: 1 + run % Self.stretch, to: inputs[position].values.count, by: Self.stretch) {
        let row = logits[(token - 1) * vocabulary..<token * vocabulary].map(Double.init)
        inputs[position].values[token] = Float(sampler.choose(row))
      }
    }
    return inputs
  }
}
