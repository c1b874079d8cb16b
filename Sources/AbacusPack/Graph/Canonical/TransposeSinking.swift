extension GraphEditor {
  /// A transpose before an operation that does not mind becomes one after it, where it may meet and
  /// cancel others: element-wise functions, reductions, pads, slices, concatenations, and what works
  /// along the last dimension if that stays the last.
  func sinkTranspose(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), let transposed = runTimeInput(node) else { return false }
    switch node.operation {
    case .binary, .prelu:
      return try sinkThroughCombination(node)
    case .concatenation(let axis, let activation):
      guard let permutation = node.inputs.lazy.compactMap({ $0.flatMap(self.transpose)?.permutation }).first
      else { return false }
      return try sinkThrough(node, .concatenation(axis: permutation[axis], activation), permutation)
    case .matrixMultiply:
      return try absorbTranspose(node)
    default:
      break
    }
    guard node.inputs[0] == transposed, let (x, permutation) = transpose(transposed) else { return false }
    let last = permutation.count - 1
    switch node.operation {
    case .unary:
      return try sink(node, node.operation, x, permutation)
    case .softmax, .layerNormalization, .rmsNormalization, .fullyConnected:
      guard permutation[last] == last, hasConstantParameters(node) else { return false }
      return try sink(node, node.operation, x, permutation)
    case .pad(let before, let after, let value, let mode):
      let operation = Operation.pad(
        before: unpermuted(before, permutation), after: unpermuted(after, permutation), value: value, mode)
      return try sink(node, operation, x, permutation)
    case .slice(let starts, let strides):
      let operation = Operation.slice(
        starts: unpermuted(starts, permutation), strides: unpermuted(strides, permutation))
      return try sink(node, operation, x, permutation)
    case .reduce(let kind, let axes):
      return try sinkThroughReduction(node, kind, axes, x, permutation)
    default:
      return false
    }
  }

  /// The operand and permutation, if a tensor is a transpose of another.
  private func transpose(_ id: TensorID) -> (x: TensorID, permutation: [Int])? {
    guard let node = writer(id).flatMap(plainNode), case .transpose(let permutation) = node.operation,
      let x = node.inputs[0]
    else { return nil }
    return (x, permutation)
  }

  /// One entry per dimension of the transposed tensor, for the tensor before.
  private func unpermuted(_ values: [Int], _ permutation: [Int]) -> [Int] {
    var result = values
    for (dimension, from) in permutation.enumerated() { result[from] = values[dimension] }
    return result
  }

  /// Computes the node's result from `x` instead, and transposes that.
  private func sink(
    _ node: Node, _ operation: Operation, _ x: TensorID, _ permutation: [Int]
  ) throws -> Bool {
    let y = node.outputs[0]
    let moved = try emit(
      operation, [x] + node.inputs.dropFirst(), shape: unpermuted(shape(y), permutation),
      name: tensors[y].name, origin: node.origin)
    try define(y, .transpose(permutation: permutation), [moved], origin: node.origin)
    return true
  }

  private func sinkThroughReduction(
    _ node: Node, _ kind: ReduceKind, _ axes: [Int], _ x: TensorID, _ permutation: [Int]
  ) throws -> Bool {
    let y = node.outputs[0]
    let operation = Operation.reduce(kind, axes: axes.map { permutation[$0] }.sorted())
    if shape(y).count == permutation.count { return try sink(node, operation, x, permutation) }
    // The reduced dimensions are gone; what is left of the permutation orders the others.
    let kept = permutation.indices.filter { !axes.contains($0) }.map { permutation[$0] }
    let sorted = kept.sorted()
    let moved = try emit(
      operation, [x], shape: sorted.map { shape(x)[$0] }, name: tensors[y].name, origin: node.origin)
    try define(
      y, .transpose(permutation: kept.map { sorted.firstIndex(of: $0)! }), [moved], origin: node.origin)
    return true
  }

  /// Element-wise combinations: all operands must be transposed in the same way, or be such that
  /// undoing the transpose costs nothing (constants, and tensors with one extent greater than 1).
  private func sinkThroughCombination(_ node: Node) throws -> Bool {
    let y = node.outputs[0]
    let candidates = node.inputs.compactMap { $0 }.filter { shape($0) == shape(y) }
    guard let permutation = candidates.lazy.compactMap({ self.transpose($0)?.permutation }).first else {
      return false
    }
    return try sinkThrough(node, node.operation, permutation)
  }

  private func sinkThrough(_ node: Node, _ operation: Operation, _ permutation: [Int]) throws -> Bool {
    let y = node.outputs[0]
    let operands = node.inputs.compactMap { $0 }
    guard operands.count == node.inputs.count,
      operands.allSatisfy({ canUntranspose($0, permutation) })
    else { return false }
    let inputs = try operands.map { try untransposed($0, permutation, node.origin) }
    let moved = try emit(
      operation, inputs, shape: unpermuted(shape(y), permutation), name: tensors[y].name,
      origin: node.origin)
    try define(y, .transpose(permutation: permutation), [moved], origin: node.origin)
    return true
  }

  private func canUntranspose(_ id: TensorID, _ permutation: [Int]) -> Bool {
    isConstant(id) || transpose(id)?.permutation == permutation
      || shape(id).count == permutation.count && shape(id).count(where: { $0 > 1 }) <= 1
  }

  /// The tensor of which `id` is the transpose.
  private func untransposed(_ id: TensorID, _ permutation: [Int], _ origin: String) throws -> TensorID {
    if let (x, known) = transpose(id), known == permutation { return x }
    if shape(id).reduce(1, *) == 1, isConstant(id) { return id }
    let wide = Shapes.widened(shape(id), to: permutation.count)
    let whole = try emit(
      .reshape, [id], shape: wide, name: tensors[id].name, origin: origin, type: tensors[id].type)
    var inverse = permutation
    for (dimension, from) in permutation.enumerated() { inverse[from] = dimension }
    return try emit(
      .transpose(permutation: inverse), [whole], shape: inverse.map { wide[$0] },
      name: tensors[id].name, origin: origin, type: tensors[id].type)
  }

  /// A matrix product reads an operand whose last two dimensions are exchanged as it lies.
  private func absorbTranspose(_ node: Node) throws -> Bool {
    guard case .matrixMultiply(let transposeA, let transposeB) = node.operation else { return false }
    for position in 0..<2 {
      guard let id = node.inputs[position], !isConstant(id), let (x, permutation) = transpose(id)
      else { continue }
      let rank = permutation.count
      guard Array(permutation.prefix(rank - 2)) == Array(0..<rank - 2), permutation[rank - 1] == rank - 2
      else { continue }
      var inputs = node.inputs
      inputs[position] = x
      let operation = Operation.matrixMultiply(
        transposeA: transposeA != (position == 0), transposeB: transposeB != (position == 1))
      try define(node.outputs[0], operation, inputs, origin: node.origin)
      return true
    }
    return false
  }
}
