import Testing

@testable import AbacusPack

/// Writes ONNX models node by node, as exporters do, with random weights.
struct ExporterScript {
  typealias Attributes = [(String, ONNXModelWriter.Attribute)]

  var writer: ONNXModelWriter
  private var generator: SeededGenerator
  private var count = 0

  init(version: Int = 17, seed: Int = 0) {
    writer = ONNXModelWriter(version: version)
    generator = SeededGenerator(state: UInt64(seed) &* 0x1000_0001 &+ 11)
  }

  private mutating func name(_ what: String) -> String {
    count += 1
    return "\(what)_\(count)"
  }

  // MARK: Constants

  mutating func weights(_ shape: Int..., reach: Float = 0.7) -> String {
    let values = (0..<shape.reduce(1, *)).map { _ in Float.random(in: -reach...reach, using: &generator) }
    return constant(values, shape)
  }

  mutating func constant(_ values: [Float], _ shape: [Int]) -> String {
    let name = name("constant")
    writer.constant(name, shape, values)
    return name
  }

  mutating func scalar(_ value: Float) -> String { constant([value], []) }

  mutating func integers(_ values: Int...) -> String { integers(values, [values.count]) }

  mutating func integer(_ value: Int) -> String { integers([value], []) }

  mutating func integers(
    _ values: [Int], _ shape: [Int], _ type: ONNXTensorProto.DataType = .int64
  ) -> String {
    let name = name("integers")
    writer.constant(ONNXModelWriter.integers(name, shape, values, type))
    return name
  }

  // MARK: Nodes

  mutating func node(
    _ operation: String, _ inputs: String..., domain: String = "", with attributes: Attributes = []
  ) -> String {
    nodes(operation, inputs, outputs: 1, domain: domain, attributes)[0]
  }

  mutating func nodes(
    _ operation: String, _ inputs: [String], outputs: Int, domain: String = "", _ attributes: Attributes = []
  ) -> [String] {
    let results = (0..<outputs).map { _ in name(operation) }
    writer.node(operation, inputs, results, domain: domain, attributes)
    return results
  }

  mutating func cast(_ x: String, to type: ONNXTensorProto.DataType) -> String {
    node("Cast", x, with: [("to", .int(type.rawValue))])
  }

  mutating func reshape(_ x: String, _ shape: Int...) -> String {
    node("Reshape", x, integers(shape, [shape.count]))
  }

  mutating func transpose(_ x: String, _ permutation: Int...) -> String {
    node("Transpose", x, with: [("perm", .ints(permutation))])
  }

  mutating func unsqueeze(_ x: String, _ axes: Int...) -> String {
    node("Unsqueeze", x, integers(axes, [axes.count]))
  }

  mutating func slice(_ x: String, _ axis: Int, _ start: Int, _ end: Int, by step: Int = 1) -> String {
    node("Slice", x, integers(start), integers(end), integers(axis), integers(step))
  }

  mutating func concatenate(_ parts: String..., axis: Int) -> String {
    nodes("Concat", parts, outputs: 1, [("axis", .int(axis))])[0]
  }

  mutating func linear(_ x: String, _ inputs: Int, _ outputs: Int, bias: Bool = true) -> String {
    let product = node("MatMul", x, weights(inputs, outputs, reach: 1.5 / Float(inputs).squareRoot()))
    return bias ? node("Add", weights(outputs, reach: 0.2), product) : product
  }

  /// Rows [1, n, h * d] as heads [1, h, n, d].
  mutating func heads(_ x: String, _ rows: Int, _ heads: Int, _ depth: Int) -> String {
    transpose(reshape(x, 1, rows, heads, depth), 0, 2, 1, 3)
  }

  /// Heads [1, h, n, d] as rows [1, n, h * d].
  mutating func rows(_ x: String, _ rows: Int, _ width: Int) -> String {
    reshape(transpose(x, 0, 2, 1, 3), 1, rows, width)
  }

  mutating func softmax(_ x: String) -> String { node("Softmax", x, with: [("axis", .int(-1))]) }

  // MARK: Checks

  /// Inputs of a sample: real numbers, tokens, and flags of which some at the end are 0.
  static func sample(_ graph: Graph, tokens: Int, _ generator: inout SeededGenerator) -> [FloatTensor] {
    graph.inputs.map { id in
      let (shape, count) = (graph.tensors[id].shape, graph.tensors[id].elementCount)
      let isFlag = graph.tensors[id].name.contains("mask")
      let kept = Int.random(in: (count + 1) / 2...count, using: &generator)
      let values: [Float] = (0..<count).map { index in
        if graph.tensors[id].type == .float32 { return Float.random(in: -2...2, using: &generator) }
        if isFlag { return graph.tensors[id].name.contains("padding") == (index < kept) ? 0 : 1 }
        let isType = graph.tensors[id].name.contains("type")
        return Float(Int.random(in: 0..<(isType ? 2 : tokens), using: &generator))
      }
      return FloatTensor(shape: shape, values: values)
    }
  }

  /// Checks that the model's canonical graph computes the same, consists of the operations that are
  /// expected (so many of each), and survives quantisation.
  ///
  /// - Parameters:
  ///   - expected: beginnings of operations' summaries, and how many nodes have them.
  ///   - decibels: how near the integers must come to the floats.
  @discardableResult
  func check(
    _ expected: [String: Int], dimensions: [String: Int] = [:], tokens: Int = 2, decibels: Double = 22,
    comment: String = "", sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> Graph {
    let graph = try writer.load(dimensions)
    var training = PostTraining()
    training.quantize.outputBits = 16
    let prepared = try training.prepare(graph)
    let summary = "\(comment)\n\(prepared.summary())"
    let names = prepared.nodes.map(\.operation.summary)
    for (name, count) in expected {
      #expect(names.count { $0.hasPrefix(name) } == count, "\(name) in \(summary)", sourceLocation: sourceLocation)
    }
    let parts = ["matrixMultiply", "softmax", "select", "exp", "erf", "reciprocal", "rsqrt", "requantize"]
    #expect(!names.contains { name in parts.contains { name.hasPrefix($0) } }, "\(summary)", sourceLocation: sourceLocation)
    // Samples fit both graphs only where the boundary stays.
    var options = CanonicalOptions()
    options.channelsLastBoundary = false
    try Self.expectSame(graph, try graph.canonical(options), tokens: tokens, comment, sourceLocation)

    var generator = SeededGenerator(state: 3)
    let samples = (0..<8).map { _ in Self.sample(prepared, tokens: tokens, &generator) }
    let (float, calibration) = try training.calibrate(prepared, count: samples.count) { samples[$0] }
    let integers = try training.integers(float, calibration)
    _ = try training.pack(integers)
    let report = try QuantizationReport(float, integers, samples: Array(samples.prefix(4)), options: training.pack)
    let output = float.tensors[float.outputs[0]].name
    let row = try #require(report.rows.first { $0.tensor == output }, "\(comment)", sourceLocation: sourceLocation)
    #expect(row.signalToNoise > decibels, "\(row.signalToNoise) dB, \(summary)", sourceLocation: sourceLocation)
    return prepared
  }

  /// Both graphs give the same for the same samples.
  static func expectSame(
    _ graph: Graph, _ canonical: Graph, tokens: Int, _ comment: String, _ sourceLocation: SourceLocation
  ) throws {
    let (before, after) = (try FloatEvaluator(graph), try FloatEvaluator(canonical))
    var generator = SeededGenerator(state: 5)
    for _ in 0..<3 {
      let sample = sample(graph, tokens: tokens, &generator)
      for (a, b) in zip(try before.evaluate(sample), try after.evaluate(sample)) {
        let magnitude = a.values.reduce(1) { max($0, abs($1)) }
        let difference = zip(a.values, b.values).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
        #expect(
          a.values.count == b.values.count && difference <= 1e-4 * magnitude,
          "\(comment) differs by \(difference)\n\(canonical.summary())", sourceLocation: sourceLocation)
      }
    }
  }
}
