import Testing

@testable import AbacusPack

/// Patterns as sources write them, the operation that they become, and what only looks like them.
@Suite struct CanonicalPatternTests {
  private func operations(_ graph: Graph) -> [String] { graph.nodes.map(\.operation.summary) }

  // MARK: Normalisations

  static let normalizations: [@Sendable (inout FloatGraph, FloatGraph.ID) -> FloatGraph.ID] = [
    { test, x in  // nine nodes
      let difference = test.binary(.subtract, x, test.mean(x))
      let variance = test.mean(test.binary(.power, difference, test.scalar(2)))
      let root = test.unary(.sqrt, test.binary(.add, variance, test.scalar(1e-5)))
      let scaled = test.binary(.multiply, test.binary(.divide, difference, root), test.constant([6]))
      return test.binary(.add, scaled, test.constant([6]))
    },
    { test, x in  // TensorFlow's batch form
      let mean = test.mean(x)
      let variance = test.mean(test.binary(.squaredDifference, x, mean))
      let inverse = test.unary(.rsqrt, test.binary(.add, test.scalar(1e-5), variance))
      let scale = test.binary(.multiply, inverse, test.constant([6]))
      let offset = test.binary(.subtract, test.constant([1, 1, 6]), test.binary(.multiply, mean, scale))
      return test.binary(.add, test.binary(.multiply, x, scale), offset)
    },
    { test, x in  // scale among the factors, difference computed twice
      let mean = test.mean(x)
      let variance = test.mean(test.unary(.square, test.binary(.subtract, x, mean)))
      let inverse = test.unary(.rsqrt, test.binary(.add, variance, test.scalar(1e-5)))
      let scaled = test.binary(.multiply, test.constant([6]), test.binary(.subtract, x, mean))
      return test.binary(.add, test.constant([6]), test.binary(.multiply, inverse, scaled))
    },
    { test, x in  // reductions that drop the dimension, second moment
      let shape = Array(test.shape(x).dropLast()) + [1]
      let mean = test.reshape(test.reduce(.mean, x, [2], keeps: false), shape)
      let moment = test.reshape(test.reduce(.mean, test.binary(.multiply, x, x), [2], keeps: false), shape)
      let variance = test.binary(.subtract, moment, test.unary(.square, mean))
      let inverse = test.unary(.reciprocal, test.unary(.sqrt, test.binary(.add, variance, test.scalar(1e-5))))
      let normal = test.binary(.multiply, test.binary(.subtract, x, mean), inverse)
      return test.binary(.add, test.binary(.multiply, normal, test.constant([6])), test.constant([6]))
    },
    { test, x in  // channels first
      let turned = test.transpose(x, [0, 2, 1])
      let difference = test.binary(.subtract, turned, test.reduce(.mean, turned, [1]))
      let variance = test.reduce(.mean, test.unary(.square, difference), [1])
      let root = test.unary(.sqrt, test.binary(.add, variance, test.scalar(1e-5)))
      let scaled = test.binary(.multiply, test.binary(.divide, difference, root), test.constant([6, 1]))
      return test.transpose(test.binary(.add, scaled, test.constant([1, 6, 1])), [0, 2, 1])
    },
  ]

  @Test(arguments: normalizations.indices) func layerNormalization(_ form: Int) throws {
    var test = FloatGraph(seed: form)
    let x = test.input([1, 5, 6])
    let graph = try test.canonical(Self.normalizations[form](&test, x), comment: "form \(form)")
    #expect(operations(graph) == ["layerNormalization 1e-05"])
    #expect(graph.nodes.first?.inputs.count == 3)
  }

  @Test func rootMeanSquare() throws {
    var test = FloatGraph()
    let x = test.input([1, 5, 6])
    let moment = test.mean(test.binary(.power, x, test.scalar(2)))
    let inverse = test.unary(.rsqrt, test.binary(.add, moment, test.scalar(1e-6)))
    let graph = try test.canonical(
      test.binary(.multiply, test.constant([6]), test.binary(.multiply, x, inverse)))
    #expect(operations(graph) == ["rmsNormalization 1e-06"])
    #expect(graph.nodes.first?.inputs.count == 2)
  }

  @Test func notNormalizations() throws {
    // The variance of something else, a mean over another dimension, a root of a run-time sum.
    for form in 0..<3 {
      var test = FloatGraph(seed: form)
      let x = test.input([1, 4, 4])
      let other = test.input([1, 4, 4])
      let difference = test.binary(.subtract, x, form == 1 ? test.reduce(.mean, x, [1]) : test.mean(x))
      let variance = test.mean(test.unary(.square, form == 0 ? other : difference))
      let sum = test.binary(.add, variance, form == 2 ? test.unary(.square, test.mean(other)) : test.scalar(0.1))
      let root = test.unary(.sqrt, test.binary(.add, sum, test.scalar(0.1)))
      let graph = try test.canonical(test.binary(.divide, difference, root), comment: "form \(form)")
      #expect(!operations(graph).contains { $0.hasPrefix("layerNormalization") }, "form \(form)")
    }
  }

  // MARK: Functions

  static let gates: [(UnaryFunction, @Sendable (inout FloatGraph, FloatGraph.ID) -> FloatGraph.ID)] = [
    (.gelu(approximate: false), { test, x in  // (x * (erf(x / sqrt 2) + 1)) * 0.5
      let erf = test.unary(.erf, test.binary(.divide, x, test.scalar(1.4142135)))
      return test.binary(
        .multiply, test.binary(.multiply, x, test.binary(.add, erf, test.scalar(1))), test.scalar(0.5))
    }),
    (.gelu(approximate: false), { test, x in  // (0.5 * x) * (1 + erf(x * 0.7071))
      let erf = test.unary(.erf, test.binary(.multiply, test.scalar(0.70710678), x))
      return test.binary(
        .multiply, test.binary(.multiply, test.scalar(0.5), x), test.binary(.add, test.scalar(1), erf))
    }),
    (.gelu(approximate: false), { test, x in  // x * (0.5 * (1 + erf))
      let erf = test.unary(.erf, test.binary(.divide, x, test.scalar(1.4142135)))
      return test.binary(
        .multiply, test.binary(.multiply, test.binary(.add, test.scalar(1), erf), test.scalar(0.5)), x)
    }),
    (.gelu(approximate: true), { test, x in
      let cube = test.binary(.power, x, test.scalar(3))
      let sum = test.binary(.add, x, test.binary(.multiply, cube, test.scalar(0.044715)))
      let tanh = test.unary(.tanh, test.binary(.multiply, sum, test.scalar(0.7978845608)))
      return test.binary(
        .multiply, test.binary(.multiply, x, test.scalar(0.5)), test.binary(.add, tanh, test.scalar(1)))
    }),
    (.gelu(approximate: true), { test, x in  // x * 0.79788 * (1 + 0.044715 x^2)
      let square = test.binary(.multiply, x, x)
      let sum = test.binary(.add, test.binary(.multiply, square, test.scalar(0.044715)), test.scalar(1))
      let inner = test.binary(.multiply, test.binary(.multiply, x, test.scalar(0.7978845608)), sum)
      let tanh = test.unary(.tanh, inner)
      return test.binary(
        .multiply, test.scalar(0.5), test.binary(.multiply, x, test.binary(.add, tanh, test.scalar(1))))
    }),
    (.quickGelu, { test, x in
      test.binary(.multiply, x, test.unary(.sigmoid, test.binary(.multiply, x, test.scalar(1.702))))
    }),
    (.silu, { test, x in test.binary(.multiply, test.unary(.sigmoid, x), x) }),
    (.hardSwish, { test, x in
      let clip = test.unary(.clip(low: 0, high: 6), test.binary(.add, x, test.scalar(3)))
      return test.binary(.divide, test.binary(.multiply, x, clip), test.scalar(6))
    }),
  ]

  @Test(arguments: gates.indices) func gate(_ form: Int) throws {
    var test = FloatGraph(seed: form)
    let x = test.input([1, 5, 6])
    let (function, build) = Self.gates[form]
    let graph = try test.canonical(build(&test, x), comment: "form \(form)")
    #expect(operations(graph) == ["\(function)"], "form \(form)\n\(graph.summary())")
  }

  @Test func notGates() throws {
    // Another factor, another value, another slope.
    for form in 0..<3 {
      var test = FloatGraph(seed: form)
      let x = test.input([1, 5, 6])
      let other = test.input([1, 5, 6])
      let erf = test.unary(
        .erf, test.binary(.multiply, form == 1 ? other : x, test.scalar(form == 2 ? 0.8 : 0.70710678)))
      let half = test.binary(.multiply, x, test.scalar(form == 0 ? 0.4 : 0.5))
      let graph = try test.canonical(test.binary(.multiply, half, test.binary(.add, erf, test.scalar(1))))
      #expect(graph.nodes.contains { $0.operation == .unary(.erf) }, "form \(form)")
    }
  }

  @Test(arguments: 0..<4) func softmax(_ form: Int) throws {
    var test = FloatGraph(seed: form)
    let x = test.input([1, 5, 6])
    let powers = test.unary(
      .exp, form == 1 ? x : test.binary(.subtract, x, test.reduce(.maximum, x, [2])))
    let sum = test.reduce(.sum, powers, form == 3 ? [1] : [2])
    let y = form == 2
      ? test.binary(.multiply, test.unary(.reciprocal, sum), powers) : test.binary(.divide, powers, sum)
    let graph = try test.canonical(y, comment: "form \(form)")
    // Over another dimension it is another function.
    #expect((operations(graph) == ["softmax"]) == (form != 3), "form \(form)")
  }

  @Test func clamps() throws {
    var test = FloatGraph()
    let x = test.input([1, 4])
    let graph = try test.canonical(
      test.binary(.minimum, test.binary(.maximum, test.scalar(0), test.fullyConnected(x, 3)), test.scalar(6)),
      test.unary(.clip(low: -1, high: 1), test.binary(.add, x, test.unary(.square, x))),
      test.unary(.clip(low: 0, high: 1), test.fullyConnected(x, 3)))
    #expect(
      operations(graph) == ["fullyConnected relu6", "square", "add reluN1To1", "fullyConnected", "relu0To1"])
  }

  // MARK: Layers

  @Test func linearLayers() throws {
    var test = FloatGraph()
    let x = test.input([1, 5, 6])
    // Scales after the first layer and before the second; an addend before the second.
    let first = test.binary(.multiply, test.linear(x, 4), test.constant([4]))
    let between = test.binary(.add, test.unary(.tanh, first), test.constant([1, 1, 4]))
    let scaled = test.binary(.multiply, between, test.constant([4]))
    let graph = try test.canonical(test.unary(.relu, test.linear(scaled, 3)))
    #expect(operations(graph) == ["fullyConnected", "tanh", "fullyConnected relu"])
  }

  @Test func normalizationScaleGoesIntoAllItsReaders() throws {
    for isOutput in [false, true] {
      var test = FloatGraph()
      let x = test.input([1, 5, 6])
      let normal = test.layerNormalization(x)
      let (a, b) = (test.linear(normal, 3), test.fullyConnected(test.slice(normal, 1, 0..<1), 3, bias: false))
      let graph = isOutput ? try test.canonical(a, b, normal) : try test.canonical(a, b)
      let kept = graph.nodes.contains { node in
        if case .layerNormalization = node.operation { node.inputs.count > 1 } else { false }
      }
      #expect(kept == isOutput)
    }
  }

  @Test func constantsOfParts() throws {
    // A class token and positions.
    var test = FloatGraph()
    let x = test.input([1, 4, 6])
    let joined = test.concatenation([test.constant([1, 1, 6]), x], 1)
    let graph = try test.canonical(test.binary(.add, joined, test.constant([1, 5, 6])))
    #expect(
      graph.summary(names: false) == """
        input %0 [1, 4, 6]
        %1 [1, 4, 6] = add (%0, [4, 6])
        %2 [1, 5, 6] = concatenation 1 ([1, 1, 6], %1)
        output %2
        """)
  }

  @Test func onlyNeededRowsAreComputed() throws {
    var test = FloatGraph()
    let x = test.input([1, 5, 6])
    let deep = test.unary(.gelu(approximate: false), test.linear(test.layerNormalization(x), 6))
    let sum = test.binary(.add, test.binary(.add, x, deep), test.constant([1, 5, 6]))
    let graph = try test.canonical(test.linear(test.pickPlace(sum, 1, 2), 3))
    let shapes = graph.nodes.map { graph.tensors[$0.outputs[0]].shape }
    #expect(shapes.allSatisfy { $0.dropLast().allSatisfy { $0 == 1 } }, "\(graph.summary())")
  }
}
