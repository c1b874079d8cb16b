import AbacusRuntime
import Foundation

/// How far each tensor of a quantised model lies from its float original, errors of all layers before
/// it included.
public struct QuantizationReport: Sendable {
  public struct Row: Sendable, Encodable {
    /// Operation that computes the tensor, and where it stands in the source.
    public var operation: String
    public var origin: String
    public var tensor: String
    public var type: String
    /// One scale, or the largest of several.
    public var scale: Double
    /// Power of the float values over power of the difference, in decibels.
    public var signalToNoise: Double
    /// Largest difference, in steps of the tensor's own grid.
    public var largestError: Double
  }

  public let rows: [Row]
  /// Samples that were compared.
  public let samples: Int
  /// Samples whose largest output is the same one; for models with one output.
  public let sameTop: Int

  /// Runs the integers and the floats on the same samples.
  ///
  /// - Parameters:
  ///   - graph: the float graph that was quantised, as `PostTraining.calibrate` returns it.
  ///   - quantized: what `Quantizer` made of it.
  public init(
    _ graph: Graph, _ quantized: Graph, samples: [[FloatTensor]], options: PackOptions,
    progress: ProgressLine? = nil
  ) throws {
    let seen = Self.comparable(graph, quantized)
    var exposed = quantized
    exposed.outputs = quantized.outputs + seen.filter { !quantized.outputs.contains($0) }
    let model = try Model(try Packer.pack(exposed, options: options).blob)
    let evaluator = try FloatEvaluator(graph)
    var errors = [Graph.TensorID: Deviation]()
    var sameTop = 0
    for (index, sample) in samples.enumerated() {
      let bytes = try zip(sample, quantized.inputs).map { try quantized.tensors[$1].codes(of: $0.values) }
      let outputs = try model(bytes)
      var integers: [Graph.TensorID: [Double]] = [:]
      for (position, id) in exposed.outputs.enumerated() {
        integers[id] = exposed.tensors[id].reals(ofCodes: outputs[position])
      }
      let results = try evaluator.evaluate(sample) { id, tensor in
        guard let values = integers[id], let scale = exposed.tensors[id].quantization?.scales.max() else { return }
        errors[id, default: Deviation()].add(tensor.values, values, scale: scale)
      }
      if let output = quantized.outputs.first, let values = integers[output], let result = results.first {
        let floats = result.values.map(Double.init)
        if values.firstIndex(of: values.max() ?? 0) == floats.firstIndex(of: floats.max() ?? 0) { sameTop += 1 }
      }
      progress?.advance(to: index + 1)
    }
    progress?.finish()
    self.samples = samples.count
    self.sameTop = sameTop
    rows = quantized.nodes.flatMap { node in
      node.outputs.compactMap { id in
        guard let deviation = errors[id], let scale = quantized.tensors[id].quantization?.scales.max() else { return nil }
        return Row(
          operation: node.operation.summary, origin: node.origin, tensor: quantized.tensors[id].name,
          type: quantized.tensors[id].type.rawValue, scale: scale, signalToNoise: deviation.decibels,
          largestError: deviation.largest)
      }
    }
  }

  /// Tensors that both graphs compute with the same meaning.
  private static func comparable(_ graph: Graph, _ quantized: Graph) -> [Graph.TensorID] {
    let computed = Set(graph.nodes.flatMap(\.outputs))
    return quantized.nodes.flatMap(\.outputs).filter { id in
      computed.contains(id) && quantized.tensors[id].quantization != nil
        && quantized.tensors[id].shape == graph.tensors[id].shape
    }
  }
}

/// Sums over the values of one tensor.
private struct Deviation {
  private var signal = 0.0
  private var noise = 0.0
  private(set) var largest = 0.0

  mutating func add(_ floats: [Float], _ values: [Double], scale: Double) {
    for (float, value) in zip(floats, values) {
      let difference = Double(float) - value
      signal += Double(float) * Double(float)
      noise += difference * difference
      largest = max(largest, difference.magnitude / scale)
    }
  }

  var decibels: Double { noise > 0 && signal > 0 ? 10 * log10(signal / noise) : 200 }
}

extension Tensor {
  /// Real values as the codes of this integer tensor, little-endian.
  func codes(of values: [Float]) throws -> [UInt8] {
    let range = Double(type.integerRange.lowerBound)...Double(type.integerRange.upperBound)
    let scale = quantization?.scales[0] ?? 1
    let zeroPoint = Double(quantization?.zeroPoints[0] ?? 0)
    let codes = values.map { value in
      Int(min(max((Double(value) / scale + 0.5).rounded(.down) + zeroPoint, range.lowerBound), range.upperBound))
    }
    return Tensor.data(of: codes, bytes: type.bytes)
  }

  /// Real values of the codes of this tensor.
  func reals(ofCodes bytes: [UInt8]) -> [Double] {
    var constant = self
    constant.data = bytes
    return (try? constant.reals()) ?? []
  }
}
