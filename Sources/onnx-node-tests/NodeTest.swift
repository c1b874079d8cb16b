import AbacusPack
import Foundation

/// One of ONNX's node tests: a folder with a model, its inputs, and the outputs that are right.
struct NodeTest {
  let name: String
  let folder: URL

  enum Outcome {
    case passed
    /// What is wrong with the result.
    case failed(String)
    /// What the importer or the evaluator says that it does not do.
    case refused(String)
  }

  func run() -> Outcome {
    do {
      let graph = try ModelFile.load(path("model.onnx"))
      let evaluator = try FloatEvaluator(graph)
      for set in try sets() {
        let inputs = try tensors("\(set)/input_")
        guard inputs.count == graph.inputs.count else {
          return .failed("the model has \(graph.inputs.count) inputs, the test \(inputs.count)")
        }
        let samples = zip(graph.inputs, inputs).map { graph.tensors[$0].real($1.storedValues) }
        let outputs = try evaluator.evaluate(samples, observe: nil)
        for (position, expected) in try tensors("\(set)/output_").enumerated() {
          let difference = graph.tensors[graph.outputs[position]].difference(outputs[position], expected)
          if let difference { return .failed("output \(position): \(difference)") }
        }
      }
      return .passed
    } catch let error as PackError {
      let reason = String(error.description.split(separator: "\n").first ?? "")
      return error.kind == .unsupported ? .refused(reason) : .failed(reason)
    } catch {
      return .failed("\(error)")
    }
  }

  private func path(_ name: String) -> String { folder.appending(path: name).path(percentEncoded: false) }

  private func sets() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path("")).filter { $0.hasPrefix("test_data_set_") }.sorted()
  }

  private func tensors(_ prefix: String) throws -> [Tensor] {
    var result: [Tensor] = []
    while FileManager.default.fileExists(atPath: path("\(prefix)\(result.count).pb")) {
      result.append(try ONNXImporter.tensor(readFile(path("\(prefix)\(result.count).pb"))))
    }
    return result
  }
}

extension Tensor {
  /// What stored numbers stand for in this tensor.
  fileprivate func real(_ stored: [Double]) -> FloatTensor {
    guard let quantization else { return FloatTensor(shape: shape, values: stored.map { Float($0) }) }
    let (scale, zeroPoint) = (quantization.scales[0], Double(quantization.zeroPoints[0]))
    return FloatTensor(shape: shape, values: stored.map { Float(($0 - zeroPoint) * scale) })
  }

  /// Where values of this tensor are not what is expected; nil where all are.
  fileprivate func difference(_ values: FloatTensor, _ expected: Tensor) -> String? {
    guard values.shape == expected.shape else { return "has the shape \(values.shape), expected \(expected.shape)" }
    for (index, right) in expected.storedValues.enumerated() {
      var value = Double(values.values[index])
      if let quantization {
        let channel = index / shape[min(quantization.axis + 1, shape.count)...].reduce(1, *) % quantization.scales.count
        value = (value / quantization.scales[channel]).rounded() + Double(quantization.zeroPoints[channel])
      }
      // The tolerances of ONNX's own runner, but for numbers of 16 bits, which we compute in 32.
      let isClose = value == right || value.isNaN && right.isNaN || abs(value - right) <= 1e-5 + 2e-3 * abs(right)
      guard isClose else { return "element \(index) is \(value), expected \(right)" }
    }
    return nil
  }
}
