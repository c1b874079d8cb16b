import AbacusFormat
import AbacusRuntime
import Testing

@testable import AbacusPack

/// A small graph with random data, for one test.
struct TestGraph {
  var graph = Graph(name: "test")
  var generator: SeededGenerator
  /// Codes of each graph input, as the graph's own type counts them.
  var inputCodes: [[Int]] = []

  init(seed: Int) {
    generator = SeededGenerator(state: UInt64(seed) &* 0x1000_0001)
  }

  mutating func random(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }

  mutating func pick<Element>(_ choices: [Element]) -> Element { choices[random(0...choices.count - 1)] }

  /// A random scale within a factor of `spread` of `center`.
  mutating func scale(_ center: Double = 0.05, spread: Double = 2) -> Double {
    center * Double.random(in: 1 / spread...spread, using: &generator)
  }

  mutating func codes(_ count: Int, _ type: DataType = .int8) -> [Int] {
    let range = type.codes
    return (0..<count).map { _ in
      // Extremes are more frequent than chance has them.
      switch random(0...15) {
      case 0: range.lowerBound
      case 1: range.upperBound
      default: random(range)
      }
    }
  }

  mutating func input(
    _ shape: [Int], scale: Double? = nil, zeroPoint: Int? = nil, type: DataType = .int8, codes: [Int]? = nil
  ) -> Graph.TensorID {
    let quantization = Quantization(
      scale: scale ?? self.scale(), zeroPoint: zeroPoint ?? random(type == .int8 ? -30...30 : 0...0))
    let id = graph.add(
      Tensor(name: "input \(graph.inputs.count)", shape: shape, type: type, quantization: quantization))
    graph.inputs.append(id)
    inputCodes.append(codes ?? self.codes(shape.reduce(1, *), type))
    return id
  }

  mutating func constant(
    _ shape: [Int], _ quantization: Quantization?, codes: [Int]? = nil, type: DataType = .int8
  ) -> Graph.TensorID {
    let codes = codes ?? self.codes(shape.reduce(1, *), type)
    return graph.add(
      Tensor(
        name: "constant \(graph.tensors.count)", shape: shape, type: type, quantization: quantization,
        data: type.bytes(of: codes)))
  }

  mutating func add(
    _ operation: Operation, _ inputs: [Graph.TensorID?], _ shape: [Int], scale: Double, zeroPoint: Int = 0,
    type: DataType = .int8
  ) -> Graph.TensorID {
    let id = graph.add(
      Tensor(
        name: "tensor \(graph.tensors.count)", shape: shape, type: type,
        quantization: Quantization(scale: scale, zeroPoint: zeroPoint)))
    graph.nodes.append(Node(operation, inputs: inputs, outputs: [id], origin: "node \(graph.nodes.count)"))
    return id
  }

  /// Adds a node whose result is an output of the model.
  mutating func output(
    _ operation: Operation, _ inputs: [Graph.TensorID?], _ shape: [Int], scale: Double, zeroPoint: Int = 0,
    type: DataType = .int8
  ) {
    graph.outputs.append(
      add(operation, inputs, shape, scale: scale, zeroPoint: zeroPoint, type: type))
  }
}

extension DataType {
  /// The codes of an integer type that tests use.
  var codes: ClosedRange<Int> {
    switch self {
    case .int8: -128...127
    case .uint8: 0...255
    case .int16: -32768...32767
    default: -2_000_000...2_000_000
    }
  }

  func bytes(of codes: [Int]) -> [UInt8] {
    codes.flatMap { code in (0..<bytes).map { UInt8(truncatingIfNeeded: code >> (8 * $0)) } }
  }
}

extension ElementType {
  func bytes(of codes: [Int]) -> [UInt8] {
    codes.flatMap { code in (0..<Int(bits) / 8).map { UInt8(truncatingIfNeeded: code >> (8 * $0)) } }
  }

  func codes(of bytes: [UInt8]) -> [Int] {
    let width = Int(bits) / 8
    return stride(from: 0, to: bytes.count, by: width).map { start in
      let word = (0..<width).reduce(0) { $0 | Int(bytes[start + $1]) << (8 * $1) }
      let unused = 64 - 8 * width
      return (word << unused) >> unused
    }
  }
}
