import Collections

/// Byte pair encoding with scores, as llama2.c has it (`tok512.bin`, `tokenizer.bin`), after
/// SentencePiece: a text is cut into characters, and then the neighbours whose union has the highest
/// score become one, until none are left. What has no token is spelled in bytes.
public struct MergeTokenizer: Tokenizer {
  private let pieces: [[UInt8]]
  private let scores: [Float]
  private let tokens: [[UInt8]: Int]

  /// Tokens with a meaning of their own, at the same place in all vocabularies of this kind.
  private static let beginning = 1
  private static let end = 2
  /// The token of byte 0.
  private static let firstByte = 3

  /// Reads a file: the longest length of a token (int32), then for each its score (float32), length
  /// (int32) and bytes, all little-endian.
  public static func read(_ path: String) throws(PackError) -> MergeTokenizer {
    try MergeTokenizer(readFile(path, limit: InputLimits.jsonBytes), name: path)
  }

  init(_ bytes: [UInt8], name: String) throws(PackError) {
    guard let longest = Endian.little(bytes, at: 0, count: 4), longest <= 1 << 16 else {
      throw PackError(.malformed, "\(name): does not begin with the length of its longest token")
    }
    var pieces: [[UInt8]] = []
    var scores: [Float] = []
    var tokens: [[UInt8]: Int] = [:]
    var position = 4
    while position < bytes.count {
      guard let score = Endian.little(bytes, at: position, count: 4),
        let length = Endian.little(bytes, at: position + 4, count: 4), length <= longest,
        length <= bytes.count - position - 8
      else {
        throw PackError(
          .malformed, "\(name): token \(pieces.count), at byte \(position), is cut short or too long")
      }
      let value = Float(bitPattern: UInt32(score))
      guard value.isFinite else {
        throw PackError(.malformed, "\(name): the score of token \(pieces.count) is not a finite number")
      }
      let piece = Array(bytes[position + 8..<position + 8 + length])
      if tokens[piece] == nil { tokens[piece] = pieces.count }
      pieces.append(piece)
      scores.append(value)
      position += 8 + length
    }
    guard pieces.count >= Self.firstByte + 256,
      pieces[Self.firstByte] == Array("<0x00>".utf8),
      pieces[Self.firstByte + 255] == Array("<0xFF>".utf8)
    else {
      throw PackError(
        .malformed,
        "\(name): tokens \(Self.firstByte) to \(Self.firstByte + 255) must be the bytes <0x00> to <0xFF>"
      )
    }
    self.pieces = pieces
    self.scores = scores
    self.tokens = tokens
  }

  public var vocabularySize: Int { pieces.count }
  /// Texts follow each other in training, so that a model may also begin the next.
  public var endTokens: Set<Int> { [Self.beginning, Self.end] }

  /// The beginning token, a blank as before every word, and the text.
  public func encode(_ text: String) throws(PackError) -> [Int] {
    if text.isEmpty { return [Self.beginning] }
    let characters = " \(text)".unicodeScalars.flatMap { scalar -> [Int] in
      let bytes = Array(String(scalar).utf8)
      return tokens[bytes].map { [$0] } ?? bytes.map { Self.firstByte + Int($0) }
    }
    return [Self.beginning] + merged(characters)
  }

  /// Consecutive windows that all begin as texts do.
  public func samples(of text: String, length: Int) throws(PackError) -> any TextSamples {
    try TokenWindows(try encode(text).dropFirst(), length: length, beginning: [Self.beginning])
  }

  /// Makes the neighbours whose union has the highest score one, the first of equals, as long as there
  /// are any.
  private func merged(_ list: [Int]) -> [Int] {
    var chain = TokenChain(list)
    var unions = Heap<Union>()
    func consider(_ left: Int?) {
      guard let left, let right = chain.place(after: left),
        let token = tokens[pieces[chain.tokens[left]] + pieces[chain.tokens[right]]]
      else { return }
      unions.insert(
        Union(score: scores[token], left: left, token: token, parts: [chain.tokens[left], chain.tokens[right]]))
    }
    for place in list.indices { consider(place) }
    while let union = unions.popMax() {
      // One of the two may have become part of something else.
      guard let right = chain.place(after: union.left),
        union.parts == [chain.tokens[union.left], chain.tokens[right]]
      else { continue }
      chain.join(union.left, with: right, as: union.token)
      consider(chain.place(before: union.left))
      consider(union.left)
    }
    return chain.remaining
  }

  /// Two neighbours that may become one token.
  private struct Union: Comparable {
    var score: Float
    /// Place of the left one.
    var left: Int
    var token: Int
    var parts: [Int]

    /// Higher scores come first, and then places further left.
    static func < (a: Union, b: Union) -> Bool { (a.score, -a.left) < (b.score, -b.left) }
  }

  public func bytes(of token: Int, after previous: Int?) -> [UInt8] {
    guard pieces.indices.contains(token), token != Self.beginning, token != Self.end else { return [] }
    if (Self.firstByte..<Self.firstByte + 256).contains(token) { return [UInt8(token - Self.firstByte)] }
    let piece = pieces[token]
    // The blank that encoding puts before the text.
    return previous == Self.beginning && piece.first == UInt8(ascii: " ")
      ? Array(piece.dropFirst()) : piece
  }
}
