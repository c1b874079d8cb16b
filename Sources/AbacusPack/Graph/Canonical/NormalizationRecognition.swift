// Layer and root-mean-square normalisation from their parts, and what is multiplied and added after.

extension GraphEditor {
  /// (x - mean) * rsqrt(variance + epsilon), and x * rsqrt(mean square + epsilon), with a constant
  /// factor for each channel anywhere among the factors.
  func recognizeNormalization(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), node.operation == .binary(.multiply, .none) else { return false }
    let y = node.outputs[0]
    let factors = productFactors(y)
    guard factors.tensors.count == 2, let channels = shape(y).last else { return false }
    for (value, inverse) in [(0, 1), (1, 0)].map({ (factors.tensors[$0], factors.tensors[$1]) }) {
      guard shape(value) == shape(y), let (operation, x) = normalization(value, inverse) else { continue }
      guard let scale = try scaleVector(factors.constants, channels, node.origin) else { continue }
      try define(y, operation, [x] + (scale.map { [$0] } ?? []), origin: node.origin)
      return true
    }
    return false
  }

  /// What `value * inverse` normalises, and how.
  private func normalization(_ value: TensorID, _ inverse: TensorID) -> (Operation, TensorID)? {
    guard let (moment, epsilon) = inverseRoot(inverse) else { return nil }
    if let (x, mean) = operands(value, .subtract), rowReduction(mean, .mean) == x,
      isVariance(moment, of: x, mean: mean)
    {
      return (.layerNormalization(epsilon: epsilon), x)
    }
    if rowReduction(moment, .mean).flatMap({ operand($0, .square) }) == value {
      return (.rmsNormalization(epsilon: epsilon), value)
    }
    return nil
  }

  /// rsqrt(moment + epsilon)
  private func inverseRoot(_ id: TensorID) -> (moment: TensorID, epsilon: Double)? {
    guard let sum = operand(id, .rsqrt), let (moment, addend) = constantOperand(sum, .add),
      let epsilon = uniform(addend), epsilon >= 0
    else { return nil }
    return (moment, epsilon)
  }

  private func isVariance(_ id: TensorID, of x: TensorID, mean: TensorID) -> Bool {
    if let squares = rowReduction(id, .mean) {
      if let difference = operand(squares, .square) {
        return operands(difference, .subtract).map { $0 == (x, mean) } ?? false
      }
      if let (a, b) = operands(squares, .squaredDifference) {
        return (a, b) == (x, mean) || (a, b) == (mean, x)
      }
    }
    // mean(x^2) - mean^2
    guard let (a, b) = operands(id, .subtract) else { return false }
    return rowReduction(a, .mean).flatMap { operand($0, .square) } == x && operand(b, .square) == mean
  }

  /// x * s + (bias - mean * s) with s = rsqrt(variance + epsilon) * scale.
  func recognizeBatchForm(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), let (first, second) = operands(node.outputs[0], .add) else { return false }
    let y = node.outputs[0]
    for (product, offset) in [(first, second), (second, first)] {
      guard let (a, b) = operands(product, .multiply), let (bias, shift) = operands(offset, .subtract),
        let channels = shape(y).last, channelVector(bias, channels) != nil,
        let (c, d) = operands(shift, .multiply)
      else { continue }
      for (x, s) in [(a, b), (b, a)] where shape(x) == shape(y) {
        guard let mean = s == d ? c : s == c ? d : nil, rowReduction(mean, .mean) == x else { continue }
        let factors = productFactors(s)
        guard factors.tensors.count == 1, let (moment, epsilon) = inverseRoot(factors.tensors[0]),
          isVariance(moment, of: x, mean: mean),
          let scale = try scaleVector(factors.constants, channels, node.origin)
        else { continue }
        let offset = constant(channelVector(bias, channels)!, shape: [channels], name: tensors[bias].name)
        try define(
          y, .layerNormalization(epsilon: epsilon), [x, scale, offset], origin: node.origin)
        return true
      }
    }
    return false
  }

  /// The product of constants as one value for each channel: nil where one is none such, a nil in it
  /// where there are no constants.
  private func scaleVector(_ constants: [TensorID], _ channels: Int, _ origin: String) throws -> TensorID?? {
    let vectors = constants.map { channelVector($0, channels) }
    guard vectors.allSatisfy({ $0 != nil }) else { return nil }
    guard let first = constants.first else { return .some(nil) }
    let product = vectors.reduce(Array(repeating: Float(1), count: channels)) { zip($0, $1!).map(*) }
    return constant(product, shape: [channels], name: tensors[first].name)
  }

  /// A factor or addend for each channel after a normalisation is its scale or bias.
  func absorbNormalizationScale(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), case .binary(let function, .none) = node.operation,
      function == .add || function == .multiply, let x = node.inputs[0], let operand = node.inputs[1],
      isPrivate(x), shape(x) == shape(node.outputs[0]), let channels = shape(x).last,
      let values = channelVector(operand, channels), let normalization = source(x)
    else { return false }
    let hasBias: Bool
    switch normalization.operation {
    case .layerNormalization: hasBias = true
    case .rmsNormalization: hasBias = false
    default: return false
    }
    guard hasBias || function == .multiply else { return false }
    let vector = constant(values, shape: [channels], name: tensors[operand].name)
    func combined(_ present: TensorID?) throws -> TensorID? {
      guard let present else { return nil }
      return try emit(
        .binary(function, .none), [present, vector], shape: [channels], name: tensors[present].name,
        origin: normalization.origin)
    }
    func input(_ position: Int) -> TensorID? {
      position < normalization.inputs.count ? normalization.inputs[position] : nil
    }
    guard [1, 2].allSatisfy({ input($0).map(isConstant) ?? true }) else { return false }
    var inputs = [normalization.inputs[0], input(1), input(2)]
    if function == .multiply {
      inputs[1] = try combined(inputs[1]) ?? vector
      inputs[2] = try combined(inputs[2])
    } else {
      inputs[2] = try combined(inputs[2]) ?? vector
    }
    while inputs.last == .some(nil) { inputs.removeLast() }
    try define(node.outputs[0], normalization.operation, inputs, origin: normalization.origin)
    return true
  }
}
