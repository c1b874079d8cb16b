import Testing

@testable import AbacusPack

/// Builds small float graphs for tests; each helper infers the shape of its result.
struct FloatGraph {
  typealias ID = Graph.TensorID

  var graph = Graph(name: "test")
  var generator: SeededGenerator

  init(seed: Int = 0) { generator = SeededGenerator(state: UInt64(seed) &* 0x1000_0001 &+ 7) }

  // MARK: Randomness

  mutating func random(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }
  mutating func pick<Element>(_ choices: [Element]) -> Element { choices[random(0...choices.count - 1)] }
  mutating func values(_ count: Int) -> [Float] {
    (0..<count).map { _ in Float.random(in: -1...1, using: &generator) }
  }

  // MARK: Tensors

  mutating func input(_ shape: [Int], type: DataType = .float32) -> ID {
    let id = graph.add(Tensor(name: "input \(graph.inputs.count)", shape: shape, type: type))
    graph.inputs.append(id)
    return id
  }

  mutating func constant(_ shape: [Int], _ values: [Float]) -> ID {
    graph.add(
      Tensor(
        name: "constant \(graph.tensors.count)", shape: shape, type: .float32,
        data: values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } }))
  }

  mutating func constant(_ shape: [Int]) -> ID { constant(shape, values(shape.reduce(1, *))) }

  mutating func scalar(_ value: Double) -> ID { constant([], [Float(value)]) }

  mutating func indices(_ values: [Int], shape: [Int]? = nil) -> ID {
    graph.add(
      Tensor(
        name: "indices \(graph.tensors.count)", shape: shape ?? [values.count], type: .int64,
        data: values.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }))
  }

  func shape(_ id: ID) -> [Int] { graph.tensors[id].shape }

  // MARK: Nodes

  mutating func add(_ operation: AbacusPack.Operation, _ inputs: [ID?], _ shape: [Int], type: DataType = .float32) -> ID {
    let id = graph.add(Tensor(name: "tensor \(graph.tensors.count)", shape: shape, type: type))
    graph.nodes.append(Node(operation, inputs: inputs, outputs: [id], origin: "node \(graph.nodes.count)"))
    return id
  }

  mutating func unary(_ function: UnaryFunction, _ x: ID) -> ID { add(.unary(function), [x], shape(x)) }

  mutating func binary(_ function: BinaryFunction, _ a: ID, _ b: ID) -> ID {
    let rank = max(shape(a).count, shape(b).count)
    let wide = [a, b].map { Array(repeating: 1, count: rank - shape($0).count) + shape($0) }
    return add(.binary(function, .none), [a, b], zip(wide[0], wide[1]).map { $0 == 1 ? $1 : $0 })
  }

  mutating func reshape(_ x: ID, _ shape: [Int], type: DataType = .float32) -> ID {
    add(.reshape, [x], shape, type: type)
  }

  mutating func transpose(_ x: ID, _ permutation: [Int]) -> ID {
    add(.transpose(permutation: permutation), [x], permutation.map { shape(x)[$0] })
  }

  mutating func slice(_ x: ID, _ axis: Int, _ range: Range<Int>, by stride: Int = 1) -> ID {
    var (starts, strides, extents) = (shape(x).map { _ in 0 }, shape(x).map { _ in 1 }, shape(x))
    (starts[axis], strides[axis], extents[axis]) = (range.lowerBound, stride, (range.count + stride - 1) / stride)
    return add(.slice(starts: starts, strides: strides), [x], extents)
  }

  /// One place along an axis, which goes: ONNX's Gather with a scalar.
  mutating func pickPlace(_ x: ID, _ axis: Int, _ index: Int) -> ID {
    var extents = shape(x)
    extents.remove(at: axis)
    return add(.gather(axis: axis, batchDimensions: 0), [x, indices([index], shape: [])], extents)
  }

  mutating func concatenation(_ parts: [ID], _ axis: Int) -> ID {
    var extents = shape(parts[0])
    extents[axis] = parts.map { shape($0)[axis] }.reduce(0, +)
    return add(.concatenation(axis: axis, .none), parts, extents)
  }

  mutating func reduce(_ kind: ReduceKind, _ x: ID, _ axes: [Int], keeps: Bool = true) -> ID {
    let result = keeps
      ? shape(x).indices.map { axes.contains($0) ? 1 : shape(x)[$0] }
      : shape(x).indices.filter { !axes.contains($0) }.map { shape(x)[$0] }
    return add(.reduce(kind, axes: axes), [x], result)
  }

  mutating func mean(_ x: ID) -> ID { reduce(.mean, x, [shape(x).count - 1]) }

  mutating func product(_ a: ID, _ b: ID, transposeB: Bool = false) -> ID {
    let rank = max(shape(a).count, shape(b).count)
    let wide = [a, b].map { Array(repeating: 1, count: rank - shape($0).count) + shape($0) }
    let batches = (0..<rank - 2).map { max(wide[0][$0], wide[1][$0]) }
    return add(
      .matrixMultiply(transposeA: false, transposeB: transposeB), [a, b],
      batches + [wide[0][rank - 2], wide[1][rank - (transposeB ? 2 : 1)]])
  }

  mutating func fullyConnected(_ x: ID, _ outputs: Int, bias: Bool = true) -> ID {
    let weights = constant([outputs, shape(x).last!])
    return add(
      .fullyConnected(.none), [x, weights] + (bias ? [constant([outputs])] : []),
      shape(x).dropLast() + [outputs])
  }

  /// x * W + b as ONNX exporters write it.
  mutating func linear(_ x: ID, _ outputs: Int) -> ID {
    let weights = constant([shape(x).last!, outputs])
    let bias = constant([outputs])
    return binary(.add, bias, product(x, weights))
  }

  mutating func softmax(_ x: ID) -> ID { add(.softmax(beta: 1), [x], shape(x)) }

  mutating func layerNormalization(_ x: ID, affine: Bool = true) -> ID {
    let vectors = affine ? [constant([shape(x).last!]), constant([shape(x).last!])] : []
    return add(.layerNormalization(epsilon: 1e-5), [x] + vectors, shape(x))
  }

  /// A convolution of an image [1, c, h, w] between transposes, as the ONNX importer delivers it.
  mutating func convolutionNCHW(
    _ x: ID, _ outputs: Int, size: Int = 3, stride: Int = 1, padding: Int = 1, depthwise: Bool = false
  ) -> ID {
    let channelsLast = transpose(x, [0, 2, 3, 1])
    let from = shape(channelsLast)
    let window = WindowAttributes(
      size: [size, size], strides: [stride, stride], padBefore: [padding, padding], padAfter: [padding, padding])
    let extents = from[1...2].map { ($0 + 2 * padding - size) / stride + 1 }
    let result: ID
    if depthwise {
      let weights = constant([1, size, size, from[3]])
      result = add(
        .depthwiseConvolution(window, multiplier: 1, .none), [channelsLast, weights],
        [1] + extents + [from[3]])
    } else {
      let weights = constant([outputs, size, size, from[3]])
      let bias = constant([outputs])
      result = add(
        .convolution(window, groups: 1, .none), [channelsLast, weights, bias], [1] + extents + [outputs])
    }
    return transpose(result, [0, 3, 1, 2])
  }

  // MARK: Meaning

  /// Brings the graph into canonical form and checks that both compute the same.
  @discardableResult
  mutating func canonical(
    _ outputs: ID..., options: CanonicalOptions? = nil, tolerance: Float = 1e-4,
    comment: @autoclosure () -> String = "", sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> Graph {
    if !outputs.isEmpty { graph.outputs = outputs }
    // Samples fit both graphs only where the boundary stays.
    var options = options ?? CanonicalOptions()
    let isLaidOut = options.channelsLastBoundary
    options.channelsLastBoundary = false
    let result = try graph.canonical(options)
    let (before, after) = (try FloatEvaluator(graph), try FloatEvaluator(result))
    for _ in 0..<2 {
      let sample = graph.inputs.map { id in
        let tensor = graph.tensors[id]
        let count = tensor.elementCount
        // Integers are flags here.
        return FloatTensor(
          shape: tensor.shape,
          values: tensor.type == .float32 ? values(count) : (0..<count).map { $0 == 0 ? 1 : Float(random(0...1)) })
      }
      for (expected, found) in zip(try before.evaluate(sample), try after.evaluate(sample)) {
        #expect(expected.shape == found.shape, "\(comment())", sourceLocation: sourceLocation)
        let magnitude = expected.values.reduce(1) { max($0, abs($1)) }
        let difference = zip(expected.values, found.values).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
        #expect(
          difference <= tolerance * magnitude, "\(comment()) differs\n\(graph.summary())\n\n\(result.summary())",
          sourceLocation: sourceLocation)
      }
    }
    return isLaidOut ? try graph.canonical() : result
  }
}
