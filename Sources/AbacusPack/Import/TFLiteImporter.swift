/// Reads a TFLite model into a ``Graph``.
public enum TFLiteImporter {
  /// The first subgraph of the model in `bytes`.
  ///
  /// Throws a ``PackError`` whatever the bytes; never traps.
  public static func load(_ bytes: [UInt8]) throws -> Graph {
    do {
      return try graph(of: TFLiteModel(bytes))
    } catch let error as FlatBufferError {
      throw PackError(.malformed, "not a sound TFLite model: \(error)")
    }
  }

  /// Names of the operators that can be imported.
  public static var supportedOperators: [String] { TFLiteTranslator.translations.keys.sorted() }

  private static func graph(of model: TFLiteModel) throws -> Graph {
    guard let subgraph = try model.subgraphs().first else {
      throw PackError(.malformed, "the TFLite model has no subgraph")
    }
    let source = TFLiteTensorSource(tensors: try subgraph.tensors(), buffers: try model.buffers())
    let codes = try model.operatorCodes().map { try $0.name() }
    let sites = try subgraph.operators().enumerated().map { index, op in
      let code = try op.code()
      guard codes.indices.contains(code) else {
        throw PackError(
          .malformed, "operator \(index) has operator code \(code), but the model lists \(codes.count)")
      }
      return TFLiteOperatorSite(
        index: index, name: codes[code], op: op, inputs: try op.inputs(), outputs: try op.outputs())
    }
    try requireSupported(sites, source)

    var translator = TFLiteTranslator(source)
    try translator.declareInputs(subgraph.inputs())
    for site in sites { try translator.translate(site) }
    try translator.declareOutputs(subgraph.outputs())
    // Converters call every model "main".
    let name = try subgraph.name()
    translator.graph.name = name == "main" ? "" : name
    return translator.graph.droppingUnusedTensors()
  }

  /// Finds all operators without a translation before the first is translated: whoever has to
  /// change a model wants to know them together.
  private static func requireSupported(
    _ sites: [TFLiteOperatorSite], _ source: TFLiteTensorSource
  ) throws {
    let unsupported = sites.filter { TFLiteTranslator.translations[$0.name] == nil }
    guard let first = unsupported.first else { return }
    var message = "\(first.origin): this operator is not supported"
    let subgraphs = try first.op.subgraphs()
    if !subgraphs.isEmpty {
      message += " (it runs subgraph \(subgraphs.map(String.init).joined(separator: " and ")))"
    }
    message += first.operands(source)
    var named: Set = [first.name]
    let others = unsupported.filter { named.insert($0.name).inserted }.map(\.origin)
    if !others.isEmpty { message += "\n  not supported either: " + others.joined(separator: "; ") }
    message += "\n  supported: " + supportedOperators.joined(separator: ", ")
    throw PackError(.unsupported, message)
  }
}

/// An operator in the file: its place, name and operands.
struct TFLiteOperatorSite {
  let index: Int
  let name: String
  let op: TFLiteOperator
  /// Indices of the file's tensors, -1 for an input left out.
  let inputs: [Int]
  let outputs: [Int]

  var origin: String { "\(name), operator \(index)" }

  /// Lines that describe the operands, for messages.
  func operands(_ source: TFLiteTensorSource) -> String {
    // Enough to find the place in a viewer; a damaged file may name a million.
    func list(_ indices: [Int]) -> String {
      let shown = indices.prefix(8).map(source.describe).joined(separator: "; ")
      return indices.isEmpty ? "none" : indices.count > 8 ? shown + "; ..." : shown
    }
    return "\n  inputs: \(list(inputs))\n  outputs: \(list(outputs))"
  }
}

extension Graph {
  /// Without the tensors that no node needs any more: axes, shapes and paddings have become
  /// attributes.
  func droppingUnusedTensors() -> Graph {
    var used = [Bool](repeating: false, count: tensors.count)
    for id in inputs + outputs { used[id] = true }
    for node in nodes {
      for id in node.inputs.compactMap({ $0 }) + node.outputs { used[id] = true }
    }
    var result = Graph(name: name)
    let ids = tensors.indices.map { used[$0] ? result.add(tensors[$0]) : -1 }
    result.inputs = inputs.map { ids[$0] }
    result.outputs = outputs.map { ids[$0] }
    result.nodes = nodes.map { node in
      Node(
        node.operation, inputs: node.inputs.map { $0.map { ids[$0] } },
        outputs: node.outputs.map { ids[$0] }, origin: node.origin)
    }
    for (id, distribution) in batchStatistics where used[id] { result.batchStatistics[ids[id]] = distribution }
    return result
  }
}
