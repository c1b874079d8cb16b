extension GraphEditor {
  /// Of two operands that may change places, the one that is known earlier stands first: a residual
  /// before what is added to it.
  func orderOperands() {
    var depths = [Int](repeating: 0, count: tensors.count)
    for id in order() {
      guard let node = node(id) else { continue }
      let operands = node.inputs.compactMap { $0 }
      for output in node.outputs { depths[output] = 1 + (operands.map { depths[$0] }.max() ?? 0) }
      guard let float = floatNode(id), case .binary(let function, _) = float.operation,
        function.isCommutative, operands.count == 2, !operands.contains(where: isConstant),
        depths[operands[0]] > depths[operands[1]]
      else { continue }
      exchangeOperands(id)
    }
  }
}
