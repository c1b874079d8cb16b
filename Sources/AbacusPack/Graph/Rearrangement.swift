/// Operations that only move elements, evaluated on elements of any kind: the integers of arithmetic
/// on shapes, or the positions by which a pass learns where each element of a tensor comes from.
enum Rearrangement {
  /// A tensor's shape and its elements, row-major.
  struct Operand<Element> {
    var shape: [Int]
    var elements: [Element]
  }

  /// The elements of the result, row-major, or nil where the operation does more than move.
  ///
  /// - Parameter indices: of a gather.
  static func apply<Element>(
    _ operation: Operation, _ inputs: [Operand<Element>], indices: [Int] = [], shape: [Int]
  ) -> [Element]? {
    let input = inputs[0]
    switch operation {
    case .reshape:
      return input.elements
    case .slice(let starts, let strides):
      let steps = self.strides(of: input.shape)
      let start = zip(starts, steps).reduce(0) { $0 + $1.0 * $1.1 }
      return pick(input.elements, start, zip(strides, steps).map(*), shape)
    case .transpose(let permutation):
      let steps = self.strides(of: input.shape)
      return pick(input.elements, 0, permutation.map { steps[$0] }, shape)
    case .concatenation(let axis, .none):
      let rows = shape[..<axis].reduce(1, *)
      let lengths = inputs.map { $0.elements.count / max(rows, 1) }
      return (0..<rows).flatMap { row in
        zip(inputs, lengths).flatMap { part, length in
          part.elements[row * length..<(row + 1) * length]
        }
      }
    case .gather(let axis, batchDimensions: 0):
      let extent = input.shape[axis]
      guard indices.allSatisfy((0..<extent).contains) else { return nil }
      let length = input.shape[(axis + 1)...].reduce(1, *)
      return (0..<input.shape[..<axis].reduce(1, *)).flatMap { row in
        indices.flatMap { index in
          let start = (row * extent + index) * length
          return input.elements[start..<start + length]
        }
      }
    default:
      return nil
    }
  }

  /// The elements that numpy's broadcasting repeats to fill `shape`.
  static func broadcast<Element>(_ input: Operand<Element>, to shape: [Int]) -> [Element] {
    if input.shape == shape { return input.elements }
    let own = Shapes.widened(input.shape, to: shape.count)
    let steps = zip(own, self.strides(of: own)).map { $0 == 1 ? 0 : $1 }
    return pick(input.elements, 0, steps, shape)
  }

  /// How far apart neighbours along each dimension lie.
  static func strides(of shape: [Int]) -> [Int] {
    var result = [Int](repeating: 1, count: shape.count)
    for axis in shape.indices.dropLast().reversed() { result[axis] = result[axis + 1] * shape[axis + 1] }
    return result
  }

  /// The elements of a strided view, row by row.
  private static func pick<Element>(
    _ elements: [Element], _ start: Int, _ strides: [Int], _ shape: [Int]
  ) -> [Element] {
    var places = [start]
    for (extent, stride) in zip(shape, strides) {
      places = places.flatMap { place in (0..<extent).map { place + $0 * stride } }
    }
    return places.map { elements[$0] }
  }
}
