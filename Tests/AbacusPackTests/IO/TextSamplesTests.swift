import Foundation
import Testing

@testable import AbacusPack

/// Texts as samples of models that read tokens.
@Suite struct TextSamplesTests {
  private let characters = try! CharacterTokenizer(["\n", " ", "a", "b", "c"])
  private let words = try! WordPieceTokenizer(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##able", "to", "."])

  private func tensor(_ name: String, _ length: Int, _ type: DataType = .int32) -> Tensor {
    Tensor(name: name, shape: [1, length], type: type)
  }

  private func reader(
    _ text: String, _ inputs: [Tensor], _ tokenizer: any Tokenizer, name: String = "text.txt"
  ) throws -> SampleReader {
    try TestFolder.temporary { folder in
      try Data(text.utf8).write(to: URL(filePath: "\(folder)/\(name)"))
      return try SampleReader("\(folder)/\(name)", inputs: inputs, tokenizer: tokenizer)
    }
  }

  private func samples(_ reader: SampleReader) throws -> [[[Float]]] {
    try (0..<reader.count).map { try reader.sample($0) }
  }

  @Test func decodersReadWindows() throws {
    let input = tensor("tokens", 3, .int64)
    let whole = try reader("abc\nba", [input], characters)
    #expect(whole.isPixels == [false])
    #expect(try samples(whole) == [[[2, 3, 4]], [[0, 3, 2]]])
    // The last window is as long as the others and ends with the text.
    #expect(try samples(reader("abc\nb", [input], characters)) == [[[2, 3, 4]], [[4, 0, 3]]])
    #expect(try samples(reader("abc", [input], characters)) == [[[2, 3, 4]]])
    // A byte order mark is no character of the text, and the name of the file does not matter.
    #expect(try samples(reader("\u{FEFF}abc", [input], characters, name: "story")) == [[[2, 3, 4]]])
  }

  @Test func windowsBeginAsTextsDo() throws {
    let tokenizer = try MergeTokenizer(MergeTokenizerTests.file(MergeTokenizerTests.pieces), name: "v")
    let text = "abc b bc"
    #expect(try tokenizer.encode(text) == [1, 259, 265, 259, 261, 259, 264])
    let read = try samples(reader(text, [tensor("tokens", 4)], tokenizer))
    #expect(read == [[[1, 259, 265, 259]], [[1, 261, 259, 264]]])
    let five = try samples(reader(text, [tensor("tokens", 5)], tokenizer))
    #expect(five == [[[1, 259, 265, 259, 261]], [[1, 259, 261, 259, 264]]])
  }

  /// A line is a sentence; mask, types and positions are told by their names.
  @Test func encodersReadLines() throws {
    let inputs = [
      tensor("attention_mask", 6), tensor("input_ids", 6), tensor("token_type_ids", 6), tensor("position_ids", 6),
    ]
    let text = "unable to.\r\n\n   \nto to to to to\nto"
    let read = try samples(reader(text, inputs, words))
    let (types, positions): ([Float], [Float]) = ([0, 0, 0, 0, 0, 0], [0, 1, 2, 3, 4, 5])
    #expect(
      read == [
        [[1, 1, 1, 1, 1, 1], [2, 4, 5, 6, 7, 3], types, positions],
        [[1, 1, 1, 1, 1, 1], [2, 6, 6, 6, 6, 3], types, positions],
        [[1, 1, 1, 0, 0, 0], [2, 6, 3, 0, 0, 0], types, positions],
      ])
    // The only input has the tokens, whatever its name.
    #expect(try samples(reader("to", [tensor("type", 4)], words)) == [[[2, 6, 3, 0]]])
  }

  @Test func refuses() throws {
    func message(_ text: String, _ inputs: [Tensor], _ tokenizer: any Tokenizer) -> String {
      let error = #expect(throws: PackError.self) { try reader(text, inputs, tokenizer) }
      #expect(error?.kind == .file && error?.description.contains("text.txt") == true)
      return error?.description ?? ""
    }
    let input = tensor("tokens", 3)
    #expect(message("abc\nbxa", [input], characters).contains("line 2, column 2: the model does not know the character \"x\""))
    #expect(message("ab", [input], characters).contains("has 2 tokens, but the model reads 3 at a time"))
    #expect(message("", [input], characters).contains("is empty"))
    #expect(message(" \n\n", [tensor("ids", 4)], words).contains("no line"))
    // Models that read something else.
    for inputs in [
      [Tensor(name: "image", shape: [1, 2, 3, 1], type: .float32)], [tensor("a", 3), tensor("b", 3)],
      [tensor("a", 3), tensor("mask", 4)], [tensor("type", 3), tensor("mask", 3)],
      [Tensor(name: "two", shape: [2, 3], type: .int32)], [],
    ] {
      #expect(message("abc", inputs, characters).contains("one sequence of token ids"))
    }
    try TestFolder.temporary { folder in
      try Data("abc".utf8).write(to: URL(filePath: "\(folder)/a.TXT"))
      let untold = #expect(throws: PackError.self) { try SampleReader("\(folder)/a.TXT", inputs: [input]) }
      #expect(untold?.description.contains("a text needs --tokenizer") == true)
      try NumPyFile.write(NumericArray(floats: [1, 2, 3], shape: [1, 3]), to: "\(folder)/x.npy")
      let array = #expect(throws: PackError.self) {
        try SampleReader("\(folder)/x.npy", inputs: [input], tokenizer: characters)
      }
      #expect(array?.description.contains("is no text: byte 0 is not UTF-8") == true)
      try Data([97, 98, 0xC3, 0x28]).write(to: URL(filePath: "\(folder)/b.txt"))
      let broken = #expect(throws: PackError.self) {
        try SampleReader("\(folder)/b.txt", inputs: [input], tokenizer: characters)
      }
      #expect(broken?.description.contains("b.txt: is no text: byte 2 is not UTF-8") == true)
      #expect(throws: PackError.self) { try SampleReader(folder, inputs: [input], tokenizer: characters) }
    }
  }

  /// What does not fit is found where it is needed: the sequence has no room for [CLS] and [SEP].
  @Test func shortSequences() throws {
    let reader = try reader("to", [tensor("ids", 1)], words)
    #expect(throws: PackError.self) { try reader.sample(0) }
  }

  /// The stories that we wrote make several windows for stories260K.
  @Test(.enabled(if: TestFolder.shared != nil, "the shared models are not here"))
  func stories() throws {
    let tokenizer = try TokenizerFile.read(try TestFolder.model("stories260k"))
    let reader = try SampleReader(
      TestFolder.golden("stories.txt"), inputs: [tensor("tokens", 256)], tokenizer: tokenizer)
    #expect(reader.count >= 4)
    let first = try reader.sample(0)[0].map { Int($0) }
    #expect(first[0] == 1)
    #expect(tokenizer.decode(first).hasPrefix("Once upon a time, there was a little boy named Ben. "))
  }
}
