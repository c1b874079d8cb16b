import AbacusFormat

/// Turns the nodes of a quantised graph into steps of a program, one file of `Operators/` for each
/// family.
final class Lowering {
  let graph: Graph
  let options: PackOptions
  var program = Program()
  /// Program tensor of each graph tensor that has one.
  private var mapped: [Graph.TensorID: Program.TensorIndex] = [:]

  init(_ graph: Graph, options: PackOptions) {
    self.graph = graph
    self.options = options
  }

  static func lower(_ graph: Graph, options: PackOptions) throws -> Program {
    let lowering = Lowering(graph, options: options)
    try lowering.run()
    return lowering.program
  }

  private func run() throws {
    program.name = graph.name
    for id in graph.inputs {
      let tensor = try makeTensor(id, context: "model input")
      program.inputs.append(tensor)
    }
    if let position = graph.position { try addPosition(position) }
    for node in graph.nodes { try lower(node) }
    for id in graph.outputs { program.outputs.append(try output(id)) }
  }

  private func lower(_ node: Node) throws {
    switch node.operation {
    case .convolution(let window, let groups, let activation):
      try lowerConvolution(node, window, groups: groups, activation)
    case .depthwiseConvolution(let window, let multiplier, let activation):
      try lowerDepthwiseConvolution(node, window, multiplier: multiplier, activation)
    case .fullyConnected(let activation):
      try lowerFullyConnected(node, activation)
    case .matrixMultiply(let transposeA, let transposeB):
      try lowerMatrixMultiply(node, transposeA: transposeA, transposeB: transposeB)
    case .binary(let function, let activation):
      try lowerBinary(node, function, activation)
    case .prelu:
      try lowerPrelu(node)
    case .unary(let function):
      try lowerUnary(node, function)
    case .pool(let kind, let window, let activation):
      try lowerPool(node, kind, window, activation)
    case .reduce(let kind, let axes):
      try lowerReduce(node, kind, axes: axes)
    case .pad(let before, let after, let value, let mode):
      try lowerPad(node, before: before, after: after, value: value, mode)
    case .reshape:
      try lowerReshape(node)
    case .concatenation(let axis, let activation):
      try lowerConcatenation(node, axis: axis, activation)
    case .slice(let starts, let strides):
      try lowerSlice(node, starts: starts, strides: strides)
    case .transpose(let permutation):
      try lowerTranspose(node, permutation: permutation)
    case .gather(let axis, let batchDimensions):
      try lowerGather(node, axis: axis, batchDimensions: batchDimensions)
    case .softmax(let beta):
      try lowerSoftmax(node, beta: beta)
    case .requantize:
      try lowerRequantize(node)
    case .select:
      throw PackError(
        .unsupported,
        "\(node.origin): a choice between values has no integer form, but where it masks the scores of an "
          + "attention: by a constant or integer input of the model, with scores of -10000 or lower")
    case .layerNormalization(let epsilon):
      try lowerNormalization(node, .layer, epsilon: epsilon)
    case .rmsNormalization(let epsilon):
      try lowerNormalization(node, .rootMeanSquare, epsilon: epsilon)
    case .attention(let attributes):
      try lowerAttention(node, attributes)
    case .rotary(let attributes):
      try lowerRotary(node, attributes)
    case .cacheAppend:
      try lowerCacheAppend(node)
    }
  }

  // MARK: Tensors

  /// The input of a node, constant or not. Throws where it is left out.
  func input(_ node: Node, _ position: Int) throws -> Program.TensorIndex {
    guard position < node.inputs.count, let id = node.inputs[position] else {
      throw PackError(.malformed, "\(node.origin): input \(position) is missing")
    }
    if let index = mapped[id] { return index }
    guard let data = graph.tensors[id].data else {
      throw PackError(
        .malformed, "\(node.origin): tensor \"\(graph.tensors[id].name)\" is used before it is computed")
    }
    return try makeConstant(id, data, context: node.origin)
  }

  /// True where an optional input is given.
  func hasInput(_ node: Node, _ position: Int) -> Bool {
    position < node.inputs.count && node.inputs[position] != nil
  }

  /// The graph's tensor behind an input.
  func source(_ node: Node, _ position: Int) throws -> Tensor {
    guard hasInput(node, position), let id = node.inputs[position] else {
      throw PackError(.malformed, "\(node.origin): input \(position) is missing")
    }
    return graph.tensors[id]
  }

  /// A fresh run-time tensor for the output of a node.
  func makeOutput(_ node: Node, _ position: Int = 0) throws -> Program.TensorIndex {
    guard position < node.outputs.count else {
      throw PackError(.malformed, "\(node.origin): it has no output")
    }
    return try makeTensor(node.outputs[position], context: node.origin)
  }

  /// Lets the output of a node be a tensor that exists already (a view).
  func bindOutput(_ node: Node, to index: Program.TensorIndex) {
    mapped[node.outputs[0]] = index
  }

  private func makeTensor(_ id: Graph.TensorID, context: String) throws -> Program.TensorIndex {
    let source = graph.tensors[id]
    try checkShape(source, context: context)
    var tensor = try runTimeTensor(id, context: context)
    tensor.storage = .buffer(program.addBuffer(bytes: tensor.byteCount), offset: 0)
    mapped[id] = program.addTensor(tensor)
    return program.tensors.count - 1
  }

  /// A tensor whose first value is there before any step.
  func bindState(_ id: Graph.TensorID) throws -> Program.TensorIndex { try makeTensor(id, context: "model state") }

  private func makeConstant(
    _ id: Graph.TensorID, _ data: [UInt8], context: String
  ) throws -> Program.TensorIndex {
    let source = graph.tensors[id]
    try checkShape(source, context: context)
    var tensor = try runTimeTensor(id, context: context)
    tensor.storage = .constant(source.type == .int64 ? try narrowed(source) : data)
    mapped[id] = program.addTensor(tensor)
    return program.tensors.count - 1
  }

  private func narrowed(_ tensor: Tensor) throws -> [UInt8] {
    try tensor.integers().flatMap { value -> [UInt8] in
      guard let word = Int32(exactly: value) else {
        throw PackError(.unsupported, "constant \"\(tensor.name)\": \(value) does not fit 32 bits")
      }
      return littleEndianBytes(word)
    }
  }

  private func checkShape(_ tensor: Tensor, context: String) throws {
    guard tensor.shape.count <= Limits.maximumRank else {
      throw PackError(
        .unsupported,
        "\(context): tensor \"\(tensor.name)\" has rank \(tensor.shape.count); at most "
          + "\(Limits.maximumRank) dimensions are supported")
    }
    guard tensor.shape.allSatisfy({ $0 >= 1 }) else {
      throw PackError(
        .unsupported, "\(context): tensor \"\(tensor.name)\" has an empty or unknown dimension: \(tensor.shape)")
    }
    let bytes = tensor.shape.reduce(tensor.type.bytes) { size, extent in
      let (product, overflow) = size.multipliedReportingOverflow(by: extent)
      return overflow ? .max : product
    }
    guard bytes <= Int(Limits.maximumTensorBytes) else {
      throw PackError(.unsupported, "\(context): tensor \"\(tensor.name)\" is larger than 1 GiB")
    }
  }

  /// A tensor as the device has it, with type, scale and zero point but no storage yet.
  private func runTimeTensor(_ id: Graph.TensorID, context: String) throws -> Program.Tensor {
    let tensor = graph.tensors[id]
    func result(_ type: ElementType, scale: Double?, channelScales: [Double]? = nil, zeroPoint: Int = 0) -> Program.Tensor {
      Program.Tensor(
        name: tensor.name, shape: tensor.shape, type: type, scale: scale, channelScales: channelScales,
        zeroPoint: zeroPoint, storage: .scratch)
    }
    if let scale = tensor.quantization?.scales.first(where: { !($0.magnitude < 0x1p28) }) {
      throw PackError(
        .unsupported,
        "\(context): tensor \"\(tensor.name)\" has the scale \(scale); less than 2^28 is supported")
    }
    switch tensor.type {
    case .int32, .int64, .bool:
      return result(.int32, scale: tensor.quantization?.scales.first)
    case .int8, .int16:
      let type = tensor.type == .int8 ? ElementType.int8 : .int16
      guard let quantization = tensor.quantization else { return result(type, scale: nil) }
      if quantization.isPerTensor {
        return result(type, scale: quantization.scales[0], zeroPoint: quantization.zeroPoints[0])
      }
      guard quantization.axis == tensor.shape.count - 1, quantization.scales.count == tensor.shape.last,
        quantization.zeroPoints.allSatisfy({ $0 == 0 })
      else {
        throw PackError(
          .unsupported,
          "\(context): tensor \"\(tensor.name)\" has several scales along dimension \(quantization.axis); "
            + "only weights, and symmetric tensors along their last dimension, may")
      }
      return result(type, scale: nil, channelScales: quantization.scales)
    case .float32, .float16, .float64:
      throw PackError(
        .unsupported,
        "\(context): tensor \"\(tensor.name)\" is \(tensor.type); Abacus executes integers only. "
          + "Quantise the model first (post-training int8 quantisation)")
    default:
      throw PackError(
        .unsupported,
        "\(context): tensor \"\(tensor.name)\" is \(tensor.type); run-time tensors may be int8, "
          + "uint8, int16 or int32")
    }
  }

  /// The program tensor of a model output. A constant is copied to the arena.
  private func output(_ id: Graph.TensorID) throws -> Program.TensorIndex {
    if let index = mapped[id], case .buffer = program.tensors[index].storage { return index }
    let tensor = graph.tensors[id]
    let constant: Program.TensorIndex
    if let index = mapped[id] {
      // A part of a constant.
      constant = index
    } else if let data = tensor.data {
      constant = try makeConstant(id, data, context: "model output")
    } else {
      throw PackError(.malformed, "model output \"\(tensor.name)\" is never computed")
    }
    let target = try makeTensor(id, context: "model output")
    addCopy(from: constant, to: target, origin: "model output \"\(tensor.name)\"")
    return target
  }

  // MARK: Helpers of the operators

  /// An int8 operand with a scale.
  struct Quantized {
    var index: Program.TensorIndex
    var shape: [Int]
    var scale: Double
    var zeroPoint: Int
    /// Largest magnitude of code minus zero point.
    var reach: Int64 { Int64(max(127 - zeroPoint, zeroPoint + 128)) }
    var elementCount: Int { shape.reduce(1, *) }
  }

  /// Asserts that a tensor is int8 with one scale.
  func quantized(_ index: Program.TensorIndex, _ node: Node) throws -> Quantized {
    let tensor = program.tensors[index]
    guard tensor.type == .int8, let scale = tensor.scale, scale > 0, scale.isFinite else {
      throw PackError(
        .unsupported,
        "\(node.origin): tensor \"\(tensor.name)\" is \(tensor.type)"
          + (tensor.channelScales != nil ? " with several scales" : tensor.scale == nil ? " without a scale" : "")
          + "; this operator takes int8 (or uint8) tensors with one scale" + Self.advice(tensor.type))
    }
    guard (-128...127).contains(tensor.zeroPoint) else {
      throw PackError(
        .malformed,
        "\(node.origin): zero point \(tensor.zeroPoint) of tensor \"\(tensor.name)\" is not an int8")
    }
    return Quantized(
      index: index, shape: tensor.shape, scale: scale, zeroPoint: tensor.zeroPoint)
  }

  /// What to do about an operand of a type that an operator does not take.
  private static func advice(_ type: ElementType) -> String {
    type == .int16
      ? " (16 bits: fully connected layers, normalisations, sums, products, GELU and its kin, and queries of "
        + "attention; pack --calibrate chooses types anew)" : ""
  }

  /// A constant without a scale: multipliers, tables, indices.
  func addConstant(
    _ name: String, shape: [Int], type: ElementType, _ bytes: [UInt8]
  ) -> Program.TensorIndex {
    program.addTensor(
      Program.Tensor(
        name: name, shape: shape, type: type, scale: nil, zeroPoint: 0, storage: .constant(bytes)))
  }

  func addScratch(bytes: Int, origin: String) -> Program.TensorIndex { addScratch(bytes, .int8, origin) }

  /// Working memory of 32-bit words.
  func addScratch(words: Int, origin: String) -> Program.TensorIndex { addScratch(words, .int32, origin) }

  private func addScratch(_ count: Int, _ type: ElementType, _ origin: String) -> Program.TensorIndex {
    program.addTensor(
      Program.Tensor(
        name: "scratch of \(origin)", shape: [count], type: type, scale: nil, zeroPoint: 0, storage: .scratch))
  }

  /// A run-time tensor that the graph does not know.
  func addTemporary(like tensor: Program.TensorIndex, name: String) -> Program.TensorIndex {
    var copy = program.tensors[tensor]
    copy.name = name
    copy.storage = .buffer(program.addBuffer(bytes: copy.byteCount), offset: 0)
    return program.addTensor(copy)
  }

  /// Output stage of an int8 result, with the clamp of a fused activation.
  func stage(_ output: Quantized, _ activation: Activation, shift: Int32) -> OutputStage {
    func code(_ real: Double) -> Int32 {
      Int32(min(max((real / output.scale).rounded() + Double(output.zeroPoint), -128), 127))
    }
    var low: Int32 = -128
    var high: Int32 = 127
    switch activation {
    case .none: break
    case .relu: low = code(0)
    case .relu6: (low, high) = (code(0), code(6))
    case .reluN1To1: (low, high) = (code(-1), code(1))
    }
    return OutputStage(shift: shift, zeroPoint: Int32(output.zeroPoint), low: low, high: high)
  }

  /// Throws unless an accumulator fits 32 bits.
  func proveBound(_ bound: Int64, _ node: Node) throws {
    guard bound <= Int64(Int32.max) else {
      throw PackError(
        .unsupported,
        "\(node.origin): an accumulator may reach \(bound), which does not fit 32 bits; split the "
          + "layer along its inputs")
    }
  }

  /// Throws unless a factor between scales is one that a dyadic multiplier can hold.
  func checkFactor(_ factor: Double, _ node: Node) throws {
    guard factor.isFinite, factor.magnitude < 0x1p28 else {
      throw PackError(
        .unsupported, "\(node.origin): the ratio of its scales is \(factor); less than 2^28 is supported")
    }
  }
}

/// The bytes of a fixed-layout record or integer.
func littleEndianBytes<Value: BitwiseCopyable>(_ value: Value) -> [UInt8] {
  withUnsafeBytes(of: value) { Array($0) }
}

extension Tensor {
  /// Elements of an integer constant.
  func integers() throws -> [Int] {
    guard let data else { throw PackError(.malformed, "tensor \"\(name)\" is not a constant") }
    func load<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) -> [Int] {
      data.withUnsafeBytes { raw in
        (0..<raw.count / MemoryLayout<T>.size).map {
          Int(truncatingIfNeeded: raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: T.self))
        }
      }
    }
    switch type {
    case .int8, .int4: return load(Int8.self)
    case .uint8, .bool: return load(UInt8.self)
    case .int16: return load(Int16.self)
    case .uint16: return load(UInt16.self)
    case .int32: return load(Int32.self)
    case .uint32: return load(UInt32.self)
    case .int64, .uint64: return load(Int64.self)
    case .float16, .float32, .float64:
      throw PackError(.malformed, "tensor \"\(name)\" is \(type), expected integers")
    }
  }
}
