/// The ranges that a model which was quantised elsewhere states for its tensors.
///
/// Models with 16-bit activations have operators for which no integer form exists here (a matrix of
/// probabilities, say), but all that calibration looks for: they are quantised anew with their own ranges.
struct StatedRanges {
  private struct Range {
    var low: Double
    var high: Double
    var isWide: Bool
  }

  /// By the tensor's name.
  private var ranges: [String: Range] = [:]

  /// - Parameter graph: as an importer delivers it, with scales.
  init(_ graph: Graph) {
    for tensor in graph.tensors where !tensor.isConstant { ranges[tensor.name] = Self.range(tensor) }
    // Float inputs and outputs have the range to which they are quantised.
    for node in graph.nodes where node.operation == .requantize {
      guard let input = node.inputs[0].map({ graph.tensors[$0] }) else { continue }
      let output = graph.tensors[node.outputs[0]]
      if input.quantization == nil { ranges[input.name] = Self.range(output) }
      if output.quantization == nil { ranges[output.name] = Self.range(input) }
    }
  }

  private static func range(_ tensor: Tensor) -> Range? {
    guard let grid = tensor.quantization, grid.isPerTensor, tensor.type.isInteger, tensor.type.bytes <= 2 else { return nil }
    let codes = tensor.type.integerRange
    // A grid without a zero point keeps its scale if its range is taken to be even.
    let isEven = grid.zeroPoints[0] == 0 && codes.lowerBound < 0
    return Range(
      low: Double((isEven ? -codes.upperBound : codes.lowerBound) - grid.zeroPoints[0]) * grid.scales[0],
      high: Double(codes.upperBound - grid.zeroPoints[0]) * grid.scales[0], isWide: tensor.type.bytes == 2)
  }

  /// Parts and rearrangements of a tensor have its name and a remark in brackets.
  private subscript(tensor: Tensor) -> Range? {
    var name = Substring(tensor.name)
    while true {
      if let range = ranges[String(name)] { return range }
      guard name.last == ")", let start = name.lastIndex(of: "(") else { return nil }
      name = name[..<start]
      while name.last == " " { name.removeLast() }
    }
  }

  /// Names of the tensors of a float graph that have 16 bits in the model.
  func wideTensors(of graph: Graph) -> Set<String> {
    Set(graph.tensors.filter { self[$0]?.isWide == true }.map(\.name))
  }

  /// What calibration would have found.
  ///
  /// - Throws: `PackError` naming a tensor that needs a range and has none.
  func calibration(of graph: Graph, _ options: QuantizeOptions) throws -> Calibration {
    let roles = TensorRoles(graph, options).roles
    var found: [Graph.TensorID: Range] = [:]
    // From the end, so that a part is found after the whole that it is put into.
    for node in graph.nodes.reversed() {
      for id in node.outputs + node.inputs.compactMap({ $0 }) where !graph.tensors[id].isConstant && found[id] == nil {
        found[id] = self[graph.tensors[id]]
        if found[id] == nil, node.operation.movesOnly, node.inputs.contains(id) { found[id] = found[node.outputs[0]] }
        guard found[id] == nil, node.outputs.contains(id), roles[id].needsRange else { continue }
        throw PackError(
          .unsupported,
          "\(node.origin): the model states no range for \"\(graph.tensors[id].name)\", which is needed where "
            + "activations have 16 bits; quantise it anew with --calibrate")
      }
    }
    return Calibration(found.mapValues { TensorStatistics(low: Float($0.low), high: Float($0.high)) })
  }

  /// Refuses integers in which a layer reads 8 bits where the model has 16.
  ///
  /// The exception are the keys and values of attentions, whose scores and probabilities are finer here
  /// than the model asks for.
  func requireWidths(of integers: Graph) throws {
    for node in integers.nodes {
      if case .attention = node.operation { continue }
      for id in node.inputs.compactMap({ $0 }) where integers.tensors[id].type == .int8 && !integers.tensors[id].isConstant {
        guard self[integers.tensors[id]]?.isWide == true else { continue }
        throw PackError(
          .unsupported,
          "\(node.origin): takes activations of 8 bits, and \"\(integers.tensors[id].name)\" has 16; quantise the "
            + "model anew with --calibrate")
      }
    }
  }
}

extension Graph {
  /// Some run-time tensor has 16 bits.
  var hasWideActivations: Bool {
    nodes.contains { node in
      node.outputs.contains { tensors[$0].quantization != nil && tensors[$0].type.bytes == 2 }
    }
  }
}

extension Operation {
  /// Its output has the elements of its inputs and no others.
  fileprivate var movesOnly: Bool {
    switch self {
    case .concatenation(_, .none): true
    default: isView
    }
  }
}

extension TensorRole {
  /// Its scale comes from what was seen of the tensor.
  fileprivate var needsRange: Bool {
    switch self {
    case .symmetric, .asymmetric, .heads: true
    case .unchanged, .accumulator, .curveGrid, .probability: false
    }
  }
}
