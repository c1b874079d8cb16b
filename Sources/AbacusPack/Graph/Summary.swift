// A graph as text, one line a node, for people and for tests that compare structure.

extension Graph {
  /// Inputs, nodes and outputs, one a line. Run-time tensors are numbered in order of appearance;
  /// constants show their shape alone. Without names, two graphs of the same structure have the
  /// same summary.
  public func summary(names: Bool = true) -> String {
    var numbers: [TensorID: Int] = [:]
    func reference(_ id: TensorID?) -> String {
      guard let id else { return "-" }
      if let number = numbers[id] { return "%\(number)" }
      return tensors[id].isConstant ? "\(tensors[id].shape)" : "?"
    }
    func definition(_ id: TensorID) -> String {
      numbers[id] = numbers.count
      let type = tensors[id].type == .float32 ? "" : "\(tensors[id].type) "
      return "%\(numbers[id]!) \(type)\(tensors[id].shape)"
    }
    func name(_ text: String) -> String { names && !text.isEmpty ? "  # \(text)" : "" }

    var lines = inputs.map { "input \(definition($0))\(name(tensors[$0].name))" }
    if let position { lines.append("position \(definition(position))") }
    for node in nodes {
      let operands = node.inputs.map(reference).joined(separator: ", ")
      let results = node.outputs.map(definition).joined(separator: ", ")
      let title = node.outputs.first.map { tensors[$0].name } ?? ""
      lines.append("\(results) = \(node.operation.summary) (\(operands))\(name(title))")
    }
    lines += outputs.map { "output \(reference($0))\(name(tensors[$0].name))" }
    return lines.joined(separator: "\n")
  }
}

extension Operation {
  /// The operation's name and what it was given, without the defaults: "convolution 3 x 3 /2 relu".
  public var summary: String {
    switch self {
    case .convolution(let window, let groups, let activation):
      join("convolution", window.summary, groups == 1 ? "" : "groups \(groups)", activation.summary)
    case .depthwiseConvolution(let window, let multiplier, let activation):
      join(
        "depthwiseConvolution", window.summary, multiplier == 1 ? "" : "multiplier \(multiplier)",
        activation.summary)
    case .fullyConnected(let activation): join("fullyConnected", activation.summary)
    case .matrixMultiply(let transposeA, let transposeB):
      join("matrixMultiply", transposeA ? "transposeA" : "", transposeB ? "transposeB" : "")
    case .binary(let function, let activation): join(function.rawValue, activation.summary)
    case .select: "select"
    case .unary(let function): "\(function)"
    case .prelu: "prelu"
    case .pool(let kind, let window, let activation):
      join("\(kind) pool", window.summary, activation.summary)
    case .reduce(let kind, let axes): "\(kind) over \(axes)"
    case .pad(let before, let after, let value, let mode):
      "pad \(mode) \(before) \(after)" + (value.map { " of \($0)" } ?? "")
    case .reshape: "reshape"
    case .concatenation(let axis, let activation): join("concatenation \(axis)", activation.summary)
    case .slice(let starts, let strides):
      "slice from \(starts)" + (strides.allSatisfy { $0 == 1 } ? "" : " by \(strides)")
    case .transpose(let permutation): "transpose \(permutation)"
    case .gather(let axis, let batchDimensions):
      join("gather \(axis)", batchDimensions == 0 ? "" : "batches \(batchDimensions)")
    case .softmax(let beta): join("softmax", beta == 1 ? "" : "beta \(beta)")
    case .requantize: "requantize"
    case .layerNormalization(let epsilon): "layerNormalization \(Float(epsilon))"
    case .rmsNormalization(let epsilon): "rmsNormalization \(Float(epsilon))"
    case .attention(let attributes):
      join(
        "attention heads \(attributes.heads)",
        attributes.keyValueHeads == attributes.heads ? "" : "of \(attributes.keyValueHeads)",
        "scale \(Float(attributes.scale))", attributes.isCausal ? "causal" : "")
    case .rotary(let attributes):
      join("rotary heads \(attributes.heads)", attributes.isInterleaved ? "interleaved" : "")
    case .cacheAppend: "cacheAppend"
    }
  }

  private func join(_ parts: String...) -> String {
    parts.filter { !$0.isEmpty }.joined(separator: " ")
  }
}

extension Activation {
  fileprivate var summary: String { self == .none ? "" : rawValue }
}

extension WindowAttributes {
  fileprivate var summary: String {
    var text = "\(size[0]) x \(size[1])"
    if strides != [1, 1] { text += " /\(strides)" }
    if dilations != [1, 1] { text += " dilated \(dilations)" }
    if padBefore != [0, 0] || padAfter != [0, 0] { text += " padded \(padBefore) \(padAfter)" }
    return text
  }
}
