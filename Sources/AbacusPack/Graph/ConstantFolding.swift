import Foundation

/// Evaluates nodes whose inputs are all constant: weights that are only rearranged, and the small
/// arithmetic on shapes and factors that converters leave in models.
enum ConstantFolding {
  /// Arithmetic on more elements than this is not about shapes and factors.
  static let maximumElements = 1 << 20

  /// The data of `output`, or nil where the node has to be executed. The shapes must go together.
  static func evaluate(_ operation: Operation, _ inputs: [Tensor], output: Tensor) -> [UInt8]? {
    guard let input = inputs.first, inputs.allSatisfy(\.isConstant) else { return nil }
    if operation.isMovement { return moved(operation, inputs, output) }
    // Whole tensors of weights may be quantised in the model; other arithmetic is small.
    if operation == .requantize { return input.reals.flatMap(output.stored) }
    guard output.elementCount <= maximumElements, inputs.allSatisfy({ $0.elementCount <= maximumElements })
    else { return nil }
    if output.isPlainInteger {
      return computed(operation, inputs, output, values: \.indexValues, Integers())
        .map { Tensor.data(of: $0, bytes: output.type.bytes) }
    }
    return computed(operation, inputs, output, values: \.reals, Reals()).flatMap(output.stored)
  }

  // MARK: Movement

  /// The result of an operation that only moves elements.
  private static func moved(_ operation: Operation, _ inputs: [Tensor], _ output: Tensor) -> [UInt8]? {
    let input = inputs[0]
    let size = input.type.bytes
    guard input.type == output.type, let data = input.data else { return nil }
    switch operation {
    case .reshape:
      return data
    case .slice(let starts, let strides):
      let steps = Shapes.strides(of: input.shape)
      let start = zip(starts, steps).reduce(0) { $0 + $1.0 * $1.1 }
      return view(data, size: size, start: start, strides: zip(strides, steps).map(*), shape: output.shape)
    case .transpose(let permutation):
      let steps = Shapes.strides(of: input.shape)
      return view(data, size: size, strides: permutation.map { steps[$0] }, shape: output.shape)
    case .concatenation(let axis, .none):
      guard inputs.allSatisfy({ $0.type == output.type }) else { return nil }
      let rows = output.shape[..<axis].reduce(1, *)
      let parts = inputs.map { (data: $0.data ?? [], length: $0.elementCount * size / max(rows, 1)) }
      return (0..<rows).flatMap { row in
        parts.flatMap { part in part.data[row * part.length..<(row + 1) * part.length] }
      }
    case .gather(let axis, batchDimensions: 0):
      guard let indices = inputs[1].indexValues else { return nil }
      let extent = input.shape[axis]
      let length = input.shape[(axis + 1)...].reduce(size, *)
      return (0..<input.shape[..<axis].reduce(1, *)).flatMap { row in
        indices.flatMap { index in
          let start = (row * extent + index) * length
          return data[start..<start + length]
        }
      }
    default:
      return nil
    }
  }

  /// The elements, `size` bytes each, of a strided view, row by row.
  static func view(_ data: [UInt8], size: Int, start: Int = 0, strides: [Int], shape: [Int]) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(shape.reduce(size, *))
    func visit(_ axis: Int, _ place: Int) {
      if axis == shape.count {
        result += data[place * size..<(place + 1) * size]
      } else if axis == shape.count - 1, strides[axis] == 1 {
        result += data[place * size..<(place + shape[axis]) * size]
      } else {
        for index in 0..<shape[axis] { visit(axis + 1, place + index * strides[axis]) }
      }
    }
    if !shape.contains(0) { visit(0, start) }
    return result
  }

  // MARK: Arithmetic

  private static func computed<Numbers: NumberFunctions>(
    _ operation: Operation, _ inputs: [Tensor], _ output: Tensor,
    values: (Tensor) -> [Numbers.Value]?, _ numbers: Numbers
  ) -> [Numbers.Value]? {
    /// The elements of an input, repeated to the output's shape.
    func spread(_ position: Int) -> [Numbers.Value]? {
      let steps = Shapes.broadcastStrides(of: inputs[position].shape, to: output.shape)
      return values(inputs[position]).map { values in
        places(output.shape, steps).map { values[$0] }
      }
    }
    switch operation {
    case .unary(let function):
      return values(inputs[0]).flatMap { allOrNone($0.map { numbers.apply(function, $0) }) }
    case .binary(let function, .none):
      guard let a = spread(0), let b = spread(1) else { return nil }
      return allOrNone(zip(a, b).map { numbers.apply(function, $0, $1) })
    case .select:
      guard let flags = inputs[0].data, inputs[0].type == .bool, let a = spread(1), let b = spread(2)
      else { return nil }
      let steps = Shapes.broadcastStrides(of: inputs[0].shape, to: output.shape)
      return places(output.shape, steps).enumerated().map { flags[$1] != 0 ? a[$0] : b[$0] }
    case .reduce(let kind, let axes):
      let shape = inputs[0].shape
      let steps = Shapes.strides(of: shape)
      guard let values = values(inputs[0]) else { return nil }
      let group = places(axes.map { shape[$0] }, axes.map { steps[$0] })
      let kept = shape.indices.filter { !axes.contains($0) }
      return places(kept.map { shape[$0] }, kept.map { steps[$0] }).map { start in
        numbers.reduce(kind, group.map { values[start + $0] })
      }
    default:
      return nil
    }
  }

  private static func allOrNone<Value>(_ values: [Value?]) -> [Value]? {
    let present = values.compactMap { $0 }
    return present.count == values.count ? present : nil
  }

  /// Where the elements of a strided view lie, row by row.
  private static func places(_ shape: [Int], _ strides: [Int]) -> [Int] {
    zip(shape, strides).reduce([0]) { places, dimension in
      places.flatMap { place in (0..<dimension.0).map { place + $0 * dimension.1 } }
    }
  }
}

/// Functions on one kind of number; nil where there is no result.
private protocol NumberFunctions {
  associatedtype Value
  func apply(_ function: UnaryFunction, _ value: Value) -> Value?
  func apply(_ function: BinaryFunction, _ a: Value, _ b: Value) -> Value?
  func reduce(_ kind: ReduceKind, _ values: [Value]) -> Value
}

private struct Integers: NumberFunctions {
  func apply(_ function: UnaryFunction, _ value: Int) -> Int? {
    Int(exactly: function.evaluate(Double(value)))
  }

  func apply(_ function: BinaryFunction, _ a: Int, _ b: Int) -> Int? {
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
    case .power: return Int(exactly: function.evaluate(Double(a), Double(b)))
    }
  }

  func reduce(_ kind: ReduceKind, _ values: [Int]) -> Int {
    switch kind {
    case .sum: values.reduce(0, &+)
    case .mean: values.reduce(0, &+) / max(values.count, 1)
    case .maximum: values.max() ?? 0
    case .minimum: values.min() ?? 0
    }
  }
}

private struct Reals: NumberFunctions {
  func apply(_ function: UnaryFunction, _ value: Double) -> Double? { function.evaluate(value) }
  func apply(_ function: BinaryFunction, _ a: Double, _ b: Double) -> Double? { function.evaluate(a, b) }

  func reduce(_ kind: ReduceKind, _ values: [Double]) -> Double {
    switch kind {
    case .sum: values.reduce(0, +)
    case .mean: values.reduce(0, +) / Double(values.count)
    case .maximum: values.max() ?? 0
    case .minimum: values.min() ?? 0
    }
  }
}

extension Operation {
  /// True where elements only change their places, so that type and scale stay as they are.
  var isMovement: Bool {
    switch self {
    case .reshape, .slice, .transpose, .gather, .concatenation(_, .none): true
    default: false
    }
  }
}

extension BinaryFunction {
  /// The function in real numbers.
  func evaluate(_ a: Double, _ b: Double) -> Double {
    switch self {
    case .add: a + b
    case .subtract: a - b
    case .multiply: a * b
    case .squaredDifference: (a - b) * (a - b)
    case .maximum: Swift.max(a, b)
    case .minimum: Swift.min(a, b)
    case .divide: a / b
    case .power: pow(a, b)
    }
  }
}
