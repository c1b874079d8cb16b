import AbacusPack
import Foundation
import Testing

/// `abacus generate` with our own language model.
@Suite struct CommandTestsGenerate {
  private struct Report: Decodable {
    struct Emulation: Decodable {
      var board: String
      var flashBytes, ramBytes, arenaBytes, stackBytes, openInstructions: Int
      var runInstructions: [Int]
    }
    var promptTokens, tokens: [Int]
    var text, end: String
    var tokensPerSecond: Double?
    var emulation: Emulation?
  }

  private static let llama = Paths.golden("models/shakespeare-llama")
  private static let prompt = "ROMEO:\n"

  /// The command bench with the language model in it, as llama.abm.
  private func use(context: Int = 64, _ body: (CommandBench) throws -> Void) throws {
    try CommandBench.use { bench in
      _ = try bench.answer(
        "pack", Self.llama, "--calibrate", "\(Self.llama)/calibration.txt", "--tokenizer", Self.llama, "--samples", "4",
        "--context", "\(context)", "-o", "llama.abm")
      try body(bench)
    }
  }

  private func arguments(_ more: [String], prompt: String = prompt) -> [String] {
    ["generate", "llama.abm", "--tokenizer", "\(Self.llama)/vocab.json", "--prompt", prompt] + more
  }

  private func report(_ bench: CommandBench, _ more: String...) throws -> Report {
    let outcome = try bench.run(arguments(more + ["--json"]))
    try #require(outcome.succeeded && outcome.errors == "", "\(outcome.report)")
    return try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
  }

  /// Greedily, what the float model writes, up to where that hesitates between two tokens.
  @Test func writesWhatTheFloatModelWrites() throws {
    let golden = try NumPyArchive("\(Self.llama)/golden.npz")
    let wanted = try golden.array("tokens").int64s().map { Int($0) }
    let logits = try golden.array("logits").floats()
    try use { bench in
      let report = try report(bench, "--tokens", "40")
      #expect(try report.promptTokens == golden.array("prompt").int64s().map { Int($0) })
      #expect(report.tokens.count == 40 && report.end == "count" && report.emulation == nil)
      #expect((report.tokensPerSecond ?? 0) > 0)
      if let first = zip(report.tokens, wanted).enumerated().first(where: { $1.0 != $1.1 })?.offset {
        let best = logits[65 * first..<65 * (first + 1)].sorted(by: >)
        #expect(best[0] - best[1] < 0.5, "token \(first)")
      }
      // As text, and with a line that ends.
      let outcome = try bench.run(arguments(["--tokens", "40"]))
      #expect(outcome.succeeded && outcome.output.hasPrefix("ROMEO:\nI will "))
      #expect(outcome.output.trimmingCharacters(in: .newlines) == report.text.trimmingCharacters(in: .newlines))
      #expect(outcome.output.last == "\n")
      #expect(outcome.errors.hasPrefix("40 tokens written, ") && outcome.errors.hasSuffix(" tokens a second\n"))
    }
  }

  @Test func stopsWhereTheContextIsFull() throws {
    try use(context: 16) { bench in
      for more in [[], ["--tokens", "1000"]] {
        let outcome = try bench.run(arguments(more))
        #expect(outcome.succeeded && outcome.errors.hasPrefix("10 tokens written, "), "\(outcome.report)")
        #expect(outcome.errors.hasSuffix("; the context of 16 tokens is full\n"))
      }
      #expect(try report(bench, "--tokens", "10").end == "count")
      let whole = try report(bench)
      #expect(whole.end == "context" && whole.tokens.count == 10)
      // The last choice is there without having been read: a full prompt still has one.
      #expect(try bench.run(arguments([], prompt: String(repeating: "a", count: 16))).errors.hasPrefix("1 token written"))
      try bench.refuses(
        arguments([], prompt: String(repeating: "a", count: 17)), .doesNotFit, saying: "17 tokens", "16 at most")
      try bench.refuses(arguments([], prompt: ""), .file, saying: "the prompt is empty")
    }
  }

  @Test func seedsDrawTheSame() throws {
    try use { bench in
      func draw(_ seed: String, _ more: String...) throws -> [Int] {
        let outcome = try bench.run(arguments(["--temperature", "1", "--seed", seed, "--json"] + more))
        return try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8)).tokens
      }
      let first = try draw("1"), again = try draw("1"), other = try draw("2")
      #expect(first == again && first != other)
      // The highest alone is what no temperature takes.
      let highest = try draw("1", "--top-k", "1"), greedy = try report(bench).tokens
      #expect(highest == greedy)
    }
  }

  @Test func refusals() throws {
    try use { bench in
      try bench.folder.write(#"["a", "b", "c"]"#, to: "vocab.json")
      func refuses(
        _ model: String, _ tokenizer: String, _ kind: PackError.Kind, _ word: String
      ) throws {
        try bench.refuses(["generate", model, "--tokenizer", tokenizer, "--prompt", "a"], kind, saying: word)
      }
      try refuses("llama.abm", "vocab.json", .file, "vocab.json has 3 tokens, but llama.abm gives logits for 65")
      try refuses("model.abm", "vocab.json", .unsupported, "pack a language model with --context")
      try refuses("llama.abm", "none.json", .file, "none.json: no such file")
      try refuses("text.txt", "vocab.json", .malformed, "text.txt: not an Abacus model")
      try bench.refuses(arguments([], prompt: "Zo\u{EB}"), .file, saying: "\u{EB}")
      try bench.refuses(arguments(["--board", "abacus"]), .unsupported, saying: "there is no board abacus")
      try bench.refuses(arguments(["--board", "microbit"]), .doesNotFit, saying: "microbit")
    }
  }

  @Test func usage() throws {
    try CommandBench.use { bench in
      for (more, word) in [
        (["--top-k", "4"], "--temperature"), (["--seed", "4"], "--temperature"), (["--tokens", "0"], "positive"),
        (["--temperature", "nan"], "0 or more"), (["--temperature", "1", "--board", "mps2-an386"], "--board"),
        (["--dedicated"], "--board"), (["--ram", "16K"], "--board"),
      ] {
        try bench.refusesUsage(arguments(more), saying: word)
      }
    }
  }

  /// Token by token, and logit by logit (the command compares these), what this machine writes.
  @Test func boardWritesTheSame() throws {
    try use { bench in
      let here = try report(bench, "--tokens", "20")
      let there = try report(bench, "--tokens", "20", "--board", "mps2-an386")
      #expect(there.tokens == here.tokens && there.text == here.text && there.tokens.count == 20)
      #expect(there.tokensPerSecond == nil)
      let emulation = try #require(there.emulation)
      #expect(emulation.board == "mps2-an386")
      // The seven tokens of the prompt and all that were written but the last.
      #expect(emulation.runInstructions.count == 26 && emulation.runInstructions.allSatisfy { $0 > 394_560 / 2 })
      #expect(emulation.ramBytes >= emulation.arenaBytes + emulation.stackBytes && emulation.stackBytes > 0)

      let outcome = try bench.run(arguments(["--tokens", "20", "--board", "mps2-an386", "--dedicated"]))
      #expect(outcome.succeeded && outcome.output.hasPrefix(here.text), "\(outcome.report)")
      #expect(outcome.output.hasSuffix("tokens and logits byte-identical to this machine's\n"))
      #expect(outcome.output.contains("instructions per token, median"))
    }
  }
}
