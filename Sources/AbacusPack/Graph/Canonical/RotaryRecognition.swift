extension GraphEditor {
  /// x * cosines + (-second half of x, first half of x) * sines, head by head with constant tables,
  /// is a rotary position embedding.
  func recognizeRotary(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), let (first, second) = operands(node.outputs[0], .add) else { return false }
    let y = node.outputs[0]
    // Rows of heads, [1, n, heads, d]: transposes have moved behind.
    guard shape(y).count == 4, shape(y)[0] == 1, shape(y)[3] % 2 == 0 else { return false }
    let (rows, heads, depth) = (shape(y)[1], shape(y)[2], shape(y)[3])
    for (direct, turned) in [(first, second), (second, first)] {
      guard let (x, cosines) = constantOperand(direct, .multiply), shape(x) == shape(y),
        let (rotated, sines) = constantOperand(turned, .multiply), isHalfRotation(rotated, of: x),
        let tables = rotaryTables(cosines, sines, shape(y))
      else { continue }
      func emitTable(_ values: [Float], _ source: TensorID) -> TensorID {
        constant(values, shape: [rows, depth / 2], name: tensors[source].name)
      }
      let name = tensors[y].name
      let joined = try emit(
        .reshape, [x], shape: [1, rows, heads * depth], name: tensors[x].name, origin: node.origin)
      let result = try emit(
        .rotary(RotaryAttributes(heads: heads, isInterleaved: false)),
        [joined, emitTable(tables.cosines, cosines), emitTable(tables.sines, sines)],
        shape: [1, rows, heads * depth], name: name, origin: node.origin)
      try define(y, .reshape, [result], origin: node.origin)
      return true
    }
    return false
  }

  /// True for the concatenation of the negated second half of x's last dimension and the first half.
  private func isHalfRotation(_ id: TensorID, of x: TensorID) -> Bool {
    guard let node = source(id), node.operation == .concatenation(axis: 3, .none), node.inputs.count == 2,
      let left = node.inputs[0], let right = node.inputs[1], let negated = negation(left)
    else { return false }
    return isHalf(negated, of: x, from: shape(x)[3] / 2) && isHalf(right, of: x, from: 0)
  }

  private func negation(_ id: TensorID) -> TensorID? {
    if let x = operand(id, .negate) { return x }
    guard let (x, factor) = constantOperand(id, .multiply), uniform(factor) == -1 else { return nil }
    return x
  }

  private func isHalf(_ id: TensorID, of x: TensorID, from start: Int) -> Bool {
    guard let node = source(id), node.inputs[0] == x, shape(id) == Array(shape(x)[..<3]) + [shape(x)[3] / 2]
    else { return false }
    return node.operation == .slice(starts: [0, 0, 0, start], strides: [1, 1, 1, 1])
  }

  /// The tables [n, d / 2], if all heads and both halves share them.
  private func rotaryTables(
    _ cosines: TensorID, _ sines: TensorID, _ shape: [Int]
  ) -> (cosines: [Float], sines: [Float])? {
    func table(_ id: TensorID) -> [Float]? {
      guard let values = tensors[id].floats else { return nil }
      let whole = Rearrangement.broadcast(.init(shape: tensors[id].shape, elements: values), to: shape)
      let (heads, depth) = (shape[2], shape[3])
      let result = (0..<shape[1] * depth / 2).map { place in
        whole[place / (depth / 2) * heads * depth + place % (depth / 2)]
      }
      let isShared = whole.indices.allSatisfy { place in
        whole[place] == result[place / (heads * depth) * (depth / 2) + place % (depth / 2)]
      }
      return isShared ? result : nil
    }
    guard let cosines = table(cosines), let sines = table(sines) else { return nil }
    return (cosines, sines)
  }
}
