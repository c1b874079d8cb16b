import AbacusPack
import ToolSupport

/// stories260K: calibrated with stories of its own or of ours, so that nothing is known of what it is
/// judged by.
struct StoryRows {
  let bench: Bench
  private let name = "stories260k"
  private let context = 256
  private let settings = [
    "num_attention_heads": "8", "rms_norm_eps": "1e-5", "rope_theta": "10000", "rope_interleave": "true",
  ]
  private let variants: [(context: Int, name: String, change: @Sendable (inout QuantizeOptions) -> Void)] = [
    (256, "int16 below 30 dB", { $0.wideBelow = 30 }),
    (256, "int16 below 40 dB", { $0.wideBelow = 40 }),
    (128, "int16 below 30 dB", { $0.wideBelow = 30 }),
    (256, "weights of 4 bits, groups of 32", { $0.weightFormat = LanguageModel.fours }),
    (256, "weights of 4 bits, groups of 32, but for the last", { $0.weightFormat = LanguageModel.fours; $0.keepsEnds = true }),
    (256, "weights of 4 bits, groups of 32, int16 below 40 dB", { $0.weightFormat = LanguageModel.fours; $0.wideBelow = 40 }),
  ]
  /// The token that texts begin with.
  private let beginning = 1

  func measure() throws {
    let weights = Places.shared("\(name)/stories260k.safetensors")
    let golden = Places.shared("\(name)/golden_greedy_fp32.npz")
    try bench.needing(name, weights, golden, Places.shared("\(name)/tok512.bin")) {
      let model = try LanguageModel(weights, settings: settings, tokens: context)
      let own = try write(4, with: model)
      let ours = try text(with: model)
      let archive = try NumPyArchive(golden)
      let logits = try archive.array("logits")
      let float = try (0..<logits.shape[0]).map { try logits.row($0).floats() }
      let sequence = try archive.sequences("ids")[0].dropLast()
      for (stories, source) in [(own, "calibrated with its own stories"), (ours, "calibrated with stories.txt")] {
        for (context, form, change) in variants {
          let variant = "\(form), context \(context), \(source)"
          try bench.needing("\(name), \(variant)") {
            let packed = try model.pack(context: context, calibratedOn: stories, change)
            let forced = try LanguageModel.integerLogits(packed.blob, Array(sequence.prefix(context)))
            try bench.addTokens(
              name, variant, "golden, teacher-forced", packed, forced, float: Array(float.prefix(forced.count)))
          }
        }
      }
    }
  }

  /// Windows of the stories that we wrote, as `abacus pack --tokenizer` takes them.
  private func text(with model: LanguageModel) throws -> [[Int]] {
    let reader = try SampleReader(
      Places.stories, inputs: model.graph.inputs.map { model.graph.tensors[$0] },
      tokenizer: try TokenizerFile.read(Places.shared("\(name)/tok512.bin")))
    return try (0..<reader.count).map { try reader.sample($0)[0].map { Int($0) } }
  }

  /// Sequences sampled from the float model at temperature 1.
  private func write(_ count: Int, with model: LanguageModel) throws -> [[Int]] {
    let (beginning, context) = (beginning, context)
    return try bench.forEach((0..<count).map { [$0] }, "stories to calibrate with") { seed in
      var sampler = try Sampler(temperature: 1, seed: UInt64(seed[0]))
      var story = [beginning]
      while story.count < context {
        let logits = try model.floatLogits(story)[story.count - 1]
        story.append(sampler.choose(logits.map(Double.init)))
      }
      return story
    }
  }
}
