import Foundation
import Testing

@testable import AbacusPack

/// Small models with random weights under all the names that are known.
@Suite struct HuggingFaceImporterTests {
  private func evaluate(_ graph: Graph, _ inputs: [[Float]]) throws -> [Float] {
    let samples = zip(graph.inputs, inputs).map {
      FloatTensor(shape: graph.tensors[$0].shape, values: $1)
    }
    return try FloatEvaluator(graph).evaluate(samples)[0].values
  }

  private func message(_ body: () throws -> Graph) -> String {
    do {
      _ = try body()
      return "accepted"
    } catch {
      return "\(error)"
    }
  }

  private func isClose(_ a: [Float], _ b: [Float]) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { ($0 - $1).magnitude < 1e-5 }
  }

  // MARK: Vision transformers

  static let visionConfiguration = "{\"num_heads\": 2}"

  /// timm's names: 2 blocks, width 8, images 6 x 4 x 3 in patches of 2 x 2.
  private func vision(isDistilled: Bool = false) -> SafeTensorsWriter {
    var weights = SafeTensorsWriter()
    func linear(_ name: String, _ outputs: Int, _ inputs: Int) {
      weights.add("\(name).weight", random: [outputs, inputs])
      weights.add("\(name).bias", random: [outputs])
    }
    func norm(_ name: String) {
      weights.add("\(name).weight", random: [8], around: 1)
      weights.add("\(name).bias", random: [8])
    }
    weights.add("patch_embed.proj.weight", random: [8, 3, 2, 2])
    weights.add("patch_embed.proj.bias", random: [8])
    weights.add("cls_token", random: [1, 1, 8])
    weights.add("pos_embed", random: [1, isDistilled ? 8 : 7, 8])
    for block in ["blocks.0", "blocks.1"] {
      norm("\(block).norm1")
      linear("\(block).attn.qkv", 24, 8)
      linear("\(block).attn.proj", 8, 8)
      norm("\(block).norm2")
      linear("\(block).mlp.fc1", 12, 8)
      linear("\(block).mlp.fc2", 8, 12)
    }
    norm("norm")
    linear("head", 5, 8)
    if isDistilled {
      weights.add("dist_token", random: [1, 1, 8])
      linear("head_dist", 5, 8)
    }
    return weights
  }

  /// The same weights under the names of transformers.
  private func renamed(_ timm: SafeTensorsWriter, prefix: String) -> SafeTensorsWriter {
    var result = SafeTensorsWriter()
    let isDistilled = timm.tensors["dist_token"] != nil
    let modules = [
      ("patch_embed.proj", "\(prefix)embeddings.patch_embeddings.projection"),
      ("cls_token", "\(prefix)embeddings.cls_token"),
      ("dist_token", "\(prefix)embeddings.distillation_token"),
      ("pos_embed", "\(prefix)embeddings.position_embeddings"),
      ("blocks.", "\(prefix)encoder.layer."), (".norm1", ".layernorm_before"),
      (".norm2", ".layernorm_after"), (".attn.proj", ".attention.output.dense"),
      (".mlp.fc1", ".intermediate.dense"), (".mlp.fc2", ".output.dense"),
      ("head_dist", "distillation_classifier"), ("head", isDistilled ? "cls_classifier" : "classifier"),
    ]
    for (name, entry) in timm.tensors {
      var new = modules.reduce(name) { $0.replacing($1.0, with: $1.1) }
      if name.hasPrefix("norm.") { new = "\(prefix)layer\(name)" }
      guard name.contains("attn.qkv") else {
        result.tensors[new] = entry
        continue
      }
      let part = entry.bytes.count / 3
      for (index, role) in ["query", "key", "value"].enumerated() {
        result.tensors[new.replacing("attn.qkv", with: "attention.attention.\(role)")] = .init(
          type: "F32", shape: [8] + entry.shape.dropFirst(),
          bytes: Array(entry.bytes[index * part..<(index + 1) * part]))
      }
    }
    return result
  }

  @Test(arguments: [false, true]) func visionNamesMeanTheSame(isDistilled: Bool) throws {
    let timm = vision(isDistilled: isDistilled)
    let image = (0..<6 * 4 * 3).map { Float($0 % 7) - 3 }
    let settings = ["image_size": "[6,4]"]
    let first = try timm.graph(Self.visionConfiguration, overrides: settings)
    #expect(first.tensors[first.inputs[0]].shape == [1, 6, 4, 3])
    let wanted = try evaluate(first, [image])
    #expect(wanted.count == 5)
    for prefix in ["vit.", "deit.", ""] {
      let other = renamed(timm, prefix: prefix)
      let graph = try other.graph(
        "{\"num_attention_heads\": 2, \"layer_norm_eps\": 1e-6, \"image_size\": [6, 4]}")
      #expect(graph.nodes.map(\.operation) == first.nodes.map(\.operation))
      #expect(try evaluate(graph, [image]) == wanted)
    }
  }

  /// What the patches are convolved with is channels-last: checked by hand for one patch.
  @Test func patchesAreChannelsLast() throws {
    let graph = try vision().graph(Self.visionConfiguration, overrides: ["image_size": "[6,4]"])
    let values = try #require(vision().tensors["patch_embed.proj.weight"]).bytes
    let weights = graph.tensors[try #require(graph.nodes[0].inputs[1])]
    #expect(weights.shape == [8, 2, 2, 3])
    // Output 3, row 1, column 0, channel 2.
    let source = ((3 * 3 + 2) * 2 + 1) * 2
    let target = ((3 * 2 + 1) * 2) * 3 + 2
    #expect(weights.data?[4 * target..<4 * target + 4] == values[4 * source..<4 * source + 4])
  }

  @Test func visionRefusals() throws {
    func load(
      _ overrides: [String: String] = ["image_size": "[6,4]"],
      _ change: (inout SafeTensorsWriter) -> Void = { _ in }
    ) -> String {
      var weights = vision()
      change(&weights)
      return message { try weights.graph(Self.visionConfiguration, overrides: overrides) }
    }
    #expect(load() == "accepted")
    // Six patches are no square.
    #expect(load([:]).contains("image_size"))
    #expect(load(["image_size": "[6,5]"]).contains("whole number of patches"))
    #expect(load(["image_size": "[6,4]", "head": "2"]).contains("head"))
    #expect(load(["image_size": "[6,4]", "heads": "3"]).contains("3 heads"))
    #expect(load(["image_size": "[6,4]", "heads": "0"]).contains("whole number"))
    #expect(load(["image_size": "[6,4]", "eps": "small"]).contains("eps"))
    #expect(load(["image_size": "[6,4]", "hidden_act": "mish"]).contains("mish"))
    #expect(load(["image_size": "[6,4]", "global_pool": "avg"]).contains("global_pool"))
    #expect(load { $0.add("blocks.0.ls1.gamma", random: [8]) }.contains("blocks.0.ls1.gamma"))
    #expect(load { $0.tensors["blocks.1.mlp.fc2.weight"] = nil }.contains("blocks.1.mlp.fc2.weight"))
    #expect(load { $0.add("norm.weight", random: [9]) }.contains("norm.weight"))
    #expect(load { $0.add("blocks.0.mlp.fc1.weight", random: []) }.contains("blocks.0.mlp.fc1.weight"))
    #expect(load { $0.add("patch_embed.proj.weight", random: [8]) }.contains("patch_embed.proj.weight"))
    #expect(load { $0.tensors["head.weight"] = nil }.contains("head.weight"))
  }

  // MARK: BERT family

  static let bertConfiguration =
    "{\"model_type\": \"bert\", \"num_attention_heads\": 2, \"num_hidden_layers\": 2}"

  /// Width 8, 11 words, 6 positions.
  private func bert() -> SafeTensorsWriter { Self.bertWeights() }

  static func bertWeights() -> SafeTensorsWriter {
    var weights = SafeTensorsWriter()
    func linear(_ name: String, _ outputs: Int, _ inputs: Int) {
      weights.add("\(name).weight", random: [outputs, inputs])
      weights.add("\(name).bias", random: [outputs])
    }
    func norm(_ name: String) {
      weights.add("\(name).weight", random: [8], around: 1)
      weights.add("\(name).bias", random: [8])
    }
    weights.add("embeddings.word_embeddings.weight", random: [11, 8])
    weights.add("embeddings.position_embeddings.weight", random: [6, 8])
    weights.add("embeddings.token_type_embeddings.weight", random: [2, 8])
    norm("embeddings.LayerNorm")
    for layer in ["encoder.layer.0", "encoder.layer.1"] {
      for role in ["query", "key", "value"] { linear("\(layer).attention.self.\(role)", 8, 8) }
      linear("\(layer).attention.output.dense", 8, 8)
      norm("\(layer).attention.output.LayerNorm")
      linear("\(layer).intermediate.dense", 16, 8)
      linear("\(layer).output.dense", 8, 16)
      norm("\(layer).output.LayerNorm")
    }
    return weights
  }

  private let bertInputs: [[Float]] = [[3, 1, 4, 1, 0, 0], [1, 1, 1, 1, 0, 0]]

  @Test func bertNamesMeanTheSame() throws {
    let plain = bert()
    let wanted = try evaluate(plain.graph(Self.bertConfiguration), bertInputs)

    // With what is beside the encoder, and the old names of normalisation.
    var whole = SafeTensorsWriter()
    for (name, entry) in plain.tensors {
      let old = name.replacing("LayerNorm.weight", with: "LayerNorm.gamma")
        .replacing("LayerNorm.bias", with: "LayerNorm.beta")
      whole.tensors["bert.\(old)"] = entry
    }
    whole.add("bert.pooler.dense.weight", random: [8, 8])
    whole.add("cls.predictions.bias", random: [11])
    whole.tensors["bert.embeddings.position_ids"] = .init(
      type: "I64", shape: [1], bytes: [UInt8](repeating: 0, count: 8))
    #expect(try evaluate(whole.graph(Self.bertConfiguration), bertInputs) == wanted)

    // RoBERTa counts positions from padding + 1.
    var shifted = SafeTensorsWriter()
    for (name, entry) in plain.tensors { shifted.tensors["roberta.\(name)"] = entry }
    let positions = "roberta.embeddings.position_embeddings.weight"
    let table = try #require(shifted.tensors[positions])
    shifted.tensors[positions] = .init(
      type: "F32", shape: [8, 8], bytes: [UInt8](repeating: 1, count: 64) + table.bytes)
    let configuration = Self.bertConfiguration.replacing(
      "\"bert\"", with: "\"roberta\", \"pad_token_id\": 1")
    #expect(try evaluate(shifted.graph(configuration), bertInputs) == wanted)
  }

  /// DistilBERT has no token types: like BERT where those are zero.
  @Test func distilBERTIsBERT() throws {
    var plain = bert()
    plain.add("embeddings.token_type_embeddings.weight", [2, 8], [Float](repeating: 0, count: 16))
    var distilled = SafeTensorsWriter()
    let names = [
      ("encoder.layer", "transformer.layer"), ("attention.self.query", "attention.q_lin"),
      ("attention.self.key", "attention.k_lin"), ("attention.self.value", "attention.v_lin"),
      ("attention.output.dense", "attention.out_lin"), ("attention.output.LayerNorm", "sa_layer_norm"),
      ("intermediate.dense", "ffn.lin1"), ("output.dense", "ffn.lin2"),
      ("output.LayerNorm", "output_layer_norm"),
    ]
    for (name, entry) in plain.tensors where !name.contains("token_type") {
      distilled.tensors["distilbert." + names.reduce(name) { $0.replacing($1.0, with: $1.1) }] = entry
    }
    let graph = try distilled.graph("{\"model_type\": \"distilbert\", \"n_heads\": 2, \"n_layers\": 2}")
    #expect(try evaluate(graph, bertInputs) == evaluate(plain.graph(Self.bertConfiguration), bertInputs))
  }

  /// What is masked does not matter, and a shorter sequence gives the same for the same tokens.
  @Test func bertMaskHidesPadding() throws {
    let graph = try bert().graph(Self.bertConfiguration)
    let wanted = try evaluate(graph, bertInputs)
    var other = bertInputs
    other[0][4] = 9
    #expect(Array(try evaluate(graph, other).prefix(32)) == Array(wanted.prefix(32)))
    other[1][4] = 1
    #expect(Array(try evaluate(graph, other).prefix(32)) != Array(wanted.prefix(32)))
    let short = try bert().graph(Self.bertConfiguration, overrides: ["tokens": "4"])
    #expect(
      isClose(try evaluate(short, bertInputs.map { Array($0.prefix(4)) }), Array(wanted.prefix(32))))
  }

  @Test func bertRefusals() throws {
    func load(
      _ configuration: String = Self.bertConfiguration, _ overrides: [String: String] = [:],
      _ change: (inout SafeTensorsWriter) -> Void = { _ in }
    ) -> String {
      var weights = bert()
      change(&weights)
      return message { try weights.graph(configuration, overrides: overrides) }
    }
    #expect(load("{\"model_type\": \"electra\", \"num_attention_heads\": 2}").contains("electra"))
    #expect(load("{\"num_attention_heads\": 2, \"num_hidden_layers\": 3}").contains("2 layers"))
    #expect(load("{\"num_attention_heads\": true}").contains("num_attention_heads"))
    #expect(load("[]").contains("config.json"))
    #expect(load("{}").contains("add \"num_attention_heads\""))
    #expect(
      load(
        "{\"num_attention_heads\": 2, \"position_embedding_type\": \"relative_key\"}"
      ).contains("relative_key"))
    #expect(load(Self.bertConfiguration, ["is_decoder": "true"]).contains("is_decoder"))
    #expect(load(Self.bertConfiguration, ["tokens": "7"]).contains("6 positions"))
    #expect(load { $0.add("classifier.weight", random: [2, 8]) }.contains("classifier.weight"))
    #expect(load { $0.add("embeddings.position_embeddings.weight", random: [6, 9]) }.contains("6 x 9"))
  }

  // MARK: Llama family

  static let llamaConfiguration = """
    {"model_type": "llama", "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5,
    "max_position_embeddings": 6, "rope_scaling": null}
    """

  /// Width 10, 4 heads of 4, 2 key/value heads, 9 words, one layer.
  private func llama(hasBias: Bool = false) -> SafeTensorsWriter {
    var weights = SafeTensorsWriter()
    func linear(_ name: String, _ outputs: Int, _ inputs: Int) {
      weights.add("\(name).weight", random: [outputs, inputs])
      if hasBias { weights.add("\(name).bias", random: [outputs]) }
    }
    weights.add("model.embed_tokens.weight", random: [9, 10])
    let layer = "model.layers.0"
    weights.add("\(layer).input_layernorm.weight", random: [10], around: 1)
    linear("\(layer).self_attn.q_proj", 16, 10)
    linear("\(layer).self_attn.k_proj", 8, 10)
    linear("\(layer).self_attn.v_proj", 8, 10)
    linear("\(layer).self_attn.o_proj", 10, 16)
    weights.add("\(layer).post_attention_layernorm.weight", random: [10], around: 1)
    linear("\(layer).mlp.gate_proj", 14, 10)
    linear("\(layer).mlp.up_proj", 14, 10)
    linear("\(layer).mlp.down_proj", 10, 14)
    weights.add("model.norm.weight", random: [10], around: 1)
    return weights
  }

  private let llamaTokens: [[Float]] = [[8, 0, 3, 3, 1, 5]]
  private static let headSettings = ["head_dim": "4"]

  @Test func llamaHeadsMayBeTiedOrNot() throws {
    let tied = try llama().graph(Self.llamaConfiguration, overrides: Self.headSettings)
    #expect(tied.nodes.last?.inputs[1] == tied.nodes.first?.inputs[0])
    let wanted = try evaluate(tied, llamaTokens)
    #expect(wanted.count == 6 * 9)
    var loose = llama()
    loose.tensors["lm_head.weight"] = loose.tensors["model.embed_tokens.weight"]
    let untied = try loose.graph(Self.llamaConfiguration, overrides: Self.headSettings)
    #expect(untied.nodes.last?.inputs[1] != untied.nodes.first?.inputs[0])
    #expect(try evaluate(untied, llamaTokens) == wanted)
    // Said to be tied, a head of its own is not read.
    loose.add("lm_head.weight", random: [9, 10])
    let said = try loose.graph(
      Self.llamaConfiguration,
      overrides: Self.headSettings.merging(["tie_word_embeddings": "true"]) { $1 })
    #expect(try evaluate(said, llamaTokens) == wanted)
    let biased = try llama(hasBias: true).graph(Self.llamaConfiguration, overrides: Self.headSettings)
    #expect(try evaluate(biased, llamaTokens) != wanted)
  }

  /// The order of query and key rows is all that makes the two conventions differ.
  @Test func rotaryConventionsAgree() throws {
    let wanted = try evaluate(
      llama().graph(Self.llamaConfiguration, overrides: Self.headSettings), llamaTokens)
    var interleaved = llama()
    for name in ["q_proj", "k_proj"].map({ "model.layers.0.self_attn.\($0).weight" }) {
      let entry = try #require(interleaved.tensors[name])
      let rows = stride(from: 0, to: entry.bytes.count, by: 40).map { Array(entry.bytes[$0..<$0 + 40]) }
      let order = rows.indices.map { row in row / 4 * 4 + [0, 2, 1, 3][row % 4] }
      interleaved.tensors[name]?.bytes = order.flatMap { rows[$0] }
    }
    let graph = try interleaved.graph(
      Self.llamaConfiguration, overrides: Self.headSettings.merging(["rope_interleave": "true"]) { $1 })
    #expect(isClose(try evaluate(graph, llamaTokens), wanted))
  }

  @Test func llamaSeesNoLaterToken() throws {
    let graph = try llama().graph(Self.llamaConfiguration, overrides: Self.headSettings)
    let wanted = try evaluate(graph, llamaTokens)
    var other = llamaTokens
    other[0][4] = 7
    let changed = try evaluate(graph, other)
    #expect(Array(changed.prefix(4 * 9)) == Array(wanted.prefix(4 * 9)))
    #expect(Array(changed[4 * 9..<5 * 9]) != Array(wanted[4 * 9..<5 * 9]))
  }

  @Test func llamaRefusals() throws {
    func load(
      _ configuration: String = Self.llamaConfiguration,
      _ overrides: [String: String] = Self.headSettings,
      _ change: (inout SafeTensorsWriter) -> Void = { _ in }
    ) -> String {
      var weights = llama()
      change(&weights)
      return message { try weights.graph(configuration, overrides: overrides) }
    }
    #expect(load() == "accepted")
    func with(_ key: String, _ value: String) -> String {
      load(Self.llamaConfiguration, Self.headSettings.merging([key: value]) { $1 })
    }
    #expect(with("model_type", "gemma").contains("gemma"))
    #expect(with("rope_scaling", "{\"rope_type\": \"llama3\"}").contains("rope_scaling"))
    #expect(with("num_key_value_heads", "4").contains("2 key/value heads"))
    #expect(with("head_dim", "5").contains("heads of 5"))
    #expect(with("tokens", "7").contains("6 positions"))
    #expect(with("tie_word_embeddings", "false").contains("lm_head.weight"))
    #expect(load { $0.add("model.layers.0.self_attn.q_norm.weight", random: [4]) }.contains("q_norm"))
    #expect(load { $0.add("model.layers.1.mlp.up_proj.weight", random: [14, 10]) }.contains("layers.1"))
    #expect(
      load { $0.add("model.layers.0.self_attn.o_proj.weight", random: [10, 15]) }.contains("o_proj"))
    #expect(load { $0.tensors["model.norm.weight"] = nil }.contains("model.norm.weight"))
    #expect(load("{\"num_attention_heads\": 4, \"rms_norm_eps\": 1e-5}").contains("tokens"))
    #expect(
      load("{\"num_attention_heads\": 4, \"max_position_embeddings\": 6}").contains("rms_norm_eps"))
    let huge = Self.llamaConfiguration.replacing(": 6,", with: ": 1000000000,")
    #expect(load(huge).contains("tokens"))
  }

  // MARK: Files

  @Test func refusesWhatIsNoModel() throws {
    var other = SafeTensorsWriter()
    other.add("conv1.weight", random: [4])
    #expect(message { try other.graph("{\"model_type\": \"resnet\"}") }.contains("resnet"))
    try TestFolder.temporary { folder in
      #expect(message { try ModelFile.load(folder) }.contains("model.safetensors"))
      #expect(message { try ModelFile.load(folder + "/none.safetensors") }.contains("no such file"))
      try AtomicFile.write("{\"__metadata__\": {}}", to: folder + "/model.safetensors")
      #expect(message { try ModelFile.load(folder) }.contains("not a .safetensors"))
      let tflite = TestFolder.golden("models/dscnn-int8.tflite")
      #expect(
        message { try ModelFile.load(tflite, overrides: ["heads": "4"]) }.contains("hyperparameters"))
    }
  }

  /// Damaged configurations are refused or read, but never trusted.
  @Test func survivesDamagedConfigurations() throws {
    let weights = llama()
    let sound = Array(Self.llamaConfiguration.utf8)
    var generator = SeededGenerator(state: 5)
    var refused = 0
    for _ in 0..<150 {
      var bytes = sound
      for _ in 0..<2 {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(
          in: 32...126, using: &generator)
      }
      do {
        _ = try weights.graph(String(decoding: bytes, as: UTF8.self), overrides: Self.headSettings)
      } catch is PackError {
        refused += 1
      }
    }
    #expect(refused > 50)
  }

  /// Sound files whose tensors have other shapes than the model says: refused, mostly, and never a
  /// trap.
  @Test func survivesForeignShapes() throws {
    let shapes = [
      [], [0], [1], [8], [2, 0], [0, 8], [8, 8], [9, 10], [1, 7, 8], [3, 1, 2, 2], [1 << 40, 0],
    ]
    let families = [
      (vision(isDistilled: true), Self.visionConfiguration, ["image_size": "[6,4]"]),
      (renamed(vision(), prefix: "vit."), Self.visionConfiguration, ["image_size": "[6,4]"]),
      (bert(), Self.bertConfiguration, [:]), (llama(), Self.llamaConfiguration, Self.headSettings),
    ]
    var generator = SeededGenerator(state: 11)
    for (weights, configuration, settings) in families {
      #expect(message { try weights.graph(configuration, overrides: settings) } == "accepted")
      var refused = 0
      for name in weights.tensors.keys.sorted() {
        var other = weights
        let shape = shapes.randomElement(using: &generator)!
        other.tensors[name] = .init(
          type: "U8", shape: shape,
          bytes: [UInt8](repeating: 1, count: shape.contains(0) ? 0 : shape.reduce(1, *)))
        do {
          _ = try other.graph(configuration, overrides: settings)
        } catch is PackError {
          refused += 1
        }
      }
      #expect(refused > weights.tensors.count / 2)
    }
  }
}
