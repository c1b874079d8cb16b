/// Turns text into the numbers that a language model reads, and back.
public protocol Tokenizer: Sendable {
  /// How many tokens there are.
  var vocabularySize: Int { get }

  /// The tokens after each of which a model has finished; none where it never has.
  var endTokens: Set<Int> { get }

  /// The tokens of `text` as the model wants to read them, with those that mark its ends where it has
  /// such. Throws a ``PackError`` where something cannot be expressed.
  func encode(_ text: String) throws(PackError) -> [Int]

  /// `text` as samples for a model that reads `length` tokens at a time. Throws a ``PackError`` where
  /// something cannot be expressed or the text is too short.
  func samples(of text: String, length: Int) throws(PackError) -> any TextSamples

  /// The UTF-8 bytes that `token` adds to a text whose last token is `previous`; not always whole
  /// characters. Nothing for tokens that stand for no text, and for numbers that are no tokens.
  func bytes(of token: Int, after previous: Int?) -> [UInt8]
}

extension Tokenizer {
  /// The text of `tokens`.
  public func decode(_ tokens: [Int]) -> String {
    var stream = TokenStream(self)
    return tokens.map { stream.append($0) }.joined() + stream.finish()
  }

  /// Consecutive windows, as decoders are trained on.
  public func samples(of text: String, length: Int) throws(PackError) -> any TextSamples {
    try TokenWindows(try encode(text)[...], length: length)
  }
}

/// Text out of tokens as they come: keeps the bytes of a character until it is whole.
public struct TokenStream {
  private let tokenizer: any Tokenizer
  private var previous: Int?
  private var pending: [UInt8] = []

  public init(_ tokenizer: any Tokenizer) { self.tokenizer = tokenizer }

  /// The characters that `token` completes.
  public mutating func append(_ token: Int) -> String {
    pending += tokenizer.bytes(of: token, after: previous)
    previous = token
    let whole = pending.count - Self.unfinished(pending)
    defer { pending.removeFirst(whole) }
    return String(decoding: pending[..<whole], as: UTF8.self)
  }

  /// What is left at the end: a replacement character where a character stays incomplete.
  public mutating func finish() -> String {
    defer { pending = [] }
    return String(decoding: pending, as: UTF8.self)
  }

  /// How many bytes at the end begin a character without ending it.
  private static func unfinished(_ bytes: [UInt8]) -> Int {
    for count in 1...3 where count <= bytes.count {
      let byte = bytes[bytes.count - count]
      if byte & 0xC0 == 0x80 { continue }
      let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
      return length > count ? count : 0
    }
    return 0
  }
}
