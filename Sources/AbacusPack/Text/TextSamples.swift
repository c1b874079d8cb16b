/// A sequence of fixed length that a model reads.
public struct PaddedTokens: Sendable, Equatable {
  public var tokens: [Int]
  /// 1 where there is a token, 0 where there is padding.
  public var mask: [Int]
}

/// A text, cut into sequences of equal length.
public protocol TextSamples: Sendable {
  var count: Int { get }
  /// Sequence `index`, below ``count``.
  func sample(_ index: Int) throws(PackError) -> PaddedTokens
}

/// Windows of equal length, one behind the other; the last reaches back so that it is whole, too.
struct TokenWindows: TextSamples {
  private let tokens: ArraySlice<Int>
  /// What every window begins with.
  private let beginning: [Int]
  private let length: Int
  /// Tokens of the text in each window.
  private let step: Int
  let count: Int

  init(_ tokens: ArraySlice<Int>, length: Int, beginning: [Int] = []) throws(PackError) {
    self.tokens = tokens
    self.beginning = beginning
    self.length = length
    step = length - beginning.count
    guard step > 0, tokens.count >= step else {
      throw PackError(
        .file,
        "the text has \(tokens.count + beginning.count) tokens, but the model reads \(length) at a time: a longer "
          + "text is needed, or a shorter sequence (--set tokens=..., or --dim where the model leaves it open)")
    }
    count = (tokens.count - 1) / step + 1
  }

  func sample(_ index: Int) -> PaddedTokens {
    let start = tokens.startIndex + min(index * step, tokens.count - step)
    return PaddedTokens(
      tokens: beginning + tokens[start..<start + step], mask: [Int](repeating: 1, count: length))
  }
}

/// A sentence, or whatever else stands on a line, padded.
struct Sentences: TextSamples {
  private let lines: [Substring]
  private let tokenizer: WordPieceTokenizer
  private let length: Int

  init(_ text: String, _ tokenizer: WordPieceTokenizer, length: Int) throws(PackError) {
    lines = text.split(whereSeparator: \.isNewline).filter { !$0.allSatisfy(\.isWhitespace) }
    guard !lines.isEmpty else { throw PackError(.file, "the text has no line with something on it") }
    self.tokenizer = tokenizer
    self.length = length
  }

  var count: Int { lines.count }

  func sample(_ index: Int) throws(PackError) -> PaddedTokens {
    try tokenizer.encode(String(lines[index]), length: length)
  }
}
