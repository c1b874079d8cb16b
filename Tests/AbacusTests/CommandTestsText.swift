import AbacusPack
import Foundation
import Testing

/// `abacus pack --calibrate TEXT --tokenizer FILE` with our own language model.
@Suite struct CommandTestsText {
  private static let llama = Paths.golden("models/shakespeare-llama")

  private func pack(_ more: String...) -> [String] {
    ["pack", Self.llama, "--context", "32", "-o", "llama.abm"] + more
  }

  /// A text is the same as the numbers of its characters.
  @Test func textOrTokens() throws {
    try CommandBench.use { bench in
      let text = String(decoding: try Data(contentsOf: URL(filePath: "\(Self.llama)/calibration.txt")), as: UTF8.self)
      let tokens = try TokenizerFile.read(Self.llama).encode(text)
      #expect(tokens.count == 32 * 256)
      let array = try NumericArray(shape: [32, 256], type: .uint8, bytes: tokens.map { UInt8($0) })
      try NumPyFile.write(array, to: bench.folder.path(of: "tokens.npy"))
      func blob(_ samples: String...) throws -> [UInt8] {
        let outcome = try bench.run(pack("--samples", "3") + samples)
        try #require(outcome.succeeded, "\(outcome.report)")
        return try bench.bytes("llama.abm")
      }
      let fromText = try blob("--calibrate", "\(Self.llama)/calibration.txt", "--tokenizer", "\(Self.llama)/vocab.json")
      let fromTokens = try blob("--calibrate", "tokens.npy")
      #expect(fromText == fromTokens)
    }
  }

  @Test func refusals() throws {
    try CommandBench.use { bench in
      let vocabulary = ["--tokenizer", "\(Self.llama)/vocab.json"]
      try bench.folder.write(String(repeating: "To be\n", count: 100) + "or Zo\u{EB}", to: "odd.txt")
      try bench.refuses(pack("--calibrate", "odd.txt"), .file, saying: "odd.txt: a text needs --tokenizer")
      try bench.refuses(
        pack("--calibrate", "odd.txt") + vocabulary, .file, saying: "odd.txt: line 101, column 6", "\u{EB}")
      try bench.refuses(pack("--calibrate", "text.txt") + vocabulary, .file, saying: "text.txt", "reads 256 at a time")
      try bench.refuses(pack("--calibrate", "zeros.npy") + vocabulary, .file, saying: "zeros.npy: is no text")
      try bench.refuses(pack("--calibrate", "none.txt") + vocabulary, .file, saying: "none.txt: no such file")
      try bench.refuses(
        pack("--calibrate", "text.txt", "--tokenizer", "text.json"), .file, saying: "text.json: no such file")
      try bench.refuses(
        ["pack", Paths.golden("models/fmnist-vit"), "-o", "vit.abm", "--calibrate", "text.txt"] + vocabulary, .file,
        saying: "text.txt: a text is for models that read one sequence of token ids", "float32")
      try bench.refusesUsage(pack() + vocabulary, saying: "--calibrate")
    }
  }
}
