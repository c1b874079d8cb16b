/// Builds a ``Graph`` from a file's operators, one after the other.
///
/// The translations of the operators stand in extensions, by family; they use what is here: operands
/// with their checks, inferred shapes, and nodes.
struct TFLiteTranslator {
  var graph = Graph()
  let source: TFLiteTensorSource
  /// The operator at hand.
  private(set) var site: TFLiteOperatorSite!
  /// Its operands in the graph.
  private var inputs: [Graph.TensorID?] = []
  private var outputs: [Graph.TensorID] = []

  /// The graph's tensor for each of the file's tensors met so far.
  private var ids: [Int: Graph.TensorID] = [:]
  /// Tensors that have a value at this point.
  private var defined: Set<Graph.TensorID> = []

  init(_ source: TFLiteTensorSource) { self.source = source }

  // MARK: Inputs and outputs of the model

  mutating func declareInputs(_ indices: [Int]) throws {
    for index in indices {
      let id = try tensor(ofFile: index, "an input of the model")
      let tensor = graph.tensors[id]
      guard !tensor.isConstant, defined.insert(id).inserted else {
        throw PackError(
          .malformed, "\(source.describe(index)): an input of the model must not be constant or listed twice")
      }
      guard tensor.elementCount > 0 else {
        throw PackError(.malformed, "\(source.describe(index)): an input of the model must not be empty")
      }
      // The first dimension is the batch, and 1 is what a device wants. Another dimension that is
      // known at run time only stands in the file as 1, too, but that is not what the model means.
      let signature = try source.tensors[index].shapeSignature() ?? tensor.shape
      guard signature.count == tensor.shape.count,
        zip(signature, tensor.shape).dropFirst().allSatisfy({ $0 != -1 || $1 != 1 })
      else {
        throw PackError(
          .unsupported,
          "\(source.describe(index)): this input of the model has dimensions known at run time only "
            + "(its signature is \(signature)); convert the model with fixed dimensions, except the first"
        )
      }
      graph.inputs.append(id)
    }
  }

  mutating func declareOutputs(_ indices: [Int]) throws {
    guard !indices.isEmpty else { throw PackError(.malformed, "the model has no outputs") }
    for index in indices {
      let id = try tensor(ofFile: index, "an output of the model")
      guard graph.tensors[id].isConstant || defined.contains(id) else {
        throw PackError(
          .malformed, "\(source.describe(index)): this output of the model is computed by no operator")
      }
      graph.outputs.append(id)
    }
  }

  // MARK: Operators

  mutating func translate(_ site: TFLiteOperatorSite) throws {
    self.site = site
    do {
      try resolveOperands()
      guard let translation = Self.translations[site.name] else {
        throw PackError(.unsupported, "this operator is not supported")
      }
      try translation(&self)
      defined.formUnion(outputs)
    } catch let error as PackError {
      throw PackError(error.kind, "\(site.origin): \(error.description)" + site.operands(source))
    }
  }

  private mutating func resolveOperands() throws {
    inputs = []
    for index in site.inputs {
      if index == -1 {
        inputs.append(nil)
        continue
      }
      let id = try tensor(ofFile: index, "an input")
      if graph.tensors[id].elementCount == 0, !defined.contains(id) {
        // The list of no extents that makes a scalar, say: nothing to store, so no buffer.
        graph.tensors[id].data = []
      }
      guard graph.tensors[id].isConstant || defined.contains(id) else {
        guard try !source.tensors[index].isVariable() else {
          throw PackError(
            .unsupported, "\(source.name(index)) keeps its value from run to run, which is not supported")
        }
        throw PackError(.malformed, "\(source.name(index)) is read before any operator has computed it")
      }
      inputs.append(id)
    }
    outputs = []
    for index in site.outputs {
      let id = try tensor(ofFile: index, "an output")
      guard !graph.tensors[id].isConstant, !defined.contains(id), !outputs.contains(id) else {
        throw PackError(.malformed, "\(source.name(index)) already has a value and is computed again")
      }
      outputs.append(id)
    }
  }

  private mutating func tensor(ofFile index: Int, _ role: String) throws -> Graph.TensorID {
    if let id = ids[index] { return id }
    guard source.tensors.indices.contains(index) else {
      throw PackError(
        .malformed, "tensor \(index), named as \(role), does not exist: there are \(source.tensors.count)")
    }
    let id = graph.add(try source.tensor(index))
    ids[index] = id
    return id
  }

  // MARK: Operands, for the translations

  var inputCount: Int { inputs.count }
  var outputCount: Int { outputs.count }

  /// Checks the number of operands. Trailing inputs may also be there and left out (-1).
  func expect(inputs range: ClosedRange<Int>, outputs count: Int = 1) throws {
    guard range.contains(inputs.count), inputs.prefix(range.lowerBound).allSatisfy({ $0 != nil }) else {
      let wanted = range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
      throw PackError(.malformed, "needs \(wanted) inputs, none of the first \(range.lowerBound) left out")
    }
    guard outputs.count == count else {
      throw PackError(.malformed, "needs \(count) outputs, has \(outputs.count)")
    }
  }

  /// The graph's index of an input that ``expect(inputs:outputs:)`` has found present.
  func id(_ input: Int) throws -> Graph.TensorID {
    guard let id = optional(input) else { throw PackError(.malformed, "input \(input) is left out") }
    return id
  }

  func optional(_ input: Int) -> Graph.TensorID? { inputs.indices.contains(input) ? inputs[input] : nil }

  func tensor(_ input: Int) throws -> Tensor { graph.tensors[try id(input)] }

  func outputTensor(_ output: Int = 0) -> Tensor { graph.tensors[outputs[output]] }

  /// The shape of an input that is not empty.
  func shape(_ input: Int, rank: Int? = nil) throws -> [Int] {
    let shape = try tensor(input).shape
    guard !shape.contains(0) else { throw PackError(.malformed, "input \(input) is empty") }
    if let rank, shape.count != rank {
      throw PackError(.malformed, "input \(input) must have \(rank) dimensions")
    }
    return shape
  }

  /// The elements of a constant int32 or int64 input; `what` names it. They are clamped to 33 bits
  /// (nothing larger is an index or extent), so that sums and products of two cannot overflow.
  func integers(_ input: Int, _ what: String, count: Int? = nil) throws -> [Int] {
    let tensor = try tensor(input)
    guard tensor.type == .int32 || tensor.type == .int64 else {
      throw PackError(.malformed, "\(what) (input \(input)) must be of type int32 or int64")
    }
    guard let values = tensor.indexValues else {
      throw PackError(
        .unsupported,
        "\(what) (input \(input)) must be constant; values computed at run time are not supported")
    }
    guard count == nil || values.count == count else {
      throw PackError(
        .malformed, "\(what) (input \(input)) must have \(count!) elements, has \(values.count)")
    }
    return values.map { min(max($0, -1 << 32), 1 << 32) }
  }

  // MARK: Results, for the translations

  /// Gives an output the shape that the operator implies. The file must agree, except where it
  /// leaves a dimension or the whole shape open.
  mutating func settle(_ shape: [Int], output: Int = 0) throws {
    let stored = outputTensor(output).shape
    guard let count = Shapes.elementCount(shape), count > 0 else {
      throw PackError(
        .malformed,
        "the operator implies the shape \(shape) for output \(output), which is empty or too large")
    }
    let signature = try source.tensors[site.outputs[output]].shapeSignature() ?? stored
    let agrees =
      stored.isEmpty
      || shape.count == stored.count && signature.count == stored.count
        && shape.indices.allSatisfy { shape[$0] == stored[$0] || signature[$0] == -1 }
    guard agrees else {
      throw PackError(
        .malformed, "the operator implies the shape \(shape) for output \(output), the file says \(stored)")
    }
    graph.tensors[outputs[output]].shape = shape
  }

  /// Moving elements must not change their type.
  func requireSameType(_ input: Int = 0) throws {
    let type = try tensor(input).type
    for output in outputs where graph.tensors[output].type != type {
      throw PackError(.malformed, "inputs and outputs must be of the same type")
    }
  }

  /// A tensor between two nodes of one operator.
  mutating func intermediate(_ what: String, like id: Graph.TensorID, shape: [Int]) throws -> Graph.TensorID {
    guard Shapes.elementCount(shape) ?? 0 > 0 else {
      throw PackError(
        .malformed, "the operator implies the shape \(shape) on the way, which is empty or too large")
    }
    let model = graph.tensors[id]
    return graph.add(
      Tensor(
        name: "\(model.name) (\(what))", shape: shape, type: model.type, quantization: model.quantization))
  }

  /// Appends a node that computes the operator's output from all of its inputs.
  mutating func emit(_ operation: Operation) { emit(operation, inputs, outputs[0]) }

  /// Appends a node that computes an output of the operator.
  mutating func emit(_ operation: Operation, _ inputs: [Graph.TensorID?], output: Int = 0) {
    emit(operation, inputs, outputs[output])
  }

  /// Appends a node, or where all is constant and integer (arithmetic on shapes), its result.
  mutating func emit(_ operation: Operation, _ inputs: [Graph.TensorID?], _ output: Graph.TensorID) {
    let operands = inputs.compactMap { $0.map { graph.tensors[$0] } }
    if let values = IntegerFolding.evaluate(operation, operands, output: graph.tensors[output]) {
      define(output, values)
    } else {
      graph.nodes.append(Node(operation, inputs: inputs, outputs: [output], origin: site.origin))
    }
  }

  /// Makes an output of the operator constant.
  mutating func define(output: Int = 0, data: [UInt8]) { graph.tensors[outputs[output]].data = data }

  /// Makes an output of the operator, of type int32 or int64, constant.
  mutating func define(output: Int = 0, _ values: [Int]) { define(outputs[output], values) }

  private mutating func define(_ id: Graph.TensorID, _ values: [Int]) {
    graph.tensors[id].data = Tensor.data(of: values, bytes: graph.tensors[id].type.bytes)
  }
}
