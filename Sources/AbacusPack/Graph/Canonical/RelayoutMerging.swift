extension GraphEditor {
  /// Rows of reshapes and transposes become the fewest that do the same, with the transpose last.
  func mergeRelayouts(_ id: NodeID) throws -> Bool {
    guard let node = plainNode(id), node.operation.isRelayout, let first = node.inputs[0] else { return false }
    let y = node.outputs[0]
    // Only the last of a row: those before it are looked at together with it.
    guard isOutput(y) || !readers(y).allSatisfy({ plainNode($0)?.operation.isRelayout == true }) else {
      return false
    }
    var chain = [(operation: node.operation, shape: shape(y))]
    var origin = first
    while let previous = writer(origin).flatMap(plainNode), previous.operation.isRelayout {
      let candidate = [(operation: previous.operation, shape: shape(origin))] + chain
      guard let source = previous.inputs[0], relayout(shape(source), candidate) != nil else { break }
      chain = candidate
      origin = source
    }
    guard let steps = relayout(shape(origin), chain)?.steps, steps.count <= chain.count else { return false }
    guard steps.count < chain.count || chain.last?.operation == .reshape && steps.last?.operation != .reshape
    else { return false }
    guard let last = steps.last else { return replace(y, with: origin) }
    for step in steps.dropLast() {
      origin = try emit(
        step.operation, [origin], shape: step.shape, name: tensors[y].name, origin: node.origin,
        type: tensors[y].type)
    }
    try define(y, last.operation, [origin], origin: node.origin)
    return true
  }

  private func relayout(_ shape: [Int], _ chain: [(operation: Operation, shape: [Int])]) -> Relayout? {
    var relayout = Relayout(of: shape)
    for step in chain {
      guard relayout.follow(step.operation, to: step.shape) else { return nil }
    }
    return relayout
  }
}

extension Operation {
  /// A reshape or a transpose.
  var isRelayout: Bool {
    switch self {
    case .reshape, .transpose: true
    default: false
    }
  }
}
