import AbacusPack
import ToolSupport

/// stories260K: calibrated with stories of its own, so that nothing is known of what it is judged by.
struct StoryRows {
  let bench: Bench
  private let name = "stories260k"
  private let context = 256
  private let settings = [
    "num_attention_heads": "8", "rms_norm_eps": "1e-5", "rope_theta": "10000", "rope_interleave": "true",
  ]
  /// The token that texts begin with.
  private let beginning = 1

  func measure() throws {
    let weights = Places.shared("\(name)/stories260k.safetensors")
    let golden = Places.shared("\(name)/golden_greedy_fp32.npz")
    try bench.needing(name, weights, golden) {
      let model = try LanguageModel(weights, settings: settings, tokens: context)
      let stories = try write(4, with: model)
      let archive = try NumPyArchive(golden)
      let logits = try archive.array("logits")
      let float = try (0..<logits.shape[0]).map { try logits.row($0).floats() }
      let sequence = try archive.sequences("ids")[0].dropLast()
      for (context, decibels) in [(context, 30.0), (context, 40), (context / 2, 30)] {
        let packed = try model.pack(context: context, calibratedOn: stories) { $0.wideBelow = decibels }
        let forced = try LanguageModel.integerLogits(packed.blob, Array(sequence.prefix(context)))
        bench.addTokens(
          name, "int16 below \(Int(decibels)) dB, context \(context)", "golden, teacher-forced", packed, forced,
          float: Array(float.prefix(forced.count)))
      }
    }
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
