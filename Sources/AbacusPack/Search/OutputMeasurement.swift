import AbacusRuntime
import Foundation

/// Compares a packed model with floats on samples that calibration has not seen.
struct OutputMeasurement {
  private let inputs: [[FloatTensor]]
  private let labels: [Int]
  /// The first output of each sample, in float.
  private let wanted: [[Float]]
  /// Of the first output.
  private let rowLength: Int

  /// - Parameter labels: one a sample, or none.
  init(_ graph: Graph, samples: [[FloatTensor]], labels: [Int]) throws {
    inputs = samples
    self.labels = labels
    let evaluator = try FloatEvaluator(graph)
    var outputs: [[Float]] = []
    try OrderedWork.run(count: samples.count) { try evaluator.evaluate(samples[$0])[0].values } consume: { outputs.append($1) }
    wanted = outputs
    rowLength = max(graph.tensors[graph.outputs[0]].shape.last ?? 1, 1)
  }

  struct Result {
    var agreement: Double
    var decibels: Double
    var accuracy: Double?
  }

  /// Runs a model whose inputs and outputs are those of `integers`.
  func measure(_ blob: [UInt8], _ integers: Graph) throws -> Result {
    var (signal, noise) = (0.0, 0.0)
    var (same, rows, right) = (0, 0, 0)
    let output = integers.tensors[integers.outputs[0]]
    let chunk = 16
    try OrderedWork.run(count: (inputs.count + chunk - 1) / chunk) { index in
      let model = try Model(blob)
      return try (index * chunk..<min((index + 1) * chunk, inputs.count)).map { sample in
        let bytes = try zip(inputs[sample], integers.inputs).map { try integers.tensors[$1].codes(of: $0.values) }
        return output.reals(ofCodes: try model(bytes)[0])
      }
    } consume: { index, outputs in
      for (offset, values) in outputs.enumerated() {
        let sample = index * chunk + offset
        for (exact, other) in zip(wanted[sample], values) {
          signal += Double(exact) * Double(exact)
          noise += (Double(exact) - other) * (Double(exact) - other)
        }
        for start in stride(from: 0, to: values.count, by: rowLength) {
          rows += 1
          let row = start..<start + rowLength
          if Self.top(values[row]) == Self.top(wanted[sample][row].map(Double.init)[...]) { same += 1 }
        }
        if sample < labels.count, Self.top(values[...]) == labels[sample] { right += 1 }
      }
    }
    return Result(
      agreement: 100 * Double(same) / Double(max(rows, 1)), decibels: 10 * log10(max(signal, 1e-30) / max(noise, 1e-30)),
      accuracy: labels.isEmpty ? nil : 100 * Double(right) / Double(min(labels.count, inputs.count)))
  }

  /// The place of the highest value, the first of equals.
  private static func top(_ values: ArraySlice<Double>) -> Int {
    (values.firstIndex(of: values.max() ?? 0) ?? values.startIndex) - values.startIndex
  }
}
