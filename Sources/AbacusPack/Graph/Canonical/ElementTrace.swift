/// Where the elements of a tensor come from: element i is element `places[i]` of `root`, times
/// `scale`.
struct ElementTrace {
  var root: Graph.TensorID
  var places: [Int]
  var scale = 1.0
}

extension GraphEditor {
  /// The tensor itself, and every tensor further back that holds its elements in some order: through
  /// reshapes, transposes, slices, constant gathers, repetition, and factors for the whole tensor
  /// where `throughScales` allows them.
  func traces(_ id: TensorID, throughScales: Bool) -> [ElementTrace] {
    var result = [ElementTrace(root: id, places: Array(0..<tensors[id].elementCount))]
    while let step = stepBack(result.last!.root, throughScales: throughScales) {
      let last = result.last!
      result.append(
        ElementTrace(
          root: step.root, places: last.places.map { step.places[$0] }, scale: last.scale * step.scale))
    }
    return result
  }

  /// The trace through the node that computes a tensor.
  private func stepBack(_ id: TensorID, throughScales: Bool) -> ElementTrace? {
    guard let node = writer(id).flatMap(plainNode), let x = node.inputs[0] else { return nil }
    func places(_ indices: [Int] = []) -> ElementTrace? {
      let operand = Rearrangement.Operand(shape: shape(x), elements: Array(0..<tensors[x].elementCount))
      let operands = Array(repeating: operand, count: node.inputs.count - (indices.isEmpty ? 0 : 1))
      return Rearrangement.apply(node.operation, operands, indices: indices, shape: shape(id))
        .map { ElementTrace(root: x, places: $0) }
    }
    switch node.operation {
    case .reshape, .transpose, .slice:
      return places()
    case .gather:
      guard let indices = node.inputs[1].flatMap({ tensors[$0].indexValues }), !indices.isEmpty
      else { return nil }
      return places(indices)
    case .concatenation:
      return node.inputs.allSatisfy { $0 == x } ? places() : nil
    case .binary(.multiply, .none) where throughScales:
      guard let (x, constant) = constantOperand(id, .multiply), let scale = uniform(constant)
      else { return nil }
      let operand = Rearrangement.Operand(shape: shape(x), elements: Array(0..<tensors[x].elementCount))
      return ElementTrace(root: x, places: Rearrangement.broadcast(operand, to: shape(id)), scale: scale)
    default:
      return nil
    }
  }
}
