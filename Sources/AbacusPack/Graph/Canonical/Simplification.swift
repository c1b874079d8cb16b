// Rules that leave one way to say one thing: no operations without effect, constants second, fewer
// functions.

extension GraphEditor {
  /// Operations without effect disappear; movement that moves nothing is a reshape.
  func removeIdentity(_ id: NodeID) throws -> Bool {
    guard let node = plainNode(id), let x = node.inputs.first ?? nil else { return false }
    let y = node.outputs[0]
    let (from, to) = (shape(x), shape(y))
    let isSame = from == to && tensors[x].type == tensors[y].type
    switch node.operation {
    case .reshape, .requantize:
      return isSame && replace(y, with: x)
    case .slice(_, let strides):
      return isSame && strides.allSatisfy { $0 > 0 } && replace(y, with: x)
    case .pad(let before, let after, _, _):
      return isSame && before.allSatisfy { $0 == 0 } && after.allSatisfy { $0 == 0 } && replace(y, with: x)
    case .concatenation(_, .none) where node.inputs.count == 1:
      return isSame && replace(y, with: x)
    case .transpose(let permutation):
      // Elements stay in their order where only dimensions of extent 1 change places.
      let moved = permutation.filter { from[$0] != 1 }
      guard moved == moved.sorted() else { return false }
      if isSame, replace(y, with: x) { return true }
      try define(y, .reshape, [x], origin: node.origin)
      return true
    case .reduce(_, let axes) where axes.allSatisfy { from[$0] == 1 }:
      try define(y, .reshape, [x], origin: node.origin)
      return true
    default:
      return false
    }
  }

  /// A slice of a slice is a slice; a gather of equally spaced places is a slice.
  func simplifySlice(_ id: NodeID) throws -> Bool {
    guard let node = plainNode(id), let x = node.inputs.first ?? nil else { return false }
    let y = node.outputs[0]
    switch node.operation {
    case .slice(let starts, let strides):
      guard let inner = writer(x).flatMap(plainNode), let source = inner.inputs[0],
        case .slice(let innerStarts, let innerStrides) = inner.operation
      else { return false }
      let operation = Operation.slice(
        starts: starts.indices.map { innerStarts[$0] + starts[$0] * innerStrides[$0] },
        strides: zip(strides, innerStrides).map(*))
      try define(y, operation, [source], origin: node.origin)
      return true
    case .gather(let axis, batchDimensions: 0):
      guard let indices = node.inputs[1].flatMap({ tensors[$0].indexValues }), let first = indices.first,
        !isConstant(x), indices.allSatisfy((0..<shape(x)[axis]).contains)
      else { return false }
      let step = indices.count > 1 ? indices[1] - first : 1
      guard step > 0, indices.indices.allSatisfy({ indices[$0] == first + $0 * step }) else { return false }
      var (starts, strides) = (shape(x).map { _ in 0 }, shape(x).map { _ in 1 })
      (starts[axis], strides[axis]) = (first, step)
      var extents = shape(x)
      extents[axis] = indices.count
      let part = try emit(
        .slice(starts: starts, strides: strides), [x], shape: extents, name: tensors[y].name,
        origin: node.origin, type: tensors[y].type)
      try define(y, .reshape, [part], origin: node.origin)
      return true
    default:
      return false
    }
  }

  /// A reduction followed by a reshape that drops or restores the reduced dimensions is the
  /// reduction that does so itself.
  func mergeReductionShape(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), node.operation == .reshape, let middle = node.inputs[0],
      let inner = source(middle), case .reduce(_, let axes) = inner.operation, let x = inner.inputs[0],
      isPrivate(middle)
    else { return false }
    let y = node.outputs[0]
    let kept = shape(x).indices.map { axes.contains($0) ? 1 : shape(x)[$0] }
    let dropped = shape(x).indices.filter { !axes.contains($0) }.map { shape(x)[$0] }
    guard shape(y) == kept || shape(y) == dropped else { return false }
    try define(y, inner.operation, [x], origin: inner.origin)
    return true
  }

  /// Constants stand second and are as small as broadcasting allows; subtracting and dividing by
  /// them is adding and multiplying; what changes nothing goes.
  func simplifyConstantOperand(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), case .binary(let function, let activation) = node.operation,
      let a = node.inputs[0], let b = node.inputs[1]
    else { return false }
    let y = node.outputs[0]
    if isConstant(a), !isConstant(b), function.isCommutative {
      try define(y, node.operation, [b, a], origin: node.origin)
      return true
    }
    guard isConstant(b), !isConstant(a), let values = tensors[b].floats else { return false }
    if shape(a) == shape(y), try shrinkConstant(node, a, b) { return true }
    switch function {
    case .subtract:
      let negated = constant(values.map { -$0 }, shape: shape(b), name: tensors[b].name)
      try define(y, .binary(.add, activation), [a, negated], origin: node.origin)
      return true
    case .divide:
      let reciprocals = values.map { 1 / $0 }
      guard reciprocals.allSatisfy({ $0.isNormal }) else { return false }
      let inverse = constant(reciprocals, shape: shape(b), name: tensors[b].name)
      try define(y, .binary(.multiply, activation), [a, inverse], origin: node.origin)
      return true
    default: break
    }
    guard activation == .none, let value = uniform(b), shape(a) == shape(y) else { return false }
    switch (function, value) {
    case (.add, 0), (.multiply, 1), (.power, 1): return replace(y, with: a)
    case (.power, 2): try define(y, .unary(.square), [a], origin: node.origin)
    case (.power, 0.5): try define(y, .unary(.sqrt), [a], origin: node.origin)
    case (.power, -0.5): try define(y, .unary(.rsqrt), [a], origin: node.origin)
    case (.power, -1): try define(y, .unary(.reciprocal), [a], origin: node.origin)
    default: return false
    }
    return true
  }

  /// Equal elements become one; leading dimensions of extent 1 go.
  private func shrinkConstant(_ node: Node, _ x: TensorID, _ constant: TensorID) throws -> Bool {
    let from = shape(constant)
    guard !from.isEmpty, let values = tensors[constant].floats else { return false }
    let to = uniform(constant) == nil ? Array(from.drop { $0 == 1 }) : []
    guard to != from else { return false }
    let small = self.constant(
      to.isEmpty ? [values[0]] : values, shape: to, name: tensors[constant].name)
    try define(node.outputs[0], node.operation, [x, small], origin: node.origin)
    return true
  }

  /// (x + c) + d is x + (c + d), and likewise for products.
  func mergeConstants(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), case .binary(let function, let activation) = node.operation,
      function == .add || function == .multiply, let middle = node.inputs[0], let outer = node.inputs[1],
      isConstant(outer), isPrivate(middle), let (x, inner) = constantOperand(middle, function),
      shape(x) == shape(node.outputs[0])
    else { return false }
    let merged = try emit(
      .binary(function, .none), [inner, outer], shape: Shapes.broadcast(shape(inner), shape(outer)),
      name: tensors[outer].name, origin: node.origin)
    guard isConstant(merged) else { return false }
    try define(node.outputs[0], .binary(function, activation), [x, merged], origin: node.origin)
    return true
  }

  /// One name for each function: squares, reciprocals and reciprocal square roots.
  func simplifyFunction(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id) else { return false }
    let y = node.outputs[0]
    switch node.operation {
    case .binary(.multiply, .none) where node.inputs[0] == node.inputs[1]:
      try define(y, .unary(.square), [node.inputs[0]], origin: node.origin)
    case .binary(.divide, .none):
      guard let a = node.inputs[0], let b = node.inputs[1] else { return false }
      if let radicand = operand(b, .sqrt) {
        let inverse = try emit(
          .unary(.rsqrt), [radicand], shape: shape(b), name: tensors[b].name, origin: node.origin)
        try define(y, .binary(.multiply, .none), [a, inverse], origin: node.origin)
      } else if uniform(a) == 1, shape(b) == shape(y) {
        try define(y, .unary(.reciprocal), [b], origin: node.origin)
      } else {
        return false
      }
    case .binary(.subtract, .none):
      guard let a = node.inputs[0], let b = node.inputs[1], uniform(a) == 0, shape(b) == shape(y)
      else { return false }
      try define(y, .unary(.negate), [b], origin: node.origin)
    case .unary(.reciprocal):
      guard let x = node.inputs[0], let radicand = operand(x, .sqrt) else { return false }
      try define(y, .unary(.rsqrt), [radicand], origin: node.origin)
    default:
      return false
    }
    return true
  }

  /// Of nodes that compute the same, one stays.
  func mergeDuplicates(_ id: NodeID) throws -> Bool {
    guard let node = plainNode(id), let x = runTimeInput(node) else { return false }
    for other in readers(x) where other < id {
      guard let twin = self.node(other), twin.operation == node.operation, twin.inputs == node.inputs,
        twin.outputs.count == 1, tensors[twin.outputs[0]].type == tensors[node.outputs[0]].type,
        tensors[twin.outputs[0]].quantization == nil, shape(twin.outputs[0]) == shape(node.outputs[0])
      else { continue }
      if replace(node.outputs[0], with: twin.outputs[0]) { return true }
    }
    return false
  }
}
