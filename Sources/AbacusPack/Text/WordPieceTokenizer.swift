import Foundation

/// WordPiece as BERT uses it: the text is cleaned, cut into words and punctuation, and each word into
/// the longest pieces that the vocabulary has, from the left.
public struct WordPieceTokenizer: Tokenizer {
  private let pieces: [String]
  /// By UTF-8: texts that Unicode calls equivalent may be different pieces.
  private let tokens: [[UInt8]: Int]
  private let isLowercasing: Bool
  private let unknown: Int
  private let beginning: Int
  private let end: Int
  private let padding: Int

  /// Longer words are unknown, as in the original.
  private static let longestWord = 100

  /// - Parameters:
  ///   - pieces: the vocabulary; pieces that continue a word begin with "##".
  ///   - isLowercasing: for models that do not tell upper case and accents ("uncased").
  public init(_ pieces: [String], isLowercasing: Bool = true, name: String = "vocabulary")
    throws(PackError)
  {
    var tokens: [[UInt8]: Int] = [:]
    for (index, piece) in pieces.enumerated() where tokens[Array(piece.utf8)] == nil {
      tokens[Array(piece.utf8)] = index
    }
    func special(_ piece: String) throws(PackError) -> Int {
      guard let token = tokens[Array(piece.utf8)] else {
        throw PackError(.malformed, "\(name): the vocabulary has no \(piece)")
      }
      return token
    }
    unknown = try special("[UNK]")
    beginning = try special("[CLS]")
    end = try special("[SEP]")
    padding = try special("[PAD]")
    self.pieces = pieces
    self.tokens = tokens
    self.isLowercasing = isLowercasing
  }

  /// Reads `vocab.txt`, one piece a line, or `tokenizer.json`.
  public static func read(_ path: String) throws(PackError) -> WordPieceTokenizer {
    let bytes = try readFile(path, limit: InputLimits.jsonBytes)
    if path.hasSuffix(".json") { return try fromJSON(bytes, name: path) }
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map {
      line in
      String(decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
    }
    if lines.last == "" { lines.removeLast() }
    return try WordPieceTokenizer(lines, name: path)
  }

  private static func fromJSON(_ bytes: [UInt8], name: String) throws(PackError) -> WordPieceTokenizer {
    let file = try JSONValue.decode(Contents.self, from: bytes, name: name)
    guard file.model.type ?? "WordPiece" == "WordPiece" else {
      throw PackError(.unsupported, "\(name): tokenizers of type \(file.model.type!) are not supported")
    }
    var pieces = [String](repeating: "", count: file.model.vocab.count)
    for (piece, token) in file.model.vocab {
      guard pieces.indices.contains(token), pieces[token].isEmpty else {
        throw PackError(
          .malformed, "\(name): the tokens must be numbered from 0 to \(pieces.count - 1), each once")
      }
      pieces[token] = piece
    }
    return try WordPieceTokenizer(
      pieces, isLowercasing: file.normalizer?.lowercase ?? true, name: name)
  }

  /// What is read of tokenizer.json.
  private struct Contents: Decodable {
    struct Model: Decodable {
      var type: String?
      var vocab: [String: Int]
    }
    struct Normalizer: Decodable {
      var lowercase: Bool?
    }
    var model: Model
    var normalizer: Normalizer?
  }

  public var vocabularySize: Int { pieces.count }
  public var endTokens: Set<Int> { [end] }

  /// [CLS], the pieces of the text, [SEP].
  public func encode(_ text: String) throws(PackError) -> [Int] {
    [beginning] + BertWords.split(text, isLowercasing: isLowercasing).flatMap(pieces(of:)) + [end]
  }

  /// Exactly `length` tokens: longer texts are cut before [SEP], shorter ones padded. Throws where
  /// `length` has no room for [CLS] and [SEP].
  public func encode(_ text: String, length: Int) throws(PackError) -> PaddedTokens {
    guard length >= 2 else {
      throw PackError(.file, "\(length) tokens have no room for [CLS] and [SEP]")
    }
    var list = try encode(text)
    if list.count > length { list = list.prefix(length - 1) + [end] }
    let missing = length - list.count
    return PaddedTokens(
      tokens: list + [Int](repeating: padding, count: missing),
      mask: [Int](repeating: 1, count: list.count) + [Int](repeating: 0, count: missing))
  }

  /// Each line by itself: encoders read sentences.
  public func samples(of text: String, length: Int) throws(PackError) -> any TextSamples {
    try Sentences(text, self, length: length)
  }

  /// The longest pieces from the left, or the unknown token for the whole word.
  private func pieces(of word: String) -> [Int] {
    guard word.unicodeScalars.count <= Self.longestWord else { return [unknown] }
    let bytes = Array(word.utf8)
    var result: [Int] = []
    var start = 0
    while start < bytes.count {
      let prefix = start == 0 ? [] : Array("##".utf8)
      let ends = stride(from: bytes.count, to: start, by: -1)
      guard let end = ends.first(where: { tokens[prefix + bytes[start..<$0]] != nil }),
        let token = tokens[prefix + bytes[start..<end]]
      else { return [unknown] }
      result.append(token)
      start = end
    }
    return result
  }

  public func bytes(of token: Int, after previous: Int?) -> [UInt8] {
    guard pieces.indices.contains(token), ![beginning, end, padding].contains(token) else { return [] }
    let piece = pieces[token]
    if piece.hasPrefix("##") { return Array(piece.utf8.dropFirst(2)) }
    let isFirst = previous == nil || previous == beginning
    return Array((isFirst ? piece : " \(piece)").utf8)
  }
}
