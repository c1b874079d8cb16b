// Passes that bring an imported graph into the form that lowering expects.

extension Graph {
  /// The graph with int8 in place of uint8, integers at its boundary, and nothing that no output needs.
  public func normalized() throws -> Graph {
    var graph = self
    graph.integerBoundary()
    try graph.shiftUnsigned()
    graph.foldConstantRequantization()
    graph.prune()
    return graph
  }

  /// Float inputs that are only quantised, and float outputs that are only dequantised, are offered
  /// as the integers they become, with their scale.
  private mutating func integerBoundary() {
    for (position, id) in inputs.enumerated() where tensors[id].type == .float32 {
      let readers = nodes.indices.filter { nodes[$0].inputs.contains(id) }
      guard readers.count == 1, !outputs.contains(id), nodes[readers[0]].operation == .requantize
      else { continue }
      let integer = nodes[readers[0]].outputs[0]
      guard tensors[integer].quantization != nil else { continue }
      tensors[integer].name = tensors[id].name
      inputs[position] = integer
      nodes.remove(at: readers[0])
    }
    for (position, id) in outputs.enumerated() where tensors[id].type == .float32 {
      guard let writer = nodes.firstIndex(where: { $0.outputs.contains(id) }),
        nodes[writer].operation == .requantize, let integer = nodes[writer].inputs.first ?? nil,
        tensors[integer].quantization != nil
      else { continue }
      if !inputs.contains(integer) && !outputs.contains(integer) { tensors[integer].name = tensors[id].name }
      // The writer goes with `prune` where nothing else reads it.
      outputs[position] = integer
    }
  }

  /// uint8 with zero point z is int8 with zero point z - 128: the same real values.
  private mutating func shiftUnsigned() throws {
    for id in tensors.indices where tensors[id].type == .uint8 {
      guard var quantization = tensors[id].quantization else {
        // Without a scale it may only be data that nothing computes with.
        continue
      }
      quantization.zeroPoints = quantization.zeroPoints.map { $0 - 128 }
      tensors[id].quantization = quantization
      tensors[id].type = .int8
      tensors[id].data = tensors[id].data.map { $0.map { $0 ^ 0x80 } }
    }
  }

  /// A quantised constant whose scale is changed is a constant with the other scale.
  private mutating func foldConstantRequantization() {
    nodes.removeAll { node in
      guard node.operation == .requantize, let id = node.inputs.first ?? nil, tensors[id].type == .int8,
        let data = tensors[id].data, let from = tensors[id].quantization, from.isPerTensor
      else { return false }
      let target = node.outputs[0]
      guard tensors[target].type == .int8, let to = tensors[target].quantization, to.isPerTensor
      else { return false }
      tensors[target].data = data.map { byte in
        let real = Double(Int(Int8(bitPattern: byte)) - from.zeroPoints[0]) * from.scales[0]
        let code = (real / to.scales[0] + 0.5).rounded(.down) + Double(to.zeroPoints[0])
        return UInt8(bitPattern: Int8(min(max(code, -128), 127)))
      }
      return true
    }
  }

  /// Removes nodes whose results nothing uses.
  mutating func prune() {
    var needed = Set(outputs)
    var kept: [Node] = []
    for node in nodes.reversed() where node.outputs.contains(where: needed.contains) {
      kept.append(node)
      needed.formUnion(node.inputs.compactMap { $0 })
    }
    nodes = kept.reversed()
  }
}
