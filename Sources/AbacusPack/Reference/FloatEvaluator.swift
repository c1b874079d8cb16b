/// What a float graph computes, in float32: the reference for calibration and for every report of
/// what quantisation costs.
///
/// Everything that depends on the graph alone (shapes, decoded constants, the order in which memory
/// is freed) is settled once by the initializer. Quantised constants stand for their real values;
/// a requantisation to a tensor with a scale rounds and clamps to its grid, so that graphs with
/// quantise/dequantise pairs evaluate as they would behave quantised.
public struct FloatEvaluator: Sendable {
  private let tensors: [Tensor]
  private let inputs: [Graph.TensorID]
  private let outputs: [Graph.TensorID]
  /// One entry a tensor; nil for what is not constant.
  private let constants: [FloatTensor?]
  private let steps: [Step]

  private struct Step: Sendable {
    var inputs: [Graph.TensorID?]
    var output: Graph.TensorID
    var compute: FloatKernel
    /// Tensors that nothing needs after this step.
    var dead: [Graph.TensorID] = []
  }

  /// Throws where a node has no float meaning or its shapes do not go together, with its name.
  public init(_ graph: Graph) throws {
    tensors = graph.tensors
    inputs = graph.inputs
    outputs = graph.outputs
    constants = try Self.decodeConstants(graph)
    steps = try Self.steps(graph, constants)
  }

  /// Computes the outputs of one sample, in the order of the graph's outputs.
  ///
  /// - Parameters:
  ///   - samples: one tensor for each input of the graph, with as many elements as it asks for;
  ///     real values, also where the graph's input is quantised.
  ///   - observe: called with each input and each node's output right after it is computed.
  public func evaluate(
    _ samples: [FloatTensor], observe: ((Graph.TensorID, FloatTensor) -> Void)? = nil
  ) throws -> [FloatTensor] {
    var values = try start(samples)
    for id in inputs { observe?(id, values[id]!) }
    for step in steps.indices {
      let result = try compute(step, values)
      observe?(steps[step].output, result)
      store(result, step, in: &values)
    }
    return outputs.map { values[$0] ?? constants[$0]! }
  }

  // MARK: Node by node

  /// What a sample has come to: the values of run-time tensors that nodes still need.
  typealias Values = [Graph.TensorID: FloatTensor]

  /// The output of the graph's node `step`.
  ///
  /// - Parameter replaced: constants that have other values than the graph says.
  func compute(_ step: Int, _ values: Values, replacing replaced: [Graph.TensorID: [Float]] = [:]) throws -> FloatTensor {
    let step = steps[step]
    let operands = step.inputs.map { id in
      id.flatMap { replaced[$0] ?? values[$0]?.values ?? constants[$0]?.values } ?? []
    }
    return FloatTensor(shape: tensors[step.output].shape, values: try step.compute(operands))
  }

  /// Takes in the output of a node, and lets go of what nothing needs behind it.
  func store(_ result: FloatTensor, _ step: Int, in values: inout Values) {
    values[steps[step].output] = result
    for id in steps[step].dead { values[id] = nil }
  }

  /// The inputs of a sample.
  func start(_ samples: [FloatTensor]) throws -> Values {
    var values: Values = [:]
    guard samples.count == inputs.count else {
      throw PackError(
        .file, "the model has \(inputs.count) inputs, but the sample has \(samples.count) tensors")
    }
    for (id, sample) in zip(inputs, samples) {
      let tensor = tensors[id]
      guard sample.values.count == tensor.elementCount else {
        throw PackError(
          .file,
          "input \"\(tensor.name)\": a sample of \(sample.values.count) values "
            + "(\(NumericArray.text(sample.shape))); the model wants \(NumericArray.text(tensor.shape))")
      }
      values[id] = FloatTensor(shape: tensor.shape, values: sample.values)
    }
    return values
  }

  // MARK: Preparation

  /// Real values of the constants that nodes or outputs use.
  private static func decodeConstants(_ graph: Graph) throws -> [FloatTensor?] {
    var constants = [FloatTensor?](repeating: nil, count: graph.tensors.count)
    for id in graph.nodes.flatMap({ $0.inputs.compactMap { $0 } }) + graph.outputs
    where constants[id] == nil && graph.tensors[id].isConstant {
      try checkShape(graph.tensors[id])
      constants[id] = FloatTensor(
        shape: graph.tensors[id].shape, values: try graph.tensors[id].realValues())
    }
    return constants
  }

  private static func steps(_ graph: Graph, _ constants: [FloatTensor?]) throws -> [Step] {
    var known = Set(graph.inputs + constants.indices.filter { constants[$0] != nil })
    for id in graph.inputs { try checkShape(graph.tensors[id]) }
    var steps: [Step] = []
    for node in graph.nodes {
      guard node.outputs.count == 1, let output = node.outputs.first else {
        throw PackError(.malformed, "\(node.origin): \(node.outputs.count) outputs, expected one")
      }
      for id in node.inputs.compactMap({ $0 }) where !known.contains(id) {
        throw PackError(
          .malformed,
          "\(node.origin): its input \"\(graph.tensors[id].name)\" is neither constant nor computed before it")
      }
      try checkShape(graph.tensors[output])
      let builder = FloatKernelBuilder(graph: graph, node: node, constants: constants)
      steps.append(Step(inputs: node.inputs, output: output, compute: try builder.kernel()))
      known.insert(output)
    }
    for id in graph.outputs where !known.contains(id) {
      throw PackError(.malformed, "nothing computes the output \"\(graph.tensors[id].name)\"")
    }
    freeEarly(&steps, keeping: graph.outputs, constants)
    return steps
  }

  /// Lets every step name what is not needed after it.
  private static func freeEarly(
    _ steps: inout [Step], keeping outputs: [Graph.TensorID], _ constants: [FloatTensor?]
  ) {
    var needed = Set(outputs)
    for position in steps.indices.reversed() {
      let touched = Set(steps[position].inputs.compactMap { $0 } + [steps[position].output])
      steps[position].dead = touched.filter { needed.insert($0).inserted && constants[$0] == nil }
    }
  }

  /// Shapes of a graph come from files: their products must be formed with care, once.
  private static func checkShape(_ tensor: Tensor) throws {
    guard let bytes = NumericArray.byteCount(shape: tensor.shape, type: .float32),
      (4...1 << 30).contains(bytes)
    else {
      throw PackError(
        .unsupported,
        "tensor \"\(tensor.name)\": shape \(tensor.shape); from 1 to 2^28 elements can be evaluated")
    }
  }
}
