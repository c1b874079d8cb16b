/// A text for one of the inputs of a model that reads tokens.
struct TokenSamples: SampleSource {
  /// What an input says about a sequence of tokens.
  private enum Role {
    case tokens, mask, types, positions

    /// By what exporters call them; in a model with one input, that has the tokens.
    init(_ name: String) {
      let name = name.lowercased()
      self =
        name.contains("mask") ? .mask
        : name.contains("type") || name.contains("segment") ? .types
        : name.contains("position") ? .positions : .tokens
    }
  }

  private let text: any TextSamples
  private let role: Role

  /// For each of the inputs of a model.
  static func sources(_ path: String, _ inputs: [Tensor], _ tokenizer: any Tokenizer) throws -> [any SampleSource] {
    let roles = inputs.count == 1 ? [.tokens] : inputs.map { Role($0.name) }
    let lengths = Set(inputs.map { $0.shape.reduce(1, *) })
    guard roles.count(where: { $0 == .tokens }) == 1, lengths.count == 1, inputs.allSatisfy(isSequence) else {
      let names = inputs.map { "\"\($0.name)\" (\($0.type.rawValue) \(NumericArray.text($0.shape)))" }
      throw PackError(
        .file,
        "\(path): a text is for models that read one sequence of token ids, and their mask, types and "
          + "positions where they want these; this one reads \(names.joined(separator: ", "))")
    }
    let content = try TextFile.read(path)
    do throws(PackError) {
      let text = try tokenizer.samples(of: content, length: lengths.first ?? 0)
      return roles.map { TokenSamples(text: text, role: $0) }
    } catch {
      throw PackError(error.kind, "\(path): \(error.description)")
    }
  }

  /// One row of whole numbers.
  private static func isSequence(_ input: Tensor) -> Bool {
    (input.type == .int32 || input.type == .int64) && input.shape.dropLast().allSatisfy { $0 == 1 }
  }

  var count: Int { text.count }
  var isPixels: Bool { false }

  func values(_ index: Int) throws -> [Float] {
    let sample = try text.sample(index)
    switch role {
    case .tokens: return sample.tokens.map { Float($0) }
    case .mask: return sample.mask.map { Float($0) }
    // A sentence by itself is of type 0.
    case .types: return sample.tokens.map { _ in 0 }
    case .positions: return sample.tokens.indices.map { Float($0) }
    }
  }
}
