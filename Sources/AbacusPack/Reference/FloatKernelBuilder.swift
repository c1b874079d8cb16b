/// Computes the elements of a node's output from those of its inputs; an input that is left out is
/// an empty array. Shapes were settled when the kernel was built.
typealias FloatKernel = @Sendable (_ inputs: [[Float]]) throws -> [Float]

/// Checks a node's shapes and makes the kernel that computes it. One extension a family of
/// operations, in the files beside this one.
struct FloatKernelBuilder {
  let graph: Graph
  let node: Node
  /// Values of the graph's constants, one entry a tensor.
  let constants: [FloatTensor?]

  /// Results on a grid are rounded to it.
  func kernel() throws -> FloatKernel {
    let (compute, target) = (try real(), output)
    guard let quantization = target.quantization else { return compute }
    try target.checkQuantization(quantization)
    return { target.onGrid(try compute($0)) }
  }

  /// The real results, whatever the output stores.
  private func real() throws -> FloatKernel {
    switch node.operation {
    case .convolution(let window, let groups, let activation):
      try convolution(window, groups: groups, activation)
    case .depthwiseConvolution(let window, let multiplier, let activation):
      try depthwiseConvolution(window, multiplier: multiplier, activation)
    case .fullyConnected(let activation): try fullyConnected(activation)
    case .matrixMultiply(let transposeA, let transposeB):
      try matrixMultiply(transposeA: transposeA, transposeB: transposeB)
    case .binary(let function, let activation): try binary(function, activation)
    case .select: try select()
    case .unary(let function): try unary(function)
    case .prelu: try prelu()
    case .pool(let kind, let window, let activation): try pool(kind, window, activation)
    case .reduce(let kind, let axes): try reduce(kind, axes: axes)
    case .pad(let before, let after, let value, let mode):
      try pad(before: before, after: after, value: value, mode)
    case .reshape: try reshape()
    case .concatenation(let axis, let activation): try concatenation(axis: axis, activation)
    case .slice(let starts, let strides): try slice(starts: starts, strides: strides)
    case .transpose(let permutation): try transpose(permutation)
    case .gather(let axis, let batchDimensions):
      try gather(axis: axis, batchDimensions: batchDimensions)
    case .softmax(let beta): try softmax(beta: beta)
    case .requantize: try requantize()
    case .layerNormalization(let epsilon): try layerNormalization(epsilon: epsilon)
    case .rmsNormalization(let epsilon): try rmsNormalization(epsilon: epsilon)
    case .attention(let attributes): try attention(attributes)
    case .rotary(let attributes): try rotary(attributes)
    case .cacheAppend:
      throw PackError(
        .unsupported,
        "\(node.origin): a cache lives from run to run and has no float evaluation; evaluate the graph "
          + "that reads a whole context at once")
    }
  }

  // MARK: Operands

  func hasInput(_ position: Int) -> Bool {
    node.inputs.indices.contains(position) && node.inputs[position] != nil
  }

  func shape(_ position: Int) throws -> [Int] {
    guard hasInput(position), let id = node.inputs[position] else {
      throw malformed("input \(position) is missing")
    }
    return graph.tensors[id].shape
  }

  /// Values of an input that is constant.
  func constant(_ position: Int) -> [Float]? {
    hasInput(position) ? node.inputs[position].flatMap { constants[$0]?.values } : nil
  }

  var output: Tensor { graph.tensors[node.outputs[0]] }

  func malformed(_ what: String) -> PackError { PackError(.malformed, "\(node.origin): \(what)") }

  /// Throws where an optional operand (bias, scale) is there but not of `count` elements.
  func checkOptional(_ position: Int, count: Int, _ what: String) throws {
    guard hasInput(position) else { return }
    let shape = try shape(position)
    guard shape.reduce(1, *) == count else {
      throw malformed("\(what) of shape \(shape), expected \(count) elements")
    }
  }

  /// Throws where shapes do not make up the output.
  func expectOutput(_ condition: Bool, from shapes: [Int]...) throws {
    guard condition else {
      let inputs = shapes.map(\.description).joined(separator: " and ")
      throw malformed("\(inputs) do not give the output \(output.shape)")
    }
  }
}

extension [Float] {
  /// An array of `count` elements that `fill` sets, every one of them.
  init(count: Int, filledBy fill: (UnsafeMutablePointer<Float>) throws -> Void) rethrows {
    try self.init(unsafeUninitializedCapacity: count) { buffer, initialized in
      if let base = buffer.baseAddress { try fill(base) }
      initialized = count
    }
  }
}

extension Activation {
  /// Clamps every element as the activation says.
  func apply(to values: inout [Float]) {
    let (low, high): (Float, Float)
    switch self {
    case .none: return
    case .relu: (low, high) = (0, .infinity)
    case .relu6: (low, high) = (0, 6)
    case .reluN1To1: (low, high) = (-1, 1)
    }
    for index in values.indices { values[index] = min(max(values[index], low), high) }
  }
}
