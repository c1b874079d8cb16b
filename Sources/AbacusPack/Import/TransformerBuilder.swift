/// Builds a float ``Graph`` out of the parts of which transformers consist, with weights that are
/// known by name.
///
/// A node and its output are called like the module of the original model: "blocks.0.attn.proj".
/// Activations are [1, rows, width].
struct TransformerBuilder {
  typealias TensorID = Graph.TensorID

  private(set) var graph = Graph()
  let weights: SafeTensorsArchive
  private var taken: Set<String> = []

  init(_ weights: SafeTensorsArchive) { self.weights = weights }

  // MARK: Boundary

  mutating func input(_ name: String, shape: [Int], type: DataType) throws -> TensorID {
    let id = try tensor(Tensor(name: name, shape: shape, type: type))
    graph.inputs.append(id)
    return id
  }

  mutating func output(_ id: TensorID, name: String) {
    graph.tensors[id].name = name
    graph.outputs.append(id)
  }

  /// Throws where the file has weights that have not been used and that `isIgnorable` does not
  /// know: the model computes something else than the graph.
  func requireWeightsUsed(by family: String, isIgnorable: (String) -> Bool) throws {
    let unused = weights.names.filter { !taken.contains($0) && !isIgnorable($0) }.sorted()
    guard unused.isEmpty else {
      let shown = unused.prefix(8).joined(separator: ", ") + (unused.count > 8 ? ", ..." : "")
      throw PackError(
        .unsupported,
        "\(unused.count) tensors of the weights belong to nothing that a \(family) has: \(shown)")
    }
  }

  // MARK: Constants

  /// A tensor of the weights whose shape must be `shape`.
  mutating func weight(_ name: String, shape: [Int]) throws -> NumericArray {
    let found = try weights.shape(of: name)
    guard found == shape else {
      throw PackError(
        .malformed,
        "the tensor \"\(name)\" has shape \(NumericArray.text(found)), not \(NumericArray.text(shape))")
    }
    taken.insert(name)
    return try weights.floats(name)
  }

  mutating func constant(_ name: String, _ values: NumericArray) throws -> TensorID {
    try tensor(Tensor(name: name, shape: values.shape, type: .float32, data: values.bytes))
  }

  mutating func constant(_ name: String, shape: [Int]) throws -> TensorID {
    try constant(name, weight(name, shape: shape))
  }

  private mutating func optionalConstant(_ name: String, shape: [Int]) throws -> TensorID? {
    weights.contains(name) ? try constant(name, shape: shape) : nil
  }

  /// The first extent of a tensor of the weights: the outputs of a linear layer, the rows of a table.
  func rows(of name: String) throws -> Int {
    guard let rows = try weights.shape(of: name).first else {
      throw PackError(.malformed, "the tensor \"\(name)\" is a single number")
    }
    return rows
  }

  /// How many layers there are: `prefix` + number + `suffix` are names of weights.
  func layerCount(
    _ prefix: String, _ suffix: String, _ configuration: HuggingFaceConfiguration
  ) throws -> Int {
    var count = 0
    while weights.contains("\(prefix)\(count)\(suffix)") { count += 1 }
    let stated = try configuration.integer("num_hidden_layers", "n_layers", "depth")
    guard count > 0, stated == nil || stated == count else {
      throw PackError(
        .malformed, "the weights are of \(count) layers, \(configuration.name) says \(stated ?? count)")
    }
    return count
  }

  // MARK: Nodes

  func shape(_ id: TensorID) -> [Int] { graph.tensors[id].shape }

  func width(_ id: TensorID) -> Int { graph.tensors[id].shape.last ?? 1 }

  mutating func node(
    _ operation: Operation, _ inputs: [TensorID?], shape: [Int], _ name: String
  ) throws -> TensorID {
    let output = try tensor(Tensor(name: name, shape: shape, type: .float32))
    graph.nodes.append(Node(operation, inputs: inputs, outputs: [output], origin: name))
    return output
  }

  /// Along the last dimension: weights [outputs, inputs], and a bias where the file has one.
  mutating func linear(_ input: TensorID, _ module: String, outputs: Int) throws -> TensorID {
    let weights = try constant("\(module).weight", shape: [outputs, width(input)])
    return try linear(
      input, module, weights: weights, bias: try optionalConstant("\(module).bias", shape: [outputs]))
  }

  mutating func linear(
    _ input: TensorID, _ name: String, weights: TensorID, bias: TensorID?
  ) throws -> TensorID {
    try node(
      .fullyConnected(.none), [input, weights, bias],
      shape: shape(input).dropLast() + [shape(weights)[0]],
      name)
  }

  /// As many products as there are `names`, of equal width, from weights that lie one below the other.
  mutating func linears(
    _ input: TensorID, _ names: [String], fused module: String
  ) throws -> [TensorID] {
    let outputs = width(input)
    let fused = try weight("\(module).weight", shape: [names.count * outputs, outputs])
    let bias =
      weights.contains("\(module).bias")
      ? try weight("\(module).bias", shape: [names.count * outputs]) : nil
    return try names.enumerated().map { index, name in
      let rows = index * outputs..<(index + 1) * outputs
      return try linear(
        input, name, weights: constant("\(name).weight", fused.rows(rows)),
        bias: bias.map { try constant("\(name).bias", $0.rows(rows)) })
    }
  }

  /// Old checkpoints call scale and bias gamma and beta.
  mutating func layerNormalization(
    _ input: TensorID, _ module: String, epsilon: Double
  ) throws -> TensorID {
    let isOld = weights.contains("\(module).gamma")
    let scale = try constant("\(module).\(isOld ? "gamma" : "weight")", shape: [width(input)])
    let bias = try optionalConstant("\(module).\(isOld ? "beta" : "bias")", shape: [width(input)])
    return try node(
      .layerNormalization(epsilon: epsilon), [input, scale, bias], shape: shape(input), module)
  }

  mutating func rmsNormalization(
    _ input: TensorID, _ module: String, epsilon: Double
  ) throws -> TensorID {
    let scale = try constant("\(module).weight", shape: [width(input)])
    return try node(.rmsNormalization(epsilon: epsilon), [input, scale], shape: shape(input), module)
  }

  mutating func add(_ a: TensorID, _ b: TensorID, _ name: String) throws -> TensorID {
    try node(.binary(.add, .none), [a, b], shape: shape(a), name)
  }

  mutating func unary(_ function: UnaryFunction, _ input: TensorID, _ name: String) throws -> TensorID {
    try node(.unary(function), [input], shape: shape(input), name)
  }

  /// Attention over whole rows; the scale is 1 / sqrt of the width of a head.
  mutating func attention(
    _ query: TensorID, _ key: TensorID, _ value: TensorID, mask: TensorID? = nil, heads: Int,
    keyValueHeads: Int, isCausal: Bool = false, _ name: String
  ) throws -> TensorID {
    guard width(query) % heads == 0, heads % keyValueHeads == 0,
      width(key) == width(query) / heads * keyValueHeads, width(value) == width(key)
    else {
      throw PackError(
        .malformed,
        "\(name): queries of width \(width(query)) and keys of width \(width(key)) cannot have \(heads) "
          + "and \(keyValueHeads) heads")
    }
    let headWidth = width(query) / heads
    let attributes = AttentionAttributes(
      heads: heads, keyValueHeads: keyValueHeads, scale: 1 / Double(headWidth).squareRoot(),
      isCausal: isCausal)
    return try node(
      .attention(attributes), [query, key, value] + (mask.map { [$0] } ?? []), shape: shape(query), name)
  }

  /// Two linear layers with a function between.
  mutating func feedForward(
    _ input: TensorID, _ first: String, _ function: UnaryFunction, _ second: String
  ) throws -> TensorID {
    let hidden = try rows(of: "\(first).weight")
    let inner = try linear(input, first, outputs: hidden)
    let activated = try unary(function, inner, "\(first).activation")
    return try linear(activated, second, outputs: width(input))
  }

  private mutating func tensor(_ tensor: Tensor) throws -> TensorID {
    guard let count = Shapes.elementCount(tensor.shape), count > 0 else {
      throw PackError(
        .unsupported,
        "\"\(tensor.name)\" would be of shape \(NumericArray.text(tensor.shape)), which is empty or too "
          + "large; a shorter sequence (tokens=...) may help")
    }
    return graph.add(tensor)
  }
}

extension UnaryFunction {
  /// A function under its name in transformers' configurations (`hidden_act`).
  init(huggingFaceName name: String) throws(PackError) {
    switch name {
    case "gelu": self = .gelu(approximate: false)
    case "gelu_new", "gelu_fast", "gelu_pytorch_tanh": self = .gelu(approximate: true)
    case "quick_gelu": self = .quickGelu
    case "relu": self = .relu
    case "silu", "swish": self = .silu
    default:
      throw PackError(
        .unsupported,
        "the activation \"\(name)\" is not supported; supported: gelu, gelu_new, gelu_fast, "
          + "gelu_pytorch_tanh, quick_gelu, relu, silu, swish")
    }
  }
}
