import Foundation

/// Language models of the Llama family (arXiv 2302.13971; grouped queries: arXiv 2305.13245).
///
/// Input: tokens [1, n], int32; output: logits [1, n, vocabulary], those of the token after each. The
/// graph computes a whole sequence; ``Graph/decoder(context:)`` makes it compute token by token.
struct LlamaModel {
  private var builder: TransformerBuilder
  private let configuration: HuggingFaceConfiguration
  /// What stands before "embed_tokens" in the names.
  private let prefix: String
  private let heads: Int
  private let headWidth: Int
  private let keyValueHeads: Int
  private let epsilon: Double
  private let positions: Int
  private let activation: UnaryFunction
  /// Cosines and sines, the same in all layers.
  private var rotations: [Graph.TensorID] = []

  static func prefix(_ weights: SafeTensorsArchive) -> String? {
    ["model.", ""].first {
      weights.contains("\($0)embed_tokens.weight")
        && weights.contains("\($0)layers.0.self_attn.q_proj.weight")
        && weights.contains("\($0)layers.0.mlp.gate_proj.weight")
    }
  }

  static func load(
    _ weights: SafeTensorsArchive, _ configuration: HuggingFaceConfiguration
  ) throws -> Graph {
    var model = try LlamaModel(weights, configuration)
    try model.build()
    return model.builder.graph
  }

  private init(_ weights: SafeTensorsArchive, _ configuration: HuggingFaceConfiguration) throws {
    builder = TransformerBuilder(weights)
    self.configuration = configuration
    prefix = Self.prefix(weights) ?? ""
    try Self.requireSupported(configuration)
    guard let heads = try configuration.integer("heads", "num_attention_heads") else {
      throw configuration.missing("num_attention_heads", "the number of attention heads")
    }
    self.heads = heads
    let queries = try weights.shape(of: "\(prefix)layers.0.self_attn.q_proj.weight")
    let keys = try weights.shape(of: "\(prefix)layers.0.self_attn.k_proj.weight")
    headWidth = try configuration.integer("head_dim") ?? (queries.first ?? 0) / heads
    // Wider heads than any model has would only make the tables of rotary embedding large.
    guard queries.count == 2, keys.count == 2, (2...1024).contains(headWidth), headWidth % 2 == 0,
      queries[0] == heads * headWidth, keys[0] % headWidth == 0
    else {
      throw PackError(
        .malformed,
        "\(heads) heads of \(headWidth) do not fit queries of width \(queries) and keys of width \(keys)"
      )
    }
    keyValueHeads = keys[0] / headWidth
    let stated = try configuration.integer("num_key_value_heads")
    guard stated == nil || stated == keyValueHeads else {
      throw PackError(
        .malformed,
        "the weights are of \(keyValueHeads) key/value heads, \(configuration.name) says \(stated!)")
    }
    guard let epsilon = try configuration.number("eps", "rms_norm_eps") else {
      throw configuration.missing("rms_norm_eps", "what normalisation adds to the mean square")
    }
    self.epsilon = epsilon
    positions = try Self.positions(configuration)
    activation = try UnaryFunction(huggingFaceName: configuration.text("hidden_act") ?? "silu")
  }

  /// Relatives with the same names that compute something else.
  private static func requireSupported(_ configuration: HuggingFaceConfiguration) throws {
    let type = try configuration.text("model_type") ?? "llama"
    guard type == "llama" else {
      throw PackError(
        .unsupported, "\(configuration.name): models of type \"\(type)\" are not supported")
    }
    let scaling = try configuration.contains("rope_scaling")
    let rotation = try configuration.text("rope_type") ?? "default"
    guard !scaling, rotation == "default", try configuration.number("partial_rotary_factor") ?? 1 == 1
    else {
      throw PackError(
        .unsupported,
        "\(configuration.name): scaled or partial rotary embedding (rope_scaling, rope_type, "
          + "partial_rotary_factor) is not supported")
    }
  }

  /// How long a sequence is.
  private static func positions(_ configuration: HuggingFaceConfiguration) throws -> Int {
    let most = try configuration.integer("max_position_embeddings")
    guard let positions = try configuration.integer("tokens") ?? most else {
      throw configuration.missing("tokens", "the longest sequence (max_position_embeddings)")
    }
    guard positions <= min(most ?? .max, InputLimits.tokens) else {
      throw PackError(
        .unsupported,
        "\(positions) tokens; the model has \(most.map(String.init) ?? "no stated number of") positions, "
          + "and \(InputLimits.tokens) are the most; set tokens=...")
    }
    return positions
  }

  private mutating func build() throws {
    let embedding = "\(prefix)embed_tokens.weight"
    let extents = try builder.weights.shape(of: embedding)
    guard extents.count == 2 else {
      throw PackError(.malformed, "\"\(embedding)\" must have the shape [vocabulary, width]")
    }
    let tokens = try builder.input("tokens", shape: [1, positions], type: .int32)
    let table = try builder.constant(embedding, shape: extents)
    var rows = try builder.node(
      .gather(axis: 0, batchDimensions: 0), [table, tokens], shape: [1, positions, extents[1]],
      "\(prefix)embed_tokens")
    try makeRotations()
    let count = try builder.layerCount("\(prefix)layers.", ".input_layernorm.weight", configuration)
    for index in 0..<count {
      rows = try layer(rows, "\(prefix)layers.\(index).")
    }
    rows = try builder.rmsNormalization(rows, "\(prefix)norm", epsilon: epsilon)
    builder.output(try logits(rows, table), name: "logits")
    try builder.requireWeightsUsed(by: "Llama") { name in
      name.hasSuffix("rotary_emb.inv_freq") || name == "lm_head.weight"
    }
  }

  /// The angle of position p and pair i is p * theta^(-2 i / d).
  private mutating func makeRotations() throws {
    let half = headWidth / 2
    let theta = try configuration.number("rope_theta") ?? 10_000
    let frequencies = (0..<half).map { pow(theta, -Double(2 * $0) / Double(headWidth)) }
    for (name, function) in [("rotary.cosines", cos as (Double) -> Double), ("rotary.sines", sin)] {
      let values = (0..<positions).flatMap { position in
        frequencies.map { Float(function(Double(position) * $0)) }
      }
      rotations.append(
        try builder.constant(name, NumericArray(floats: values, shape: [positions, half])))
    }
  }

  private mutating func layer(_ input: Graph.TensorID, _ prefix: String) throws -> Graph.TensorID {
    let normal = try builder.rmsNormalization(input, "\(prefix)input_layernorm", epsilon: epsilon)
    let mixed = try attention(normal, "\(prefix)self_attn.")
    let projected = try builder.linear(mixed, "\(prefix)self_attn.o_proj", outputs: builder.width(input))
    let middle = try builder.add(input, projected, "\(prefix)sum1")
    let normal2 = try builder.rmsNormalization(
      middle, "\(prefix)post_attention_layernorm", epsilon: epsilon)
    let fed = try gatedFeedForward(normal2, "\(prefix)mlp.")
    return try builder.add(middle, fed, "\(prefix)sum2")
  }

  private mutating func attention(_ input: Graph.TensorID, _ prefix: String) throws -> Graph.TensorID {
    let query = try builder.linear(input, "\(prefix)q_proj", outputs: heads * headWidth)
    let key = try builder.linear(input, "\(prefix)k_proj", outputs: keyValueHeads * headWidth)
    let value = try builder.linear(input, "\(prefix)v_proj", outputs: keyValueHeads * headWidth)
    return try builder.attention(
      rotary(query, heads, "\(prefix)q_proj.rotary"),
      rotary(key, keyValueHeads, "\(prefix)k_proj.rotary"),
      value, heads: heads, keyValueHeads: keyValueHeads, isCausal: true, "\(prefix)attention")
  }

  /// Models in the form of Hugging Face turn pairs (i, i + d / 2); those that keep the order of the
  /// original, pairs (2i, 2i + 1), look the same, so weights without a configuration must say.
  private mutating func rotary(
    _ input: Graph.TensorID, _ heads: Int, _ name: String
  ) throws -> Graph.TensorID {
    let isInterleaved = try configuration.flag("rope_interleave")
    guard isInterleaved != nil || configuration.hasFile else {
      throw configuration.missing(
        "rope_interleave",
        "which pairs rotary embedding turns (true: 2i and 2i + 1, false: i and i + d / 2)")
    }
    return try builder.node(
      .rotary(RotaryAttributes(heads: heads, isInterleaved: isInterleaved ?? false)),
      [input] + rotations, shape: builder.shape(input), name)
  }

  /// SwiGLU: down(activation(gate(x)) * up(x)).
  private mutating func gatedFeedForward(
    _ input: Graph.TensorID, _ prefix: String
  ) throws -> Graph.TensorID {
    let hidden = try builder.rows(of: "\(prefix)gate_proj.weight")
    let gate = try builder.linear(input, "\(prefix)gate_proj", outputs: hidden)
    let up = try builder.linear(input, "\(prefix)up_proj", outputs: hidden)
    let activated = try builder.unary(activation, gate, "\(prefix)gate_proj.activation")
    let product = try builder.node(
      .binary(.multiply, .none), [activated, up], shape: builder.shape(up), "\(prefix)product")
    return try builder.linear(product, "\(prefix)down_proj", outputs: builder.width(input))
  }

  /// With weights of its own, or with the embedding's where they are tied.
  private mutating func logits(
    _ rows: Graph.TensorID, _ table: Graph.TensorID
  ) throws -> Graph.TensorID {
    let tied = try configuration.flag("tie_word_embeddings")
    let hasHead = builder.weights.contains("lm_head.weight")
    if tied == true || (tied == nil && !hasHead) {
      return try builder.linear(rows, "lm_head", weights: table, bias: nil)
    }
    return try builder.linear(rows, "lm_head", outputs: builder.shape(table)[0])
  }
}
