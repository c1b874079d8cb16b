import AbacusFormat
import AbacusRuntime

/// A packed model that reads one token a run and answers with the logits of the next, on this machine.
public struct LanguageModel {
  /// How many tokens it can read until its key/value cache is full.
  public let contextLength: Int
  private let model: Model
  private let logits: Model.Boundary

  /// - Parameter name: of the model, for messages.
  /// - Throws: `PackError` where the model does not decode token by token.
  public init(_ model: Model, _ description: BlobDescription, name: String) throws(PackError) {
    let header = description.header
    guard header.positionTensor != 0 else {
      throw PackError(
        .unsupported,
        "\(name) writes no text: it has no key/value cache; pack a language model with --context")
    }
    guard let input = model.inputs.first, model.inputs.count == 1, input.type == .int32,
      input.shape.allSatisfy({ $0 == 1 }), let logits = model.outputs.first, model.outputs.count == 1,
      logits.scale > 0
    else {
      let inputs = model.inputs.map { "\($0.shape) \($0.type)" }.joined(separator: ", ")
      let outputs = model.outputs.map { "\($0.shape) \($0.type)" }.joined(separator: ", ")
      throw PackError(
        .unsupported,
        "\(name) reads \(inputs) and gives \(outputs); a language model reads one int32, a token, and gives logits")
    }
    self.model = model
    self.logits = logits
    contextLength = Int(header.positionLimit) / max(Int(header.positionStep), 1)
  }

  public var vocabularySize: Int { logits.shape.reduce(1, *) }

  /// What a run reads for `token`.
  public func input(_ token: Int) -> [[UInt8]] { [littleEndianBytes(Int32(clamping: token))] }

  /// How many tokens can follow `prompt`: the last is chosen, but not read any more.
  public func room(after prompt: [Int]) throws(PackError) -> Int {
    guard !prompt.isEmpty else {
      throw PackError(.file, "the prompt is empty; the model continues a text of at least one token")
    }
    guard prompt.count <= contextLength else {
      throw PackError(
        .doesNotFit, "the prompt has \(prompt.count) tokens; the model reads \(contextLength) at most")
    }
    return contextLength - prompt.count + 1
  }

  /// What was chosen, and the logits of every run, those of the prompt included, as they are stored.
  public struct Continued: Equatable {
    public var choices: [Int] = []
    public var outputs: [[UInt8]] = []
  }

  /// Reads a prompt and continues it, from an empty cache.
  ///
  /// - Parameters:
  ///   - count: how many tokens, not more than there is ``room(after:)``.
  ///   - stops: the tokens each of which is the last wherever it comes.
  ///   - onChoice: called with each token when it is chosen.
  public func continued(
    _ prompt: [Int], count: Int, stops: Set<Int>, sampler: Sampler, onChoice: (Int) -> Void = { _ in }
  ) throws -> Continued {
    try model.reset()
    var sampler = sampler
    var result = Continued()
    var unread = prompt
    while result.choices.count < count {
      for token in unread { result.outputs.append(try model(input(token))[0]) }
      let choice = sampler.choose(logits.values(logits.codes(result.outputs.last ?? [])))
      result.choices.append(choice)
      onChoice(choice)
      if stops.contains(choice) { break }
      unread = [choice]
    }
    return result
  }
}
