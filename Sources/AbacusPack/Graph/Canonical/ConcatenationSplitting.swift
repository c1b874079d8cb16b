extension GraphEditor {
  /// A constant added to a concatenation with a constant part is added to the parts: a class token
  /// and its position are one constant.
  func splitAddition(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), case .binary(.add, .none) = node.operation, let x = node.inputs[0],
      let addend = node.inputs[1], isConstant(addend), isPrivate(x), let joined = source(x),
      case .concatenation(let axis, .none) = joined.operation, shape(x) == shape(node.outputs[0]),
      joined.inputs.contains(where: { $0.map(isConstant) ?? false })
    else { return false }
    let skipped = shape(x).count - shape(addend).count
    let own = axis - skipped
    var start = 0
    var parts: [TensorID?] = []
    for part in joined.inputs.compactMap({ $0 }) {
      var share = addend
      if own >= 0, shape(addend)[own] != 1 {
        var (starts, extents) = (shape(addend).map { _ in 0 }, shape(addend))
        starts[own] = start
        extents[own] = shape(part)[axis]
        share = try emit(
          .slice(starts: starts, strides: starts.map { _ in 1 }), [addend], shape: extents,
          name: tensors[addend].name, origin: node.origin)
      }
      start += shape(part)[axis]
      parts.append(
        try emit(
          node.operation, [part, share], shape: shape(part), name: tensors[part].name, origin: node.origin))
    }
    try define(node.outputs[0], joined.operation, parts, origin: joined.origin)
    return true
  }
}
