/// Builds a ``Graph`` from a file's nodes, one after the other.
///
/// The translations of the operators stand in extensions, by family; they use what is here: operands
/// with their checks, and the vocabulary of ``GraphBuilder``. Values keep ONNX's order of dimensions
/// (images are [n, channels, height, width]); operations that want another order are wrapped in
/// transposes.
struct ONNXTranslator {
  var build = GraphBuilder()
  private let source: ONNXTensorSource
  /// The node at hand.
  private(set) var site: ONNXSite!
  /// Its inputs in the graph.
  private(set) var inputs: [Graph.TensorID?] = []
  /// What stands for the results of dynamic quantisation, with the real values behind it.
  var dynamic: [Graph.TensorID: Graph.TensorID] = [:]
  /// Inputs of the model that are empty, and what the first run of a key/value cache is then: with
  /// nothing before it, the new part alone.
  var empty: Set<Graph.TensorID> = []
  var caches: Set<Graph.TensorID> = []
  /// Constants that the model stores with 4 bits.
  var narrow: Set<Graph.TensorID> = []
  /// The graph's tensor for each of the file's values met so far.
  private var values: [String: Graph.TensorID] = [:]

  init(_ source: ONNXTensorSource) { self.source = source }

  // MARK: Inputs and outputs of the model

  mutating func declareInputs(_ inputs: [ONNXValueInfoProto], _ dimensions: ONNXDimensions) throws {
    // Older files list constants among the inputs, too.
    for input in inputs where !source.isInitializer(input.name) {
      guard input.type.hasTensorType else {
        throw PackError(.unsupported, "the input \"\(input.name)\" of the model is not a tensor")
      }
      let type: DataType
      do {
        type = try ONNXTensorSource.type(ofCode: input.type.tensorType.elemType)
        guard !ONNXTensorSource.isNarrow(input.type.tensorType.elemType) else {
          throw PackError(.unsupported, "integers of 4 bits are supported as constants only")
        }
      } catch let error as PackError {
        throw PackError(error.kind, "the input \"\(input.name)\" of the model: \(error.description)")
      }
      let shape = try dimensions.shape(of: input)
      guard Shapes.elementCount(shape) != nil else {
        throw PackError(
          .malformed,
          "the input \"\(input.name)\" has the shape \(shape), which is not below 2^30 elements and "
            + "\(Shapes.maximumRank) dimensions")
      }
      try define(input.name, declareInput(Tensor(name: input.name, shape: shape, type: type)))
    }
  }

  /// An input of the model, or what is known of it: an empty one is nothing, and the positions of
  /// transformers count from 0 on.
  private mutating func declareInput(_ tensor: Tensor) -> Graph.TensorID {
    var constant = tensor
    if tensor.elementCount == 0 {
      constant.data = []
      let id = build.add(constant)
      empty.insert(id)
      return id
    }
    guard tensor.name == "position_ids", [.int32, .int64].contains(tensor.type),
      tensor.shape.dropLast().allSatisfy({ $0 == 1 }), tensor.elementCount <= GraphBuilder.maximumFoldedElements
    else { return build.declareInput(tensor) }
    constant.data = Tensor.data(of: Array(0..<tensor.elementCount), bytes: tensor.type.bytes)
    return build.add(constant)
  }

  mutating func declareOutputs(_ outputs: [ONNXValueInfoProto]) throws {
    guard !outputs.isEmpty else { throw PackError(.malformed, "the model has no outputs") }
    for output in outputs {
      build.origin = "output \"\(output.name)\""
      guard var id = try value(output.name) else {
        throw PackError(.malformed, "the output \"\(output.name)\" of the model is computed by no node")
      }
      // A cache for the next run is no output: decoders here have caches of their own.
      if caches.contains(id) { continue }
      try check(output, build.shape(id))
      guard build[id].elementCount > 0 else {
        throw PackError(.unsupported, "the output \"\(output.name)\" \(build.shape(id)) is empty")
      }
      guard dynamic[id] == nil else {
        throw PackError(.unsupported, "the output \"\(output.name)\" is a result of dynamic quantisation")
      }
      let declared = try? ONNXTensorSource.type(ofCode: output.type.tensorType.elemType)
      if declared == .float32, build[id].type != .float32 {
        id = try build.add(.requantize, [id], shape: build.shape(id))
      } else if build.producers[id] == nil || build.graph.outputs.contains(id) {
        // An output is a tensor of its own.
        id = try build.add(
          .reshape, [id], shape: build.shape(id), type: build[id].type, quantization: build[id].quantization)
      }
      build.declareOutput(id, named: output.name)
    }
    guard !build.graph.outputs.isEmpty else {
      throw PackError(.unsupported, "the model's outputs are all parts of a key/value cache")
    }
  }

  /// Fixed dimensions that the file states must be those that its nodes imply.
  private func check(_ output: ONNXValueInfoProto, _ shape: [Int]) throws {
    guard output.type.hasTensorType, output.type.tensorType.hasShape else { return }
    let stated = output.type.tensorType.shape.dim
    let agrees =
      stated.count == shape.count
      && zip(stated, shape).dropFirst().allSatisfy { dimension, extent in
        guard case .dimValue(let value)? = dimension.value, value > 0 else { return true }
        return Int(value) == extent
      }
    guard agrees else {
      throw PackError(
        .malformed,
        "the nodes imply the shape \(shape) for the output \"\(output.name)\", which is not what the model states")
    }
  }

  // MARK: Nodes

  mutating func translate(_ site: ONNXSite) throws {
    self.site = site
    build.origin = site.origin
    do {
      inputs = try site.proto.input.map { name in
        if name.isEmpty { return nil }
        guard let id = try value(name) else {
          throw PackError(.malformed, "\"\(name)\" is read before any node has computed it")
        }
        return id
      }
      guard let translation = Self.translations[site.name] else {
        throw PackError(.unsupported, "this operator is not supported")
      }
      guard site.name.hasSuffix("Integer") || !inputs.contains(where: { $0.map { dynamic[$0] != nil } ?? false }) else {
        throw PackError(
          .unsupported, "reads a result of dynamic quantisation, which only ConvInteger and MatMulInteger may")
      }
      let first = build.graph.tensors.count
      try name(try translation(&self), first)
    } catch let error as PackError {
      throw PackError(error.kind, "\(site.origin): \(error.description)" + site.operands)
    }
  }

  /// Gives the results to the node's outputs, and names to all tensors since `first`.
  private mutating func name(_ results: [Graph.TensorID], _ first: Graph.TensorID) throws {
    let names = site.proto.output
    guard let main = names.first(where: { !$0.isEmpty }) else {
      throw PackError(.malformed, "has no output")
    }
    for (output, name) in names.enumerated() where !name.isEmpty {
      guard output < results.count else {
        throw PackError(.unsupported, "its output \(output), \"\(name)\", is not supported")
      }
      try define(name, results[output])
      build.name(results[output], name)
    }
    for id in first..<build.graph.tensors.count { build.name(id, "\(main) (\(id - first))") }
  }

  private mutating func define(_ name: String, _ id: Graph.TensorID) throws {
    guard !source.isInitializer(name), values.updateValue(id, forKey: name) == nil else {
      throw PackError(.malformed, "\"\(name)\" already has a value and is computed again")
    }
  }

  private mutating func value(_ name: String) throws -> Graph.TensorID? {
    if let id = values[name] { return id }
    guard let constant = try source.initializer(name) else { return nil }
    let id = build.add(constant)
    if source.isNarrow(name) { narrow.insert(id) }
    values[name] = id
    return id
  }

  /// A constant that is an attribute.
  func constant(_ proto: ONNXTensorProto) throws -> Tensor { try source.tensor(proto) }

  // MARK: Operands, for the translations

  /// Checks the number of inputs; those that are required must not be left out.
  func expect(inputs range: ClosedRange<Int>) throws {
    guard range.contains(inputs.count), inputs.prefix(range.lowerBound).allSatisfy({ $0 != nil }) else {
      let wanted = range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
      throw PackError(.malformed, "needs \(wanted) inputs, none of the first \(range.lowerBound) left out")
    }
  }

  func id(_ input: Int) throws -> Graph.TensorID {
    guard let id = optional(input) else { throw PackError(.malformed, "input \(input) is left out") }
    return id
  }

  func optional(_ input: Int) -> Graph.TensorID? { inputs.indices.contains(input) ? inputs[input] : nil }

  func tensor(_ input: Int) throws -> Tensor { build[try id(input)] }

  func shape(_ input: Int) throws -> [Int] { try tensor(input).shape }

  /// The elements of a constant int32 or int64 input; `what` names it. They are clamped as
  /// attributes are.
  func integers(_ input: Int, _ what: String, count: Int? = nil) throws -> [Int] {
    let tensor = try tensor(input)
    guard tensor.type == .int32 || tensor.type == .int64 else {
      throw PackError(.malformed, "\(what) (input \(input)) must be of type int32 or int64")
    }
    guard let values = tensor.indexValues else { throw Self.mustBeConstant(what, input) }
    guard count == nil || values.count == count else {
      throw PackError(
        .malformed, "\(what) (input \(input)) must have \(count!) elements, has \(values.count)")
    }
    return values.map { ONNXSite.clamped(Int64($0)) }
  }

  /// The real values of a constant input.
  func reals(_ input: Int, _ what: String, count: Int? = nil) throws -> [Double] {
    guard let values = try tensor(input).knownReals else { throw Self.mustBeConstant(what, input) }
    guard count == nil || values.count == count else {
      throw PackError(
        .malformed, "\(what) (input \(input)) must have \(count!) elements, has \(values.count)")
    }
    return values
  }

  static func mustBeConstant(_ what: String, _ input: Int) -> PackError {
    PackError(
      .unsupported, "\(what) (input \(input)) must be constant; values computed at run time are not supported")
  }

  /// Integers that stand in an attribute in older versions and in an input in newer ones.
  func integers(attribute: String, orInput input: Int, _ what: String) throws -> [Int]? {
    if optional(input) != nil { return try integers(input, what) }
    return try site.ints(attribute)
  }

  /// The dimension that an attribute names.
  func axis(_ attribute: String = "axis", default value: Int, rank: Int) throws -> Int {
    try Shapes.resolve(axis: site.int(attribute, default: value), rank: rank)
  }

  func resolve(axes: [Int], rank: Int) throws -> [Int] {
    let resolved = try axes.map { try Shapes.resolve(axis: $0, rank: rank) }
    guard Set(resolved).count == axes.count else {
      throw PackError(.malformed, "the dimensions \(axes) are not distinct")
    }
    return resolved
  }
}
