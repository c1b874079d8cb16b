/// Vision transformers (ViT, arXiv 2010.11929; DeiT, arXiv 2012.12877) with the names of timm or of
/// transformers.
///
/// Input: pixels [1, height, width, channels]; output: logits [1, classes]. A distilled DeiT has a
/// second token with a head of its own; the logits are the mean of both.
struct VisionTransformer {
  /// What the modules are called.
  private struct Names {
    var patches: String
    /// The class token, then the distillation token.
    var tokens: [String]
    var positions: String
    /// What stands before the number of a block.
    var blocks: String
    var norm1: String
    var attention: Attention
    var projection: String
    var norm2: String
    var feedForward: [String]
    var norm: String
    /// One for each of the tokens; or the first alone, for the class token.
    var heads: [String]

    enum Attention {
      /// Query, key and value in one matrix.
      case fused(String)
      case separate([String])
    }

    static let timm = Names(
      patches: "patch_embed.proj", tokens: ["cls_token", "dist_token"], positions: "pos_embed",
      blocks: "blocks.", norm1: "norm1", attention: .fused("attn.qkv"), projection: "attn.proj",
      norm2: "norm2", feedForward: ["mlp.fc1", "mlp.fc2"], norm: "norm", heads: ["head", "head_dist"])

    static func transformers(_ prefix: String, isDistilled: Bool) -> Names {
      Names(
        patches: "\(prefix)embeddings.patch_embeddings.projection",
        tokens: ["\(prefix)embeddings.cls_token", "\(prefix)embeddings.distillation_token"],
        positions: "\(prefix)embeddings.position_embeddings", blocks: "\(prefix)encoder.layer.",
        norm1: "layernorm_before",
        attention: .separate(["query", "key", "value"].map { "attention.attention.\($0)" }),
        projection: "attention.output.dense", norm2: "layernorm_after",
        feedForward: ["intermediate.dense", "output.dense"], norm: "\(prefix)layernorm",
        heads: isDistilled ? ["cls_classifier", "distillation_classifier"] : ["classifier"])
    }
  }

  private var builder: TransformerBuilder
  private let names: Names
  private let configuration: HuggingFaceConfiguration
  private let heads: Int
  private let epsilon: Double
  private let activation: UnaryFunction

  static func isTimm(_ weights: SafeTensorsArchive) -> Bool {
    weights.contains("patch_embed.proj.weight")
  }

  /// What stands before "embeddings" in the names of transformers; nil where these are other weights.
  static func prefix(_ weights: SafeTensorsArchive) -> String? {
    ["vit.", "deit.", ""].first {
      weights.contains("\($0)embeddings.patch_embeddings.projection.weight")
    }
  }

  static func load(
    _ weights: SafeTensorsArchive, _ configuration: HuggingFaceConfiguration
  ) throws -> Graph {
    var model = try VisionTransformer(weights, configuration)
    try model.build()
    return model.builder.graph
  }

  private init(_ weights: SafeTensorsArchive, _ configuration: HuggingFaceConfiguration) throws {
    builder = TransformerBuilder(weights)
    self.configuration = configuration
    names =
      Self.isTimm(weights)
      ? .timm
      : .transformers(
        Self.prefix(weights) ?? "", isDistilled: weights.contains("distillation_classifier.weight"))
    guard let heads = try configuration.integer("heads", "num_heads", "num_attention_heads") else {
      throw configuration.missing("num_heads", "the number of attention heads")
    }
    self.heads = heads
    // timm's transformers are made with 1e-6, those of transformers with 1e-12, where they do not say.
    epsilon =
      try configuration.number("eps", "layer_norm_eps") ?? (Self.isTimm(weights) ? 1e-6 : 1e-12)
    activation = try UnaryFunction(
      huggingFaceName: configuration.text("hidden_act", "act_layer") ?? "gelu")
    let pooling = try configuration.text("global_pool") ?? "token"
    guard pooling == "token" else {
      throw PackError(
        .unsupported,
        "\(configuration.name): global_pool \"\(pooling)\" is not supported; supported: token")
    }
  }

  private mutating func build() throws {
    var rows = try embeddings()
    let count = try builder.layerCount(names.blocks, ".\(names.norm1).weight", configuration)
    for index in 0..<count {
      rows = try block(rows, "\(names.blocks)\(index).")
    }
    rows = try builder.layerNormalization(rows, names.norm, epsilon: epsilon)
    builder.output(try logits(rows), name: "logits")
    try builder.requireWeightsUsed(by: "ViT") { name in
      name.hasSuffix("mask_token") || name.contains("pooler.")
    }
  }

  /// The tokens that the file has.
  private var tokens: [String] { names.tokens.filter(builder.weights.contains) }

  private mutating func embeddings() throws -> Graph.TensorID {
    let kernel = try builder.weights.shape(of: "\(names.patches).weight")
    guard kernel.count == 4 else {
      throw PackError(
        .malformed, "\"\(names.patches).weight\" must have the shape [width, channels, height, width]")
    }
    let width = kernel[0]
    guard tokens.first == names.tokens[0] else {
      throw PackError(.unsupported, "a ViT without \"\(names.tokens[0])\" is not supported")
    }
    let grid = try patchGrid(kernel, tokens: tokens.count)
    let count = grid[0] * grid[1]

    let image = [1, grid[0] * kernel[2], grid[1] * kernel[3], kernel[1]]
    let pixels = try builder.input("pixel_values", shape: image, type: .float32)
    let patches = try builder.node(
      .convolution(
        WindowAttributes(size: [kernel[2], kernel[3]], strides: [kernel[2], kernel[3]]), groups: 1, .none
      ),
      [pixels, try patchWeights(kernel), try builder.constant("\(names.patches).bias", shape: [width])],
      shape: [1] + grid + [width], names.patches)
    let list = try builder.node(.reshape, [patches], shape: [1, count, width], "\(names.patches).rows")

    let leading = try tokens.map { try builder.constant($0, shape: [1, 1, width]) }
    let all = try builder.node(
      .concatenation(axis: 1, .none), leading + [list], shape: [1, tokens.count + count, width],
      "\(names.tokens[0]).rows")
    let positions = try builder.constant(names.positions, shape: [1, tokens.count + count, width])
    return try builder.add(all, positions, "\(names.positions).sum")
  }

  /// How many patches there are down and across: as the image size says, else a square.
  private func patchGrid(_ kernel: [Int], tokens: Int) throws -> [Int] {
    let table = try builder.weights.shape(of: names.positions)
    let count = table.count == 3 ? table[1] - tokens : 0
    var grid = [Int(Double(max(count, 0)).squareRoot()), 0]
    grid[1] = grid[0]
    if let size = try configuration.extents("image_size", "img_size") {
      grid = [size[0] / kernel[2], size[1] / kernel[3]]
      guard size == [grid[0] * kernel[2], grid[1] * kernel[3]] else {
        throw PackError(
          .malformed,
          "an image of \(size) is not a whole number of patches of \(kernel[2]) x \(kernel[3])")
      }
    }
    guard count > 0, grid[0] * grid[1] == count else {
      throw PackError(
        .malformed,
        "\"\(names.positions)\" of shape \(NumericArray.text(table)) is for \(count) patches, not "
          + "\(grid[0]) x \(grid[1]); set image_size=[height,width] of the images it was trained with")
    }
    return grid
  }

  /// From [out, in, height, width] to [out, height, width, in].
  private mutating func patchWeights(_ shape: [Int]) throws -> Graph.TensorID {
    let name = "\(names.patches).weight"
    let values = try builder.weight(name, shape: shape).floats()
    let window = shape[2] * shape[3]
    var moved: [Float] = []
    moved.reserveCapacity(values.count)
    for output in 0..<shape[0] {
      for place in 0..<window {
        for channel in 0..<shape[1] {
          moved.append(values[(output * shape[1] + channel) * window + place])
        }
      }
    }
    return try builder.constant(
      name, NumericArray(floats: moved, shape: [shape[0], shape[2], shape[3], shape[1]]))
  }

  /// Normalisation before attention and before the feed-forward layers (pre-LN).
  private mutating func block(_ input: Graph.TensorID, _ prefix: String) throws -> Graph.TensorID {
    let normal = try builder.layerNormalization(input, prefix + names.norm1, epsilon: epsilon)
    let parts =
      switch names.attention {
      case .fused(let module):
        try builder.linears(
          normal, ["q", "k", "v"].map { "\(prefix)attn.\($0)" }, fused: prefix + module)
      case .separate(let modules):
        try modules.map { try builder.linear(normal, prefix + $0, outputs: builder.width(input)) }
      }
    let mixed = try builder.attention(
      parts[0], parts[1], parts[2], heads: heads, keyValueHeads: heads, "\(prefix)attention")
    let projected = try builder.linear(mixed, prefix + names.projection, outputs: builder.width(input))
    let middle = try builder.add(input, projected, "\(prefix)sum1")
    let normal2 = try builder.layerNormalization(middle, prefix + names.norm2, epsilon: epsilon)
    let fed = try builder.feedForward(
      normal2, prefix + names.feedForward[0], activation, prefix + names.feedForward[1])
    return try builder.add(middle, fed, "\(prefix)sum2")
  }

  private mutating func logits(_ rows: Graph.TensorID) throws -> Graph.TensorID {
    let heads = names.heads.filter { builder.weights.contains("\($0).weight") }
    guard let first = heads.first, first == names.heads[0], heads.count <= tokens.count else {
      throw PackError(
        .unsupported, "only classifiers are supported: \"\(names.heads[0]).weight\" is missing")
    }
    let classes = try builder.rows(of: "\(first).weight")
    let results = try heads.enumerated().map { row, head in
      try builder.linear(self.row(row, of: rows), head, outputs: classes)
    }
    guard results.count == 2 else { return results[0] }
    let sum = try builder.add(results[0], results[1], "\(first).sum")
    let half = try builder.constant("half", NumericArray(floats: [0.5], shape: [1]))
    return try builder.node(
      .binary(.multiply, .none), [sum, half], shape: builder.shape(sum), "\(first).mean")
  }

  /// One row as [1, width].
  private mutating func row(_ index: Int, of rows: Graph.TensorID) throws -> Graph.TensorID {
    let width = builder.width(rows)
    let slice = try builder.node(
      .slice(starts: [0, index, 0], strides: [1, 1, 1]), [rows], shape: [1, 1, width],
      "\(names.tokens[index]).row")
    return try builder.node(.reshape, [slice], shape: [1, width], "\(names.tokens[index]).result")
  }
}
