/// One token for each character (Unicode scalar) of a list.
public struct CharacterTokenizer: Tokenizer {
  private let characters: [Unicode.Scalar]
  private let tokens: [Unicode.Scalar: Int]

  /// - Parameter characters: one character each, all different.
  public init(_ characters: [String], name: String = "vocabulary") throws(PackError) {
    var scalars: [Unicode.Scalar] = []
    var tokens: [Unicode.Scalar: Int] = [:]
    for (index, text) in characters.enumerated() {
      guard let scalar = text.unicodeScalars.first, text.unicodeScalars.count == 1,
        tokens.updateValue(index, forKey: scalar) == nil
      else {
        throw PackError(
          .malformed, "\(name): entry \(index), \"\(text)\", must be one character that occurs once")
      }
      scalars.append(scalar)
    }
    guard !scalars.isEmpty else { throw PackError(.malformed, "\(name): holds no characters") }
    self.characters = scalars
    self.tokens = tokens
  }

  /// Reads a JSON array of characters (`vocab.json`).
  public static func read(_ path: String) throws(PackError) -> CharacterTokenizer {
    let bytes = try readFile(path, limit: InputLimits.jsonBytes)
    return try CharacterTokenizer(JSONValue.decode([String].self, from: bytes, name: path), name: path)
  }

  public var vocabularySize: Int { characters.count }
  public var endTokens: Set<Int> { [] }

  public func encode(_ text: String) throws(PackError) -> [Int] {
    var result: [Int] = []
    var (line, column) = (1, 1)
    for scalar in text.unicodeScalars {
      guard let token = tokens[scalar] else {
        let known = characters.map { String($0) }.joined()
        throw PackError(
          .file,
          "line \(line), column \(column): the model does not know the character \"\(scalar)\"; it knows: \(known)")
      }
      result.append(token)
      (line, column) = scalar == "\n" ? (line + 1, 1) : (line, column + 1)
    }
    return result
  }

  public func bytes(of token: Int, after previous: Int?) -> [UInt8] {
    characters.indices.contains(token) ? Array(String(characters[token]).utf8) : []
  }
}
