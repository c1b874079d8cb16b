import AbacusFormat
import AbacusRuntime
import Foundation
import Testing

@testable import AbacusPack

/// A language model on this machine and on a board.
@Suite(.enabled(if: ReleaseCommand.exists, ReleaseCommand.hint)) struct LanguageModelTests {
  private let prompt = [30, 27, 25, 17, 27, 10, 0]

  /// Our language model with room for 32 tokens.
  private func blob() throws -> [UInt8] {
    let llama = TestFolder.golden("models/shakespeare-llama")
    return try TestFolder.temporary { folder in
      try ReleaseCommand.run(
        "pack", llama, "--calibrate", "\(llama)/calibration.txt", "--tokenizer", "\(llama)/vocab.json",
        "--samples", "4", "--context", "32", "-o", "\(folder)/llama.abm")
      return try readFile("\(folder)/llama.abm")
    }
  }

  private func language(_ blob: [UInt8]) throws -> LanguageModel {
    try LanguageModel(try Model(blob), try BlobDescription(blob, name: "llama"), name: "llama")
  }

  @Test func readsAndChooses() throws {
    let language = try language(try blob())
    #expect(language.contextLength == 32 && language.vocabularySize == 65)
    #expect(try language.room(after: prompt) == 26)
    #expect(try language.room(after: Array(repeating: 1, count: 32)) == 1)
    #expect(throws: PackError.self) { try language.room(after: Array(repeating: 1, count: 33)) }
    var heard: [Int] = []
    let whole = try language.continued(prompt, count: 26, stops: [], sampler: try Sampler()) { heard.append($0) }
    #expect(whole.choices.count == 26 && heard == whole.choices && whole.outputs.count == 32)
    // Every call begins with an empty cache.
    let part = try language.continued(prompt, count: 3, stops: [], sampler: try Sampler())
    #expect(part.choices == Array(whole.choices.prefix(3)) && part.outputs == Array(whole.outputs.prefix(9)))
    // One more than there is room for is the runtime's to refuse.
    #expect(throws: Status.lengthLimit) {
      try language.continued(prompt, count: 27, stops: [], sampler: try Sampler())
    }
  }

  @Test func boardChoosesTheSameAndStops() throws {
    let blob = try blob()
    let language = try language(blob)
    let host = try language.continued(prompt, count: 12, stops: [], sampler: try Sampler())
    let stop = host.choices[5]
    let length = try #require(host.choices.firstIndex(of: stop)) + 1
    let emulator = try Emulator(board: try Board.named("mps2-an386"))
    let cases: [(Set<Int>, Int)] = [([], 12), (Set([stop]), length), (Set([-1, 64, stop]), length)]
    for (stops, length) in cases {
      var heard: [Int] = []
      let result = try emulator.run(
        blob: blob, samples: prompt.map(language.input),
        continuation: Continuation(choices: 12, stops: stops) { heard.append($0) })
      #expect(result.choices == Array(host.choices.prefix(length)) && heard == result.choices)
      #expect(result.outputs == host.outputs.prefix(prompt.count + length - 1).map { [$0] })
      #expect(result.runInstructions.count == result.outputs.count)
    }
  }
}
