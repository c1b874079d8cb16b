internal import SwiftProtobuf

/// Reads an ONNX model into a ``Graph``.
///
/// Real numbers of any width become float32. A value that the model quantises, dequantises or
/// computes in quantised form is one tensor of integers with its scale, as TFLite has it. An input
/// "position_ids", as exporters of transformers call it, is no input of the graph: row i stands at
/// position i.
public enum ONNXImporter {
  /// The graph of the model in `bytes`.
  ///
  /// Throws a ``PackError`` whatever the bytes; never traps.
  /// - Parameters:
  ///   - dimensions: extents of symbolic dimensions by name, or of unnamed ones as "input.2". A first
  ///     dimension that is not fixed is a batch, and 1. With an extent of 0 the input goes: a decoder
  ///     without its past is what reads a whole sequence, and gives no cache.
  ///   - externalData: the folder that the model's external data lies in; nil where there is none.
  public static func load(
    _ bytes: [UInt8], dimensions: [String: Int] = [:], externalData: String? = nil
  ) throws -> Graph {
    let model: ONNXModelProto
    do {
      model = try ONNXModelProto(serializedBytes: bytes)
    } catch {
      throw PackError(.malformed, "not a sound ONNX model: \(error)")
    }
    return try graph(of: model, dimensions, externalData)
  }

  /// True where bytes are an ONNX model rather than something else.
  static func recognizes(_ bytes: [UInt8]) -> Bool {
    guard let model = try? ONNXModelProto(serializedBytes: bytes) else { return false }
    return model.hasIrVersion && model.hasGraph && !model.opsetImport.isEmpty
  }

  /// Names of the operators that can be imported.
  public static var supportedOperators: [String] { ONNXTranslator.translations.keys.sorted() }

  private static func graph(
    of model: ONNXModelProto, _ dimensions: [String: Int], _ externalData: String?
  ) throws -> Graph {
    guard model.hasGraph else { throw PackError(.malformed, "the ONNX model has no graph") }
    let sites = try sites(model)
    try requireSupported(sites, functions: model.functions)
    let source = try ONNXTensorSource(model.graph, folder: externalData)
    var translator = ONNXTranslator(source)
    try translator.declareInputs(model.graph.input, ONNXDimensions(dimensions, inputs: model.graph.input))
    for site in sites { try translator.translate(site) }
    try translator.declareOutputs(model.graph.output)
    var graph = translator.build.graph
    graph.name = model.graph.name
    graph.prune()
    try graph.settleQuantization()
    return graph.droppingUnusedTensors()
  }

  private static func sites(_ model: ONNXModelProto) throws -> [ONNXSite] {
    var versions: [String: Int] = [:]
    for set in model.opsetImport {
      guard (1...Int64(Int32.max)).contains(set.version) else {
        throw PackError(.malformed, "the version \(set.version) of an operator set means nothing")
      }
      versions[ONNXSite.prefix(ofDomain: set.domain)] = Int(set.version)
    }
    return try model.graph.node.enumerated().map { index, proto in
      guard let version = versions[ONNXSite.prefix(ofDomain: proto.domain)] else {
        throw PackError(
          .malformed,
          "\(proto.opType), node \(index): the model names no version of the operators of \"\(proto.domain)\"")
      }
      return ONNXSite(proto: proto, index: index, version: version)
    }
  }

  /// Finds all operators without a translation before the first is translated: whoever has to
  /// change a model wants to know them together.
  private static func requireSupported(_ sites: [ONNXSite], functions: [ONNXFunctionProto]) throws {
    let unsupported = sites.filter { ONNXTranslator.translations[$0.name] == nil }
    guard let first = unsupported.first else { return }
    var message = "\(first.origin): this operator is not supported"
    if functions.contains(where: { $0.name == first.proto.opType && $0.domain == first.proto.domain }) {
      message += " (it is a function of the model; inline functions first, with onnx.inliner)"
    }
    message += first.operands
    var named: Set = [first.name]
    let others = unsupported.filter { named.insert($0.name).inserted }.map(\.origin)
    if !others.isEmpty { message += "\n  not supported either: " + others.joined(separator: "; ") }
    message += "\n  supported: " + supportedOperators.joined(separator: ", ")
    throw PackError(.unsupported, message)
  }
}
