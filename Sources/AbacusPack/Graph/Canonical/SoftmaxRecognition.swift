extension GraphEditor {
  /// exp(x - max(x)) / sum(exp(x - max(x))) over the last dimension; the maximum may be missing.
  func recognizeSoftmax(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), let (powers, sum) = quotient(node.outputs[0]),
      rowReduction(sum, .sum) == powers, let difference = operand(powers, .exp)
    else { return false }
    var x = difference
    if let (minuend, maximum) = operands(difference, .subtract), rowReduction(maximum, .maximum) == minuend {
      x = minuend
    }
    try define(node.outputs[0], .softmax(beta: 1), [x], origin: node.origin)
    return true
  }

  /// a / b, or a * (1 / b)
  private func quotient(_ id: TensorID) -> (a: TensorID, b: TensorID)? {
    if let quotient = operands(id, .divide) { return quotient }
    guard let (a, b) = operands(id, .multiply) else { return nil }
    if let divisor = operand(b, .reciprocal) { return (a, divisor) }
    return operand(a, .reciprocal).map { (b, $0) }
  }
}
