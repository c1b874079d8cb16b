/// Encoders of the BERT family (arXiv 1810.04805): BERT, RoBERTa and DistilBERT.
///
/// Inputs: input_ids and attention_mask (1 where there is a token, 0 where there is padding), int32
/// [1, n]; output: last_hidden_state [1, n, width]. All tokens are of type 0, as in single sentences.
struct BertEncoder {
  /// What the modules are called.
  private struct Names {
    /// "encoder.layer." or its like, before the number of a layer.
    var layers: String
    var query: String
    var key: String
    var value: String
    var projection: String
    var attentionNorm: String
    var feedForward: [String]
    var outputNorm: String

    static func bert(_ prefix: String) -> Names {
      Names(
        layers: "\(prefix)encoder.layer.", query: "attention.self.query", key: "attention.self.key",
        value: "attention.self.value", projection: "attention.output.dense",
        attentionNorm: "attention.output.LayerNorm",
        feedForward: ["intermediate.dense", "output.dense"], outputNorm: "output.LayerNorm")
    }

    static func distilled(_ prefix: String) -> Names {
      Names(
        layers: "\(prefix)transformer.layer.", query: "attention.q_lin", key: "attention.k_lin",
        value: "attention.v_lin", projection: "attention.out_lin", attentionNorm: "sa_layer_norm",
        feedForward: ["ffn.lin1", "ffn.lin2"], outputNorm: "output_layer_norm")
    }
  }

  private var builder: TransformerBuilder
  private let configuration: HuggingFaceConfiguration
  private let names: Names
  /// What stands before "embeddings" in the names.
  private let prefix: String
  private let heads: Int
  private let epsilon: Double
  private let activation: UnaryFunction

  static func prefix(_ weights: SafeTensorsArchive) -> String? {
    ["bert.", "roberta.", "distilbert.", ""].first {
      weights.contains("\($0)embeddings.word_embeddings.weight")
    }
  }

  static func load(
    _ weights: SafeTensorsArchive, _ configuration: HuggingFaceConfiguration
  ) throws -> Graph {
    var model = try BertEncoder(weights, configuration)
    try model.build()
    return model.builder.graph
  }

  private init(_ weights: SafeTensorsArchive, _ configuration: HuggingFaceConfiguration) throws {
    builder = TransformerBuilder(weights)
    self.configuration = configuration
    let prefix = Self.prefix(weights) ?? ""
    self.prefix = prefix
    let isDistilled = weights.contains("\(prefix)transformer.layer.0.attention.q_lin.weight")
    names = isDistilled ? .distilled(prefix) : .bert(prefix)
    guard let heads = try configuration.integer("heads", "num_attention_heads", "n_heads") else {
      throw configuration.missing("num_attention_heads", "the number of attention heads")
    }
    self.heads = heads
    epsilon = try configuration.number("eps", "layer_norm_eps") ?? 1e-12
    activation = try UnaryFunction(
      huggingFaceName: configuration.text("hidden_act", "activation") ?? "gelu")
    let kind = try configuration.text("position_embedding_type") ?? "absolute"
    guard kind == "absolute", try configuration.flag("is_decoder") != true else {
      throw PackError(
        .unsupported,
        "\(configuration.name): relative positions (position_embedding_type \"\(kind)\") and decoders "
          + "(is_decoder) are not supported")
    }
  }

  private mutating func build() throws {
    let (embedded, mask) = try embeddings()
    var rows = embedded
    let count = try builder.layerCount(names.layers, ".\(names.query).weight", configuration)
    for index in 0..<count {
      rows = try layer(rows, mask, "\(names.layers)\(index).")
    }
    builder.output(rows, name: "last_hidden_state")
    // The pooler and the heads of pre-training come after what is offered here.
    try builder.requireWeightsUsed(by: "BERT encoder") { name in
      name.hasSuffix("embeddings.position_ids") || name.hasPrefix("\(prefix)pooler.")
        || ["cls.", "lm_head.", "vocab_"].contains(where: name.hasPrefix)
    }
  }

  /// Words, and the sum of positions and token type 0, which is constant.
  private mutating func embeddings() throws -> (rows: Graph.TensorID, mask: Graph.TensorID) {
    let wordTable = "\(prefix)embeddings.word_embeddings.weight"
    let extents = try builder.weights.shape(of: wordTable)
    guard extents.count == 2 else {
      throw PackError(.malformed, "\"\(wordTable)\" must have the shape [vocabulary, width]")
    }
    let (count, offsets) = try positions(width: extents[1])
    let tokens = try builder.input("input_ids", shape: [1, count], type: .int32)
    let mask = try builder.input("attention_mask", shape: [1, count], type: .int32)
    let table = try builder.constant(wordTable, shape: extents)
    let words = try builder.node(
      .gather(axis: 0, batchDimensions: 0), [table, tokens], shape: [1, count, extents[1]],
      "\(prefix)embeddings.word_embeddings")
    let sum = try builder.add(
      words, builder.constant("\(prefix)embeddings.positions", offsets), "\(prefix)embeddings.sum")
    let rows = try builder.layerNormalization(sum, "\(prefix)embeddings.LayerNorm", epsilon: epsilon)
    return (rows, mask)
  }

  /// How many tokens there are, and what is added to them: [1, tokens, width].
  private mutating func positions(width: Int) throws -> (count: Int, NumericArray) {
    let name = "\(prefix)embeddings.position_embeddings.weight"
    let rows = try builder.rows(of: name)
    let first = try firstPosition()
    let count = try configuration.integer("tokens") ?? rows - first
    guard count > 0, count <= rows - first else {
      throw PackError(.unsupported, "\(count) tokens; the model has \(rows - first) positions")
    }
    var values = try builder.weight(name, shape: [rows, width]).rows(first..<first + count).floats()
    let types = "\(prefix)embeddings.token_type_embeddings.weight"
    if builder.weights.contains(types) {
      let table = try builder.weight(types, shape: [builder.rows(of: types), width]).floats()
      for index in values.indices { values[index] += table[index % width] }
    }
    return (count, try NumericArray(floats: values, shape: [1, count, width]))
  }

  /// RoBERTa counts positions from the one after that of padding.
  private func firstPosition() throws -> Int {
    let type = try configuration.text("model_type")
    switch type ?? String(prefix.dropLast()) {
    case "roberta", "xlm-roberta", "camembert":
      return try (configuration.integer("pad_token_id") ?? 1) + 1
    case "bert", "distilbert", "": return 0
    case let other:
      throw PackError(
        .unsupported, "\(configuration.name): models of type \"\(other)\" are not supported")
    }
  }

  /// Normalisation after each sum (post-LN).
  private mutating func layer(
    _ input: Graph.TensorID, _ mask: Graph.TensorID, _ prefix: String
  ) throws -> Graph.TensorID {
    let width = builder.width(input)
    let query = try builder.linear(input, prefix + names.query, outputs: width)
    let key = try builder.linear(input, prefix + names.key, outputs: width)
    let value = try builder.linear(input, prefix + names.value, outputs: width)
    let mixed = try builder.attention(
      query, key, value, mask: mask, heads: heads, keyValueHeads: heads, "\(prefix)attention")
    let projected = try builder.linear(mixed, prefix + names.projection, outputs: width)
    let middle = try builder.layerNormalization(
      builder.add(input, projected, "\(prefix)sum1"), prefix + names.attentionNorm, epsilon: epsilon)
    let fed = try builder.feedForward(
      middle, prefix + names.feedForward[0], activation, prefix + names.feedForward[1])
    return try builder.layerNormalization(
      builder.add(middle, fed, "\(prefix)sum2"), prefix + names.outputNorm, epsilon: epsilon)
  }
}
