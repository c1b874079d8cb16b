import AbacusPack
import AbacusRuntime

/// A decoder of the Llama family, in float and as integers, fed with given tokens.
struct LanguageModel {
  let graph: Graph
  let tokens: Int
  private let evaluator: FloatEvaluator

  /// Weights of 4 bits in groups of 32.
  static let fours = WeightFormat(bits: 4, grid: .symmetric, groupSize: 32)

  /// - Parameter tokens: how long sequences may be.
  init(_ path: String, settings: [String: String] = [:], tokens: Int) throws {
    graph = try PostTraining().prepare(
      try ModelFile.load(path, overrides: settings.merging(["tokens": "\(tokens)"]) { $1 }))
    self.tokens = tokens
    evaluator = try FloatEvaluator(graph)
  }

  /// The logits after each token of a sequence, in float. The rest of the sequence is filled up with
  /// tokens that nothing before them can see.
  func floatLogits(_ sequence: [Int]) throws -> [[Float]] {
    let padded = (sequence + [Int](repeating: 0, count: tokens - sequence.count)).map { Float($0) }
    let output = try evaluator.evaluate([FloatTensor(shape: [1, tokens], values: padded)])[0].values
    let width = output.count / tokens
    return (0..<sequence.count).map { Array(output[$0 * width..<($0 + 1) * width]) }
  }

  /// The same by the runtime, token by token from a fresh state.
  static func integerLogits(_ blob: [UInt8], _ sequence: [Int]) throws -> [[Float]] {
    let model = try Model(blob)
    return try sequence.map { token in
      model.outputs[0].reals(try model([try model.inputs[0].bytes(tokens: [token])])[0])
    }
  }

  /// Quantised with the tokens of `sequences`, to decode with a cache of `context` tokens.
  func pack(
    context: Int, calibratedOn sequences: [[Int]], _ change: (inout QuantizeOptions) -> Void = { _ in }
  ) throws -> PackedModel {
    var training = PostTraining()
    training.context = context
    change(&training.quantize)
    return try training.pack(graph, count: sequences.count) {
      [FloatTensor(shape: [1, tokens], values: sequences[$0].map { Float($0) })]
    }
  }
}

extension Bench {
  /// Results for many sequences at once, in their order.
  func forEach<Result>(
    _ sequences: [[Int]], _ label: String, _ body: @Sendable ([Int]) throws -> Result
  ) throws -> [Result] {
    let progress = ProgressLine(label, total: sequences.count)
    var results: [Result] = []
    try OrderedWork.run(count: sequences.count) { try body(sequences[$0]) } consume: {
      results.append($1)
      progress.advance(to: $0 + 1)
    }
    return results
  }
}

extension NumPyArchive {
  /// A matrix of tokens, or a list as its only row.
  func sequences(_ name: String) throws -> [[Int]] {
    let array = try array(name)
    let length = array.shape.last ?? 0
    let all = try array.int64s().map { Int($0) }
    guard length > 0 else { return [] }
    return stride(from: 0, to: all.count, by: length).map { Array(all[$0..<$0 + length]) }
  }
}
