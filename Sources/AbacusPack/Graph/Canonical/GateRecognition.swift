// Functions of one value that sources write as products: GELU, SiLU, hard-swish.

extension GraphEditor {
  /// The factors of a product of products: constants and others. Products that something else reads
  /// as well are factors themselves.
  func productFactors(_ id: TensorID) -> (constants: [TensorID], tensors: [TensorID]) {
    var result: (constants: [TensorID], tensors: [TensorID]) = ([], [])
    func visit(_ factor: TensorID, isRoot: Bool) {
      if (isRoot || isPrivate(factor)), let (a, b) = operands(factor, .multiply) {
        visit(a, isRoot: false)
        visit(b, isRoot: false)
      } else if isConstant(factor) {
        result.constants.append(factor)
      } else {
        result.tensors.append(factor)
      }
    }
    visit(id, isRoot: true)
    return result
  }

  /// c * x * (a * f(p(x)) + b), with constants a, b, c, a polynomial p and a function f.
  func recognizeGate(_ id: NodeID) throws -> Bool {
    guard let node = floatNode(id), node.operation == .binary(.multiply, .none) else { return false }
    let y = node.outputs[0]
    let factors = productFactors(y)
    let scales = factors.constants.map(uniform)
    guard factors.tensors.count == 2, scales.allSatisfy({ $0 != nil }) else { return false }
    let scale = scales.reduce(1) { $0 * $1! }
    for (x, gate) in [(0, 1), (1, 0)].map({ (factors.tensors[$0], factors.tensors[$1]) }) {
      guard shape(x) == shape(y), shape(gate) == shape(y) else { continue }
      guard let (function, factor, offset) = gateFunction(gate),
        let argument = source(function)?.inputs[0], let polynomial = polynomial(argument, in: x),
        case .unary(let kind) = source(function)!.operation,
        let name = gateName(kind, scale * factor, scale * offset, polynomial)
      else { continue }
      try define(y, .unary(name), [x], origin: node.origin)
      return true
    }
    return false
  }

  /// The function's result, factor and offset, if a tensor is `factor * f(...) + offset`.
  private func gateFunction(_ id: TensorID) -> (function: TensorID, factor: Double, offset: Double)? {
    if let (x, constant) = constantOperand(id, .add), let value = uniform(constant) {
      return gateFunction(x).map { ($0, $1, $2 + value) }
    }
    if let (x, constant) = constantOperand(id, .multiply), let value = uniform(constant) {
      return gateFunction(x).map { ($0, $1 * value, $2 * value) }
    }
    guard let node = source(id), case .unary = node.operation else { return nil }
    return (id, 1, 0)
  }

  /// Coefficients of the powers of x, up to the third, if a tensor is such a sum.
  private func polynomial(_ id: TensorID, in x: TensorID, depth: Int = 0) -> [Double]? {
    if id == x { return [0, 1, 0, 0] }
    if isConstant(id) { return uniform(id).map { [$0, 0, 0, 0] } }
    guard depth < 16, let node = source(id) else { return nil }
    func part(_ position: Int) -> [Double]? {
      node.inputs[position].flatMap { polynomial($0, in: x, depth: depth + 1) }
    }
    switch node.operation {
    case .binary(.add, .none):
      guard let a = part(0), let b = part(1) else { return nil }
      return zip(a, b).map(+)
    case .binary(.multiply, .none):
      guard let a = part(0), let b = part(1) else { return nil }
      return product(a, b)
    case .unary(.square):
      return part(0).flatMap { product($0, $0) }
    case .binary(.power, .none):
      guard let a = part(0), node.inputs[1].flatMap(uniform) == 3 else { return nil }
      return product(a, a).flatMap { product($0, a) }
    default:
      return nil
    }
  }

  private func product(_ a: [Double], _ b: [Double]) -> [Double]? {
    var result = [Double](repeating: 0, count: 7)
    for i in 0..<4 { for j in 0..<4 { result[i + j] += a[i] * b[j] } }
    guard result[4...].allSatisfy({ $0 == 0 }) else { return nil }
    return Array(result[..<4])
  }

  /// The name of x * (factor * f(p(x)) + offset).
  private func gateName(
    _ function: UnaryFunction, _ factor: Double, _ offset: Double, _ polynomial: [Double]
  ) -> UnaryFunction? {
    func hasForm(_ wanted: [Double]) -> Bool {
      zip(polynomial, wanted).allSatisfy { isClose($0, $1, tolerance: 1e-3) }
    }
    switch function {
    case .erf:
      guard isClose(factor, 0.5), isClose(offset, 0.5), hasForm([0, 0.5.squareRoot(), 0, 0])
      else { return nil }
      return .gelu(approximate: false)
    case .tanh:
      let slope = (2 / Double.pi).squareRoot()
      guard isClose(factor, 0.5), isClose(offset, 0.5), hasForm([0, slope, 0, slope * 0.044715])
      else { return nil }
      return .gelu(approximate: true)
    case .sigmoid:
      guard isClose(factor, 1), offset == 0 else { return nil }
      if hasForm([0, 1, 0, 0]) { return .silu }
      let slope = 2 * (2 / Double.pi).squareRoot()
      if hasForm([0, slope, 0, slope * 0.044715]) { return .gelu(approximate: true) }
      return hasForm([0, 1.702, 0, 0]) ? .quickGelu : nil
    case .relu6:
      guard isClose(factor, 1.0 / 6), offset == 0, hasForm([3, 1, 0, 0]) else { return nil }
      return .hardSwish
    case .hardSigmoid:
      guard isClose(factor, 1), offset == 0, hasForm([0, 1, 0, 0]) else { return nil }
      return .hardSwish
    default:
      return nil
    }
  }
}
