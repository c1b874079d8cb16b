/// Evaluates nodes whose inputs are all known, for the arithmetic on shapes that converters leave in
/// models: int32 and int64 tensors that become the shape of a reshape, the begin of a slice, a mask ...
enum IntegerFolding {
  /// Larger results than this are not about shapes and masks.
  static let maximumElements = 1 << 20

  /// The elements of `output`, or nil where the node has to be executed.
  static func evaluate(_ operation: Operation, _ inputs: [Tensor], output: Tensor) -> [Int]? {
    guard isFoldable(output), let input = inputs.first, let first = input.knownIntegers,
      inputs.allSatisfy({ $0.elementCount <= maximumElements && $0.knownIntegers != nil })
    else { return nil }
    switch operation {
    case .requantize:
      // Ends of slices are the largest integers there are.
      let range = output.type.integerRange
      return first.map { min(max($0, range.lowerBound), range.upperBound) }
    case .binary(let function, .none):
      let operands = inputs.map { broadcast($0, to: output.shape) }
      return allOrNone(zip(operands[0], operands[1]).map { apply(function, $0, $1) })
    case .select:
      let operands = inputs.map { broadcast($0, to: output.shape) }
      return operands[0].indices.map { operands[0][$0] != 0 ? operands[1][$0] : operands[2][$0] }
    case .unary(let function):
      return allOrNone(first.map { Int(exactly: function.evaluate(Double($0))) })
    case .reduce(let kind, let axes) where axes == Array(input.shape.indices):
      return apply(kind, first).map { [$0] }
    case .gather:
      return Rearrangement.apply(
        operation, [.init(shape: input.shape, elements: first)], indices: inputs[1].indexValues ?? [],
        shape: output.shape)
    default:
      return Rearrangement.apply(
        operation, inputs.map { .init(shape: $0.shape, elements: $0.knownIntegers ?? []) },
        shape: output.shape)
    }
  }

  private static func isFoldable(_ tensor: Tensor) -> Bool {
    (tensor.type == .int32 || tensor.type == .int64) && tensor.quantization == nil
      && tensor.elementCount <= maximumElements
  }

  private static func broadcast(_ tensor: Tensor, to shape: [Int]) -> [Int] {
    Rearrangement.broadcast(.init(shape: tensor.shape, elements: tensor.knownIntegers ?? []), to: shape)
  }

  private static func allOrNone(_ values: [Int?]) -> [Int]? {
    let present = values.compactMap { $0 }
    return present.count == values.count ? present : nil
  }

  /// Nil where there is no whole result.
  private static func apply(_ function: BinaryFunction, _ a: Int, _ b: Int) -> Int? {
    switch function {
    case .add: return a &+ b
    case .subtract: return a &- b
    case .multiply: return a &* b
    case .squaredDifference: return (a &- b) &* (a &- b)
    case .maximum: return max(a, b)
    case .minimum: return min(a, b)
    case .divide:
      let (quotient, overflow) = a.dividedReportingOverflow(by: b)
      return overflow ? nil : quotient
    case .power:
      // Small powers are all that occurs.
      guard (0...64).contains(b) else { return nil }
      return (0..<b).reduce(1) { power, _ in power &* a }
    }
  }

  private static func apply(_ kind: ReduceKind, _ values: [Int]) -> Int? {
    switch kind {
    case .sum: values.reduce(0, &+)
    case .mean: values.reduce(0, &+) / max(values.count, 1)
    case .maximum: values.max()
    case .minimum: values.min()
    }
  }
}

extension Tensor {
  /// The elements of a constant int32 or int64 tensor.
  var indexValues: [Int]? {
    guard let data, type == .int32 || type == .int64 else { return nil }
    let size = type.bytes
    return stride(from: 0, to: data.count, by: size).map { start in
      let pattern = data[start..<start + size].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      return size == 4 ? Int(Int32(truncatingIfNeeded: pattern)) : Int(Int64(bitPattern: pattern))
    }
  }

  /// The elements of a constant of plain integers or truth values.
  fileprivate var knownIntegers: [Int]? {
    guard quantization == nil else { return nil }
    return type == .bool ? data.map { $0.map { $0 == 0 ? 0 : 1 } } : indexValues
  }

  /// Little-endian integers of `bytes` bytes each.
  static func data(of values: [Int], bytes: Int) -> [UInt8] {
    values.flatMap { value in (0..<bytes).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
  }
}
