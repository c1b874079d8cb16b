extension GraphEditor {
  /// Only the rows that are needed are computed: a slice after an operation that works row by row
  /// becomes one before it. Keys and values of an attention stay whole.
  func hoistSlice(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), case .slice(let starts, let strides) = node.operation,
      let x = node.inputs[0], let producer = source(x),
      isPrivate(x) || producer.operation.isNormalization
    else { return false }
    let y = node.outputs[0]
    var inputs = producer.inputs
    var operation = producer.operation
    /// The part of a row-wise operand that the slice needs; dimensions it broadcasts stay.
    func part(_ operand: TensorID) throws -> TensorID {
      let skipped = shape(x).count - shape(operand).count
      let own = shape(operand).indices
      let isRepeated = own.map { shape(operand)[$0] == 1 && shape(x)[$0 + skipped] != 1 }
      let extents = own.map { isRepeated[$0] ? 1 : shape(y)[$0 + skipped] }
      if extents == shape(operand) { return operand }
      return try emit(
        .slice(
          starts: own.map { isRepeated[$0] ? 0 : starts[$0 + skipped] },
          strides: own.map { isRepeated[$0] ? 1 : strides[$0 + skipped] }),
        [operand], shape: extents, name: "\(tensors[operand].name) (part)", origin: node.origin)
    }
    let keepsLast = shape(x).last == shape(y).last && strides.last == 1
    switch producer.operation {
    case .unary:
      inputs[0] = try inputs[0].map(part)
    case .binary:
      guard strides.allSatisfy({ $0 > 0 }) else { return false }
      inputs = try inputs.map { try $0.map(part) }
    case .fullyConnected, .layerNormalization, .rmsNormalization, .softmax:
      guard keepsLast else { return false }
      guard let operand = inputs[0] else { return false }
      let extents = shape(y).dropLast() + [shape(operand).last!]
      inputs[0] = try emit(
        .slice(starts: starts, strides: strides), [operand], shape: Array(extents),
        name: "\(tensors[operand].name) (part)", origin: node.origin)
    case .attention(let attributes):
      let rows = shape(x).count - 2
      guard keepsLast, !attributes.isCausal, producer.inputs.count < 5, let query = inputs[0],
        shape(y)[..<rows] == shape(x)[..<rows]
      else { return false }
      inputs[0] = try emit(
        .slice(starts: starts, strides: strides), [query],
        shape: shape(y).dropLast() + [shape(query).last!], name: "\(tensors[query].name) (part)",
        origin: node.origin)
    case .concatenation(let axis, .none):
      guard strides[axis] == 1 else { return false }
      var start = starts[axis]
      guard
        let part = inputs.first(where: { input in
          let extent = shape(input!)[axis]
          if start < extent { return true }
          start -= extent
          return false
        }), let part, start + shape(y)[axis] <= shape(part)[axis]
      else { return false }
      var moved = starts
      moved[axis] = start
      operation = .slice(starts: moved, strides: strides)
      inputs = [part]
    default:
      return false
    }
    try define(y, operation, inputs, origin: producer.origin)
    return true
  }
}
