/// Evaluates nodes whose inputs are all known, for the arithmetic on shapes that converters leave in
/// models: small int32 and int64 tensors that become the shape of a reshape, the begin of a slice ...
enum IntegerFolding {
  /// Larger results than this are not about shapes.
  static let maximumElements = 1 << 12

  /// The elements of `output`, or nil where the node has to be executed.
  static func evaluate(_ operation: Operation, _ inputs: [Tensor], output: Tensor) -> [Int]? {
    guard isFoldable(output), inputs.allSatisfy({ isFoldable($0) && $0.isConstant }),
      let input = inputs.first, let values = input.indexValues
    else { return nil }
    switch operation {
    case .requantize:
      return values
    case .binary(let function, .none) where function != .divide && function != .power:
      let operands = inputs.map {
        Rearrangement.broadcast(.init(shape: $0.shape, elements: $0.indexValues ?? []), to: output.shape)
      }
      return zip(operands[0], operands[1]).map { apply(function, $0, $1) }
    case .gather:
      return Rearrangement.apply(
        operation, [.init(shape: input.shape, elements: values)], indices: inputs[1].indexValues ?? [],
        shape: output.shape)
    default:
      return Rearrangement.apply(
        operation, inputs.map { .init(shape: $0.shape, elements: $0.indexValues ?? []) },
        shape: output.shape)
    }
  }

  private static func isFoldable(_ tensor: Tensor) -> Bool {
    (tensor.type == .int32 || tensor.type == .int64) && tensor.quantization == nil
      && tensor.elementCount <= maximumElements
  }

  private static func apply(_ function: BinaryFunction, _ a: Int, _ b: Int) -> Int {
    switch function {
    case .add: a &+ b
    case .subtract: a &- b
    case .multiply: a &* b
    case .squaredDifference: (a &- b) &* (a &- b)
    case .maximum: max(a, b)
    case .minimum: min(a, b)
    case .divide, .power: preconditionFailure("left out above")
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

  /// Little-endian integers of `bytes` bytes each.
  static func data(of values: [Int], bytes: Int) -> [UInt8] {
    values.flatMap { value in (0..<bytes).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
  }
}
