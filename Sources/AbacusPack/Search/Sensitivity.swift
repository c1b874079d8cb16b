/// How much the outputs of a float network change when the weights of one layer, and of no other, are rounded.
///
/// Errors of different layers are nearly independent, so their powers add up (ZeroQ, arXiv 2001.00281, adds divergences alike).
struct Sensitivity {
  private let graph: Graph
  private let evaluator: FloatEvaluator
  private let samples: [[FloatTensor]]

  /// Weights and bias of a layer, rounded.
  typealias Rounded = (weights: [Float], bias: [Float])

  /// - Parameter graph: whose layers all have a bias.
  init(_ graph: Graph, samples: [[FloatTensor]]) throws {
    self.graph = graph
    evaluator = try FloatEvaluator(graph)
    self.samples = samples
  }

  /// Power of the first output's change over its power, for each way of rounding each layer.
  ///
  /// - Parameters:
  ///   - ways: by the layer's weights.
  ///   - progress: advanced to the number of layers that are done.
  func noise(_ ways: [Graph.TensorID: [Rounded]], progress: ProgressLine? = nil) throws -> [Graph.TensorID: [Double]] {
    var result: [Graph.TensorID: [Double]] = [:]
    var values = try samples.map(evaluator.start)
    let outputs = try samples.map { try evaluator.evaluate($0)[0].values }
    let power = outputs.reduce(0) { $0 + $1.reduce(0) { $0 + Double($1) * Double($1) } }
    for (step, node) in graph.nodes.enumerated() {
      if let id = node.inputs.count > 2 ? node.inputs[1] : nil, let bias = node.inputs[2], let rounded = ways[id], result[id] == nil {
        result[id] = try rounded.map { way in
          var sum = 0.0
          try OrderedWork.run(count: samples.count) { [values] index in
            let changed = try finish(values[index], from: step, [id: way.weights, bias: way.bias])
            return zip(changed, outputs[index]).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
          } consume: { sum += $1 }
          return sum / max(power, 1e-30)
        }
        progress?.advance(to: result.count)
      }
      var next: [FloatTensor] = []
      try OrderedWork.run(count: samples.count) { [values] in try evaluator.compute(step, values[$0]) } consume: { next.append($1) }
      for (index, value) in next.enumerated() { evaluator.store(value, step, in: &values[index]) }
    }
    return result
  }

  /// The first output when the nodes from `step` on are computed with other constants.
  private func finish(_ values: FloatEvaluator.Values, from step: Int, _ replaced: [Graph.TensorID: [Float]]) throws -> [Float] {
    var values = values
    for index in step..<graph.nodes.count {
      evaluator.store(try evaluator.compute(index, values, replacing: replaced), index, in: &values)
    }
    return values[graph.outputs[0]]?.values ?? []
  }
}
