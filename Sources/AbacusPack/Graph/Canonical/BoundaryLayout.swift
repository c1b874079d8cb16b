extension GraphEditor {
  /// Images [1, c, h, w] at the model's boundary that only element-wise operations part from their
  /// transpose become [1, h, w, c].
  func layBoundaryChannelsLast() throws {
    for id in inputs where tensors[id].type == .float32 && shape(id).count == 4 {
      let from = shape(id)
      let to = [from[0], from[2], from[3], from[1]]
      guard !readers(id).isEmpty, leadsToChannelsLast(id) else { continue }
      let name = tensors[id].name
      try reshapeInput(
        id, to: to, by: .transpose(permutation: [0, 3, 1, 2]), origin: "input \"\(name)\"")
    }
    for id in outputs {
      guard let node = writer(id).flatMap(floatNode), node.operation == .transpose(permutation: [0, 3, 1, 2]),
        let x = node.inputs[0], writer(x) != nil, !isOutput(x), readers(id).isEmpty
      else { continue }
      replaceOutput(id, with: x)
    }
  }

  /// True where all that is done with a tensor ends in its transpose to channels-last.
  private func leadsToChannelsLast(_ id: TensorID) -> Bool {
    guard !isOutput(id) else { return false }
    return readers(id).allSatisfy { reader in
      guard let node = floatNode(reader) else { return false }
      let y = node.outputs[0]
      let from = shape(id)
      switch node.operation {
      case .transpose(let permutation): return permutation == [0, 2, 3, 1]
      case .reshape:
        // Where nothing moves, the transpose has become a reshape.
        return shape(y) == [from[0], from[2], from[3], from[1]] && (from[1] == 1 || from[2] * from[3] == 1)
      case .unary, .pad: return leadsToChannelsLast(y)
      case .binary:
        let others = node.inputs.compactMap { $0 }.filter { $0 != id }
        return others.allSatisfy(isConstant) && shape(y) == from && leadsToChannelsLast(y)
      default: return false
      }
    }
  }
  /// Indices and flags that the model takes are int32, whatever width they had: devices have no other.
  func narrowInputs() {
    for id in inputs where [.int64, .bool].contains(tensors[id].type) && tensors[id].quantization == nil {
      let isIndex = readers(id).allSatisfy { reader in
        guard let node = node(reader) else { return false }
        switch node.operation {
        case .gather: return node.inputs[0] != id
        case .attention: return node.inputs.dropFirst(3).contains(id)
        default: return false
        }
      }
      if isIndex, !isOutput(id) { retype(id, .int32) }
    }
  }
}
