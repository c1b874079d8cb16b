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

  /// Many tests give as inputs what models have as constants (axes, shapes, scales): a test passes
  /// where it does so with all inputs known at run time only, or with all but the first constant, or
  /// with all of them constant.
  func run() -> Outcome {
    do {
      let model = try ONNXTestModel(readFile(path("model.onnx")))
      let kept = [model.inputs.count, 1, 0].filter { $0 <= model.inputs.count }
      var outcome = Outcome.failed("there is nothing to run")
      for count in kept {
        outcome = attempt { try run(model, runTimeInputs: count) }
        if case .passed = outcome { break }
      }
      return outcome
    } catch {
      return .failed("\(error)")
    }
  }

  private func attempt(_ body: () throws -> Outcome) -> Outcome {
    do {
      return try body()
    } catch let error as PackError {
      let reason = String(error.description.split(separator: "\n").first ?? "")
      return error.kind == .unsupported ? .refused(reason) : .failed(reason)
    } catch {
      return .failed("\(error)")
    }
  }

  private func run(_ model: ONNXTestModel, runTimeInputs count: Int) throws -> Outcome {
    for set in try sets() {
      let files = try files("\(set)/input_")
      guard files.count == model.inputs.count else {
        return .failed("the model has \(model.inputs.count) inputs, the test \(files.count)")
      }
      let named = Array(zip(model.inputs, files))
      let graph = try model.load(constants: Dictionary(named.dropFirst(count)) { $1 })
      let values = Dictionary(named.prefix(count)) { $1 }
      let samples = try graph.inputs.map { id in
        let tensor = try ONNXTestModel.tensor(values[graph.tensors[id].name] ?? [])
        return graph.tensors[id].real(tensor.storedValues)
      }
      let outputs = try FloatEvaluator(graph).evaluate(samples, observe: nil)
      for (position, file) in try self.files("\(set)/output_").enumerated() {
        let expected = try ONNXTestModel.tensor(file)
        let difference = graph.tensors[graph.outputs[position]].difference(outputs[position], expected)
        if let difference { return .failed("output \(position): \(difference)") }
      }
    }
    return .passed
  }

  private func path(_ name: String) -> String { folder.appending(path: name).path(percentEncoded: false) }

  private func sets() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path("")).filter { $0.hasPrefix("test_data_set_") }.sorted()
  }

  private func files(_ prefix: String) throws -> [[UInt8]] {
    var result: [[UInt8]] = []
    while FileManager.default.fileExists(atPath: path("\(prefix)\(result.count).pb")) {
      result.append(try readFile(path("\(prefix)\(result.count).pb")))
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
      // The tolerances of ONNX's own runner, but for numbers of 16 bits, which we compute in 32. Codes
      // may be one off: we round half up, ONNX half to even.
      let tolerance = quantization != nil ? 1 : 1e-5 + 2e-3 * abs(right)
      let isClose = value == right || value.isNaN && right.isNaN || abs(value - right) <= tolerance
      guard isClose else { return "element \(index) is \(value), expected \(right)" }
    }
    return nil
  }
}
