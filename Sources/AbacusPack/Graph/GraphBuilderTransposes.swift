// The transposes that an importer puts behind convolutions wait: what does not mind their order is
// computed before them, so that they meet those before the next convolution and cancel.

extension GraphBuilder {
  /// The images [n, height, width, channels] that run-time images [n, channels, height, width] are a
  /// transpose of.
  private func transposed(_ x: Graph.TensorID) -> (source: Graph.TensorID, permutation: [Int])? {
    guard let producer = producers[x], case .transpose(let permutation) = graph.nodes[producer].operation,
      permutation == [0, 3, 1, 2], let source = graph.nodes[producer].inputs[0]
    else { return nil }
    return (source, permutation)
  }

  /// `function` of what `x` is a transpose of, and the transpose of that; nil where it is none.
  mutating func beforeTranspose(
    _ x: Graph.TensorID, _ function: (inout GraphBuilder, Graph.TensorID) throws -> Graph.TensorID
  ) throws -> Graph.TensorID? {
    guard let (source, permutation) = transposed(x) else { return nil }
    return try transpose(function(&self, source), permutation)
  }

  /// The same for operands that are transposed in the same way; constants are brought into the order
  /// before. Nil where that does not go.
  mutating func beforeTransposes(
    _ operands: [Graph.TensorID], _ function: (inout GraphBuilder, [Graph.TensorID], [Int]) throws -> Graph.TensorID
  ) throws -> Graph.TensorID? {
    guard let permutation = operands.compactMap({ transposed($0)?.permutation }).first else { return nil }
    var inverse = permutation
    for (index, from) in permutation.enumerated() { inverse[from] = index }
    var sources: [Graph.TensorID] = []
    for operand in operands {
      if let (source, other) = transposed(operand), other == permutation {
        sources.append(source)
      } else if self[operand].isConstant, self[operand].quantization?.isPerTensor != false,
        shape(operand).count <= permutation.count
      {
        let wide = try reshape(operand, Shapes.widened(shape(operand), to: permutation.count))
        sources.append(try transpose(wide, inverse))
      } else {
        return nil
      }
    }
    return try transpose(function(&self, sources, permutation), permutation)
  }
}
