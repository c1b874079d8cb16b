import AbacusPack
import ArgumentParser
import Foundation

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Let a language model continue a text.",
    discussion: """
      MODEL was packed with --context. The text appears as it is written; remarks go to the standard
      error. On a board the highest logit is taken, and tokens and logits must equal this machine's,
      byte for byte.

      Examples:
        abacus generate model.abm --tokenizer vocab.json --prompt "ROMEO:" --tokens 120
        abacus generate model.abm --tokenizer tok512.bin --temperature 0.8 --top-k 40 --seed 7
        abacus generate model.abm --tokenizer vocab.json --prompt "ROMEO:" --board mps2-an386
      """)

  @Argument(help: "A packed language model.")
  var blob: String

  @Option(help: ArgumentHelp("\(TokenizerFile.kinds).", valueName: "file"))
  var tokenizer: String

  @Option(help: ArgumentHelp("The beginning of the text.", valueName: "text"))
  var prompt = ""

  @Option(help: ArgumentHelp("How many tokens to write; as many as the context has room for unless given.", valueName: "n"))
  var tokens: Int?

  @Option(help: "0 takes the highest logit; 1 draws from the model's own distribution.")
  var temperature = 0.0

  @Option(help: ArgumentHelp("Draw from so many of the highest logits.", valueName: "k"))
  var topK: Int?

  @Option(help: "The same seed draws the same text.")
  var seed: UInt64?

  @Option(help: "Let an emulated board write: a folder of Targets, such as mps2-an386.")
  var board: String?

  @OptionGroup var boardOptions: BoardOptions

  @Flag(help: "Print everything as JSON.")
  var json = false

  func validate() throws {
    guard tokens.map({ $0 > 0 }) ?? true, topK.map({ $0 > 0 }) ?? true else {
      throw ValidationError("--tokens and --top-k are positive.")
    }
    guard temperature.isFinite, temperature >= 0 else { throw ValidationError("--temperature is 0 or more.") }
    guard temperature > 0 || topK == nil && seed == nil else {
      throw ValidationError("--top-k and --seed want a --temperature above 0.")
    }
    guard board == nil || temperature == 0 else {
      throw ValidationError("A board takes the highest logit: --board goes without --temperature.")
    }
    guard board != nil || boardOptions.isEmpty else {
      throw ValidationError("--ram, --flash and --dedicated want a --board.")
    }
  }

  func run() throws {
    let (model, bytes, description) = try openModel(blob)
    let language = try LanguageModel(model, description, name: blob)
    let words = try TokenizerFile.read(tokenizer)
    guard words.vocabularySize == language.vocabularySize else {
      throw PackError(
        .file,
        "\(tokenizer) has \(words.vocabularySize) tokens, but \(blob) gives logits for \(language.vocabularySize)")
    }
    let beginning = try words.encode(prompt)
    let room = try language.room(after: beginning)
    let count = min(tokens ?? room, room)

    let output = TextOutput(words, prompt: beginning, isSilent: json)
    let clock = ContinuousClock(), start = clock.now
    var emulation: EmulationResult?
    if let board {
      emulation = try boardOptions.emulate(
        bytes, description, on: try Board.named(board), samples: beginning.map(language.input),
        continuation: Continuation(choices: count, stops: words.endTokens, onChoice: output.add))
    }
    let sampler = try Sampler(temperature: temperature, topK: topK, seed: seed ?? 0)
    let continued = try language.continued(
      beginning, count: count, stops: words.endTokens, sampler: sampler, onChoice: board == nil ? output.add : { _ in })
    let seconds = (clock.now - start) / .seconds(1)
    output.finish()
    if let emulation { try compare(emulation, with: continued) }

    let report = GenerationReport(
      promptTokens: beginning, tokens: continued.choices, text: words.decode(beginning + continued.choices),
      end: continued.choices.last.map(words.endTokens.contains) == true ? .endToken : count == tokens ? .count : .context,
      tokensPerSecond: board == nil ? Double(continued.outputs.count) / seconds : nil,
      emulation: emulation.map { .init(board: board ?? "", $0) })
    if json { return try printJSON(report) }
    remark(report.remark(contextLength: language.contextLength))
    if let board, let emulation { print("\n" + table(board, emulation), terminator: "") }
  }

  private func compare(_ emulation: EmulationResult, with host: LanguageModel.Continued) throws {
    guard emulation.choices == host.choices, emulation.outputs == host.outputs.map({ [$0] }) else {
      throw PackError(.mismatch, "\(board ?? "the board") computes other tokens or logits than this machine")
    }
  }

  private func table(_ board: String, _ emulation: EmulationResult) -> String {
    let instructions = emulation.runInstructions.sorted()
    var table = emulation.table(board: board)
    for (name, value) in [
      ("fewest", instructions[0]), ("median", instructions[instructions.count / 2]), ("most", instructions.last ?? 0),
    ] {
      table.add("instructions per token, \(name)", NumberText.grouped(value))
    }
    return table.text + "tokens and logits byte-identical to this machine's\n"
  }

  private func remark(_ text: String) {
    FileHandle.standardError.write(Data("\(text)\n".utf8))
  }
}

/// Writes text to the standard output token by token.
private final class TextOutput {
  private var stream: TokenStream
  /// The text of the prompt, until the first token follows it.
  private var prompt: String
  private let isSilent: Bool
  private let isTerminal = Terminal.isTerminal(1)
  private var endsInNewline = false

  init(_ tokenizer: any Tokenizer, prompt: [Int], isSilent: Bool) {
    var stream = TokenStream(tokenizer)
    self.prompt = prompt.map { stream.append($0) }.joined()
    self.stream = stream
    self.isSilent = isSilent
  }

  func add(_ token: Int) {
    write(prompt + stream.append(token))
    prompt = ""
  }

  /// Ends the last line.
  func finish() {
    write(stream.finish())
    if !endsInNewline { write("\n") }
  }

  private func write(_ text: String) {
    guard !isSilent, !text.isEmpty else { return }
    endsInNewline = text.last == "\n"
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let shown = isTerminal ? lines.map { Terminal.harmless(String($0)) }.joined(separator: "\n") : text
    FileHandle.standardOutput.write(Data(shown.utf8))
  }
}

/// What was written and what it took.
private struct GenerationReport: Encodable {
  enum End: String, Encodable { case count, endToken, context }

  struct Emulation: Encodable {
    var board: String
    var flashBytes: Int
    var ramBytes: Int
    var arenaBytes: Int
    var stackBytes: Int
    var openInstructions: Int
    /// For each token that was read.
    var runInstructions: [Int]

    init(board: String, _ result: EmulationResult) {
      self.board = board
      flashBytes = result.flashBytes
      ramBytes = result.ramBytes
      arenaBytes = result.arenaBytes
      stackBytes = result.stackBytes
      openInstructions = result.openInstructions
      runInstructions = result.runInstructions
    }
  }

  var promptTokens: [Int]
  var tokens: [Int]
  /// With the prompt.
  var text: String
  var end: End
  /// Of this machine, those of the prompt included.
  var tokensPerSecond: Double?
  var emulation: Emulation?

  func remark(contextLength: Int) -> String {
    let count = tokens.count == 1 ? "1 token written" : "\(NumberText.grouped(tokens.count)) tokens written"
    let speed = tokensPerSecond.map { ", \(NumberText.grouped(Int($0))) tokens a second" } ?? ""
    switch end {
    case .count: return count + speed
    case .endToken: return count + speed + "; the model ended the text"
    case .context: return count + speed + "; the context of \(NumberText.grouped(contextLength)) tokens is full"
    }
  }
}
