import Testing

@testable import AbacusPack

/// A graph of one node with random real values, evaluated and compared with ``RealReference``.
struct FloatCase {
  var graph = Graph(name: "test")
  var generator: SeededGenerator
  private var samples: [FloatTensor] = []
  private var values: [Graph.TensorID: RealTensor] = [:]
  private var operands: [Graph.TensorID?] = []

  init(seed: Int) {
    generator = SeededGenerator(state: UInt64(seed) &* 0x1000_0001)
  }

  mutating func random(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }

  mutating func flip() -> Bool { Bool.random(using: &generator) }

  /// Random extents in a range.
  mutating func shape(_ rank: Int, _ range: ClosedRange<Int> = 1...5) -> [Int] {
    (0..<rank).map { _ in random(range) }
  }

  /// The shape with some dimensions made 1, and some left out in front: it broadcasts to `shape`.
  mutating func narrowed(_ shape: [Int]) -> [Int] {
    Array(shape.map { flip() ? $0 : 1 }.dropFirst(random(0...shape.count)))
  }

  mutating func reals(_ count: Int, _ range: ClosedRange<Float> = -2...2) -> [Float] {
    (0..<count).map { _ in Float.random(in: range, using: &generator) }
  }

  /// An operand that is computed at run time.
  mutating func input(_ shape: [Int], _ values: [Float]) {
    let id = graph.add(Tensor(name: "input \(graph.inputs.count)", shape: shape, type: .float32))
    graph.inputs.append(id)
    samples.append(FloatTensor(shape: shape, values: values))
    add(id, shape, values)
  }

  mutating func input(_ shape: [Int], in range: ClosedRange<Float> = -2...2) {
    input(shape, reals(shape.reduce(1, *), range))
  }

  /// An operand that is constant.
  mutating func constant(_ shape: [Int], in range: ClosedRange<Float> = -2...2) {
    let values = reals(shape.reduce(1, *), range)
    let bytes = values.flatMap { DataType.int32.bytes(of: [Int(Int32(bitPattern: $0.bitPattern))]) }
    add(graph.add(Tensor(name: "constant", shape: shape, type: .float32, data: bytes)), shape, values)
  }

  /// An operand that may be either.
  mutating func either(_ shape: [Int]) {
    if flip() { constant(shape) } else { input(shape) }
  }

  /// Leaves an optional operand out.
  mutating func nothing() { operands.append(nil) }

  private mutating func add(_ id: Graph.TensorID, _ shape: [Int], _ values: [Float]) {
    self.values[id] = RealTensor(shape, values.map(Double.init))
    operands.append(id)
  }

  /// The graph with the node that all operands belong to.
  func completed(_ operation: Operation, _ shape: [Int]) -> Graph {
    var graph = graph
    let output = graph.add(Tensor(name: "output", shape: shape, type: .float32))
    graph.nodes.append(Node(operation, inputs: operands, outputs: [output], origin: "the node"))
    graph.outputs = [output]
    return graph
  }

  func evaluate(_ operation: Operation, _ shape: [Int]) throws -> [Float] {
    let outputs = try FloatEvaluator(completed(operation, shape)).evaluate(samples)
    #expect(outputs.map(\.shape) == [shape])
    return outputs[0].values
  }

  /// Expects every element within `tolerance` of the reference, relative to 1 or its magnitude.
  func check(
    _ operation: Operation, _ shape: [Int], tolerance: Double = 2e-6,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let values = try evaluate(operation, shape)
    let wanted = RealReference.evaluate(operation, operands.map { $0.map { self.values[$0]! } }, shape: shape)
    try #require(values.count == wanted.values.count, sourceLocation: sourceLocation)
    let inputs = operands.map { $0.map { graph.tensors[$0].shape } ?? [] }
    for (index, (value, want)) in zip(values, wanted.values).enumerated() {
      // Both may be no number, or too large.
      if value.isNaN && want.isNaN || value == Float(want) { continue }
      if !((Double(value) - want).magnitude <= tolerance * max(1, want.magnitude)) {
        Issue.record(
          "\(operation) of \(inputs), element \(RealTensor.index(index, shape)): \(value), not \(want)",
          sourceLocation: sourceLocation)
        return
      }
    }
  }
}
