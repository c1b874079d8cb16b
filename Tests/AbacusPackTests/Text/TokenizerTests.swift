import Foundation
import Testing

@testable import AbacusPack

@Suite struct CharacterTokenizerTests {
  @Test func shakespeare() throws {
    let tokenizer = try TokenizerFile.read(TestFolder.golden("models/shakespeare-llama"))
    #expect(tokenizer.vocabularySize == 65 && tokenizer.endTokens == [])
    #expect(try tokenizer.encode("ROMEO:\n") == [30, 27, 25, 17, 27, 10, 0])
    #expect(tokenizer.decode([30, 27, 25, 17, 27, 10, 0, 65, -1]) == "ROMEO:\n")
    let error = #expect(throws: PackError.self) { try tokenizer.encode("Zoë") }
    #expect(error?.description.contains("line 1, column 3: the model does not know the character \"ë\"") == true)
    let second = #expect(throws: PackError.self) { try tokenizer.encode("Zo\n\nab\u{EB}") }
    #expect(second?.description.contains("line 3, column 3") == true)
  }

  @Test func refusesLists() {
    for list in [[], ["a", "a"], ["ab"], [""], ["e\u{301}"]] {
      #expect(throws: PackError.self) { try CharacterTokenizer(list) }
    }
  }
}

@Suite struct MergeTokenizerTests {
  /// A vocabulary in llama2.c's format: three special tokens, all bytes, then `pieces` with scores.
  static func file(_ pieces: [(String, Float)], longest: Int32 = 8) -> [UInt8] {
    let bytes = (0..<256).map { (String(format: "<0x%02X>", $0), Float(0)) }
    let all = [("<unk>", 0), ("\n<s>\n", 0), ("\n</s>\n", 0)] + bytes + pieces
    return littleEndianBytes(longest)
      + all.flatMap { piece, score in
        littleEndianBytes(score.bitPattern) + littleEndianBytes(Int32(piece.utf8.count))
          + Array(piece.utf8)
      }
  }

  static let pieces: [(String, Float)] = [
    (" ", -9), ("a", -9), ("b", -9), ("c", -9), ("ab", -3), ("bc", -2), ("abc", -1), (" a", -5),
    ("é", -9),
  ]

  @Test func mergesTheBestFirst() throws {
    let tokenizer = try MergeTokenizer(Self.file(Self.pieces), name: "v")
    #expect(tokenizer.vocabularySize == 268 && tokenizer.endTokens == [1, 2])
    // "bc" before "ab", then "a" + "bc".
    #expect(try tokenizer.encode("abc") == [1, 259, 265])
    #expect(try tokenizer.encode("ab") == [1, 259, 263])
    #expect(try tokenizer.encode("aab") == [1, 266, 263])
    #expect(try tokenizer.encode("") == [1])
    // Known as a character, and spelled in bytes.
    #expect(try tokenizer.encode("é") == [1, 259, 267])
    #expect(try tokenizer.encode("ü") == [1, 259, 3 + 0xC3, 3 + 0xBC])
  }

  /// One union after the other, each the best of all that are possible.
  @Test func mergesLikeTheDefinition() throws {
    let letters = ["a", "b", " ", "é", "x"]
    var generator = SeededGenerator(state: 3)
    for _ in 0..<20 {
      // Some scores are equal, and then the first of the neighbours come first.
      let unions = (0..<12).map { _ in
        (0..<Int.random(in: 2...4, using: &generator)).map { _ in letters.dropLast().randomElement(using: &generator)! }.joined()
      }
      let pieces = ["a", "b", " ", "é"].map { ($0, Float(-9)) }
        + unions.map { ($0, Float(Int.random(in: -5...0, using: &generator))) }
      let file = Self.file(pieces)
      let tokenizer = try MergeTokenizer(file, name: "v")
      let text = (0..<60).map { _ in letters.randomElement(using: &generator)! }.joined()
      #expect(try tokenizer.encode(text) == definition(text, pieces), "\(text)")
    }
    // Nothing grows with the square of the text.
    let tokenizer = try MergeTokenizer(Self.file(Self.pieces), name: "v")
    let long = String(repeating: "abcab ", count: 50_000)
    #expect(try tokenizer.encode(long).count > 100_000)
  }

  /// Encodes as llama2.c does: looks at all neighbours before each union.
  private func definition(_ text: String, _ pieces: [(String, Float)]) -> [Int] {
    let known = Dictionary(pieces.enumerated().map { ($1.0, (259 + $0, $1.1)) }) { first, _ in first }
    // Bytes are by themselves: no union has them.
    var parts: [(text: String?, token: Int)] = " \(text)".unicodeScalars.flatMap { scalar in
      known[String(scalar)].map { [(String(scalar), $0.0)] } ?? String(scalar).utf8.map { (nil, 3 + Int($0)) }
    }
    while true {
      var best: (place: Int, union: String, token: Int, score: Float)?
      for place in parts.indices.dropLast() {
        guard let left = parts[place].text, let right = parts[place + 1].text, let (token, score) = known[left + right]
        else { continue }
        if score > best?.score ?? -.infinity { best = (place, left + right, token, score) }
      }
      guard let best else { return [1] + parts.map(\.token) }
      parts.replaceSubrange(best.place...best.place + 1, with: [(best.union, best.token)])
    }
  }

  @Test func decodesAsItEncodes() throws {
    let tokenizer = try MergeTokenizer(Self.file(Self.pieces), name: "v")
    for text in ["abc", " abc", "a b", "ü→é", "", "𝄞"] {
      #expect(tokenizer.decode(try tokenizer.encode(text)) == text)
    }
    #expect(tokenizer.decode([1, 2, 999, -4]) == "")
  }

  /// Bytes of one character come as several tokens; nothing is shown before it is whole.
  @Test func streamsWholeCharacters() throws {
    let tokenizer = try MergeTokenizer(Self.file(Self.pieces), name: "v")
    var stream = TokenStream(tokenizer)
    let tokens = [3 + 0xF0, 3 + 0x9D, 3 + 0x84, 3 + 0x9E, 260, 3 + 0xC3]
    #expect(tokens.map { stream.append($0) } == ["", "", "", "𝄞", "a", ""])
    #expect(stream.finish() == "\u{FFFD}")
    #expect(stream.finish() == "")
    // A byte that begins nothing does not hold up what follows.
    #expect(stream.append(3 + 0x80) == "\u{FFFD}")
  }

  @Test func refusesDamage() throws {
    let sound = Self.file(Self.pieces)
    var ends: Set<Int> = []
    for count in 0..<sound.count {
      do {
        ends.insert(try MergeTokenizer(Array(sound[..<count]), name: "v").vocabularySize)
      } catch {
        #expect(error.kind == .malformed)
      }
    }
    // Cut between two pieces it is a smaller vocabulary.
    #expect(ends == Set(259..<268))
    #expect(throws: PackError.self) { try MergeTokenizer(Self.file(Self.pieces, longest: 2), name: "v") }
    #expect(throws: PackError.self) { try MergeTokenizer(Self.file([("x", .nan)]), name: "v") }
  }

  @Test(.enabled(if: TestFolder.shared != nil, "the shared models are not here"))
  func stories() throws {
    let tokenizer = try TokenizerFile.read(try TestFolder.model("stories260k"))
    #expect(tokenizer.vocabularySize == 512)
    let golden = try NumPyArchive(try TestFolder.model("stories260k/golden_greedy_fp32.npz"))
    let tokens = try golden.array("ids").int64s().map { Int($0) }
    let story = tokenizer.decode(tokens)
    #expect(story.hasPrefix("Once upon a time, there was a little girl named Lily. "))
    let sentence = "Once upon a time, there was a little girl named Lily."
    let encoded = try tokenizer.encode(sentence)
    #expect(encoded == Array(tokens.prefix(encoded.count)))
    #expect(encoded.count > 15 && tokenizer.decode(encoded) == sentence)
  }
}

@Suite struct WordPieceTokenizerTests {
  @Test func agreesWithTheOriginal() throws {
    let tokenizer = try WordPieceTokenizer(WordPieceFixture.vocabulary)
    for (text, tokens) in WordPieceFixture.sentences {
      #expect(try tokenizer.encode(text) == tokens, "\(text)")
    }
    #expect(WordPieceFixture.sentences.count == 12)
  }

  /// With the whole vocabulary, from both files.
  @Test(.enabled(if: TestFolder.sentenceModel != nil, TestFolder.sentenceModelHint))
  func agreesWithTheWholeVocabulary() throws {
    let folder = try #require(TestFolder.sentenceModel)
    for name in ["tokenizer.json", "vocab.txt"] {
      let tokenizer = try WordPieceTokenizer.read("\(folder)/\(name)")
      #expect(tokenizer.vocabularySize == 30_522)
      for (text, tokens) in WordPieceFixture.sentences {
        #expect(try tokenizer.encode(text) == tokens, "\(name): \(text)")
      }
      let long = [String(repeating: "x", count: 101), String(repeating: "y", count: 100)]
      #expect(try tokenizer.encode(long[0]) == [101, 100, 102])
      #expect(try tokenizer.encode(long[1]) == [101, 1061] + [Int](repeating: 2100, count: 99) + [102])
    }
  }

  @Test func padsAndCuts() throws {
    let tokenizer = try WordPieceTokenizer(WordPieceFixture.vocabulary)
    let (text, tokens) = WordPieceFixture.sentences[0]
    let padded = try tokenizer.encode(text, length: 14)
    #expect(padded.tokens == tokens + [0, 0])
    #expect(padded.mask == [Int](repeating: 1, count: 12) + [0, 0])
    let cut = try tokenizer.encode(text, length: 5)
    #expect(cut.tokens == Array(tokens.prefix(4)) + [102])
    #expect(cut.mask == [1, 1, 1, 1, 1])
    #expect(try tokenizer.encode(text, length: 2).tokens == [101, 102])
    #expect(throws: PackError.self) { try tokenizer.encode(text, length: 1) }
  }

  @Test func decodes() throws {
    let tokenizer = try WordPieceTokenizer([
      "[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##able", "to", ".",
    ])
    #expect(tokenizer.decode([2, 4, 5, 6, 7, 3, 0, 99]) == "unable to .")
    #expect(try tokenizer.encode("Unable to? Toable") == [2, 4, 5, 6, 1, 6, 5, 3])
  }

  @Test func keepsCaseWhereTheModelDoes() throws {
    let pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "É", "e", "é"]
    let cased = try WordPieceTokenizer(pieces, isLowercasing: false)
    #expect(try cased.encode("É é e") == [2, 4, 6, 5, 3])
    #expect(try WordPieceTokenizer(pieces).encode("É é e") == [2, 5, 5, 5, 3])
  }

  @Test func readsFiles() throws {
    try TestFolder.temporary { folder in
      func read(_ name: String, _ text: String) throws -> any Tokenizer {
        try AtomicFile.write(text, to: "\(folder)/\(name)")
        return try TokenizerFile.read("\(folder)/\(name)")
      }
      let text = "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\na\r\n"
      let lines = try read("vocab.txt", text)
      #expect(try lines.encode("a") == [2, 4, 3])
      let vocabulary = "{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":3,\"[SEP]\":2,\"A\":4}"
      let json =
        "{\"normalizer\":{\"lowercase\":false},\"model\":{\"type\":\"WordPiece\",\"vocab\":\(vocabulary)}}"
      let object = try read("tokenizer.json", json)
      #expect(try object.encode("A") == [3, 4, 2])
      for bad in [
        json.replacing("WordPiece", with: "BPE"), json.replacing(":4", with: ":5"),
        json.replacing(":4", with: ":3"), json.replacing("[CLS]", with: "CLS"), "{}", "{\"model\":[]}",
      ] {
        #expect(throws: PackError.self, "\(bad)") { try read("tokenizer.json", bad) }
      }
      #expect(throws: PackError.self) { try read("vocab.txt", "a\nb\n") }
      #expect(throws: PackError.self) { try read("words.dat", "a") }
      #expect(throws: PackError.self) { try read("vocab.json", "[1, 2]") }
    }
  }
}
