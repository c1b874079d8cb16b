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
    case .reshape, .requantize:
      return values
    case .slice(let starts, let strides):
      let steps = self.strides(of: input.shape)
      let start = zip(starts, steps).reduce(0) { $0 + $1.0 * $1.1 }
      return pick(values, start, zip(strides, steps).map(*), output.shape)
    case .transpose(let permutation):
      let steps = self.strides(of: input.shape)
      return pick(values, 0, permutation.map { steps[$0] }, output.shape)
    case .concatenation(let axis, .none):
      let rows = output.shape[..<axis].reduce(1, *)
      let parts = inputs.map { ($0.indexValues ?? [], $0.elementCount / max(rows, 1)) }
      return (0..<rows).flatMap { row in
        parts.flatMap { part, length in part[row * length..<(row + 1) * length] }
      }
    case .gather(let axis, batchDimensions: 0):
      let indices = inputs[1].indexValues ?? []
      let extent = input.shape[axis]
      let length = input.shape[(axis + 1)...].reduce(1, *)
      return (0..<input.shape[..<axis].reduce(1, *)).flatMap { row in
        indices.flatMap { index in
          let start = (row * extent + index) * length
          return values[start..<start + length]
        }
      }
    case .binary(let function, .none) where function != .divide && function != .power:
      let operands = inputs.map { operand in
        let pad = Array(repeating: 0, count: output.shape.count - operand.shape.count)
        let steps = zip(operand.shape, strides(of: operand.shape)).map { $0 == 1 ? 0 : $1 }
        return pick(operand.indexValues ?? [], 0, pad + steps, output.shape)
      }
      return zip(operands[0], operands[1]).map { apply(function, $0, $1) }
    default:
      return nil
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

  /// How far apart neighbours along each dimension lie.
  private static func strides(of shape: [Int]) -> [Int] {
    var result = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() { result[axis] = result[axis + 1] * shape[axis + 1] }
    return result
  }

  /// The elements of a strided view, row by row.
  private static func pick(_ values: [Int], _ start: Int, _ strides: [Int], _ shape: [Int]) -> [Int] {
    var places = [start]
    for (extent, stride) in zip(shape, strides) {
      places = places.flatMap { place in (0..<extent).map { place + $0 * stride } }
    }
    return places.map { values[$0] }
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
