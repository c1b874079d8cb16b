import AbacusPack
import AbacusRuntime
import ToolSupport

/// What all families of rows work with.
struct Bench {
  let report: Report
  /// Look at no more samples than this.
  let sampleLimit: Int?
  /// Only variants whose name has this text in it.
  let matching: String?

  func limited(_ count: Int) -> Int { min(sampleLimit ?? count, count) }

  /// Runs `body` unless something that it needs is missing, which is reported.
  ///
  /// - Parameter what: a model, or a model and its variant with a comma between.
  func needing(_ what: String, _ paths: String..., body: () throws -> Void) throws {
    if let matching, what.contains(", "), !what.contains(matching) { return }
    if let missing = paths.first(where: { !Places.exists($0) }) {
      report.skip(what, "\(missing) is not here")
      return
    }
    do {
      try body()
    } catch let error as PackError where error.kind == .unsupported {
      report.skip(what, error.description)
    }
  }

  /// Samples that one session works on before another is opened.
  private static let samplesPerSession = 16

  /// The first output of every sample as real values, in float.
  ///
  /// - Parameter reduce: what of sample i's output is to be kept.
  func floatOutputs(
    _ graph: Graph, count: Int, reduce: @Sendable (Int, [Float]) -> [Float] = { $1 },
    samples: @Sendable (Int) throws -> [FloatTensor]
  ) throws -> [[Float]] {
    let evaluator = try FloatEvaluator(graph)
    let progress = ProgressLine("float", total: count)
    var outputs: [[Float]] = []
    try OrderedWork.run(count: count) {
      reduce($0, try evaluator.evaluate(try samples($0))[0].values)
    } consume: {
      outputs.append($1)
      progress.advance(to: $0 + 1)
    }
    return outputs
  }

  /// The first output of every sample as real values, by the runtime through its C interface.
  ///
  /// - Parameters:
  ///   - reduce: what of sample i's output is to be kept.
  ///   - samples: bytes for each of the inputs of sample i.
  func integerOutputs(
    _ blob: [UInt8], count: Int, reduce: @Sendable (Int, [Float]) -> [Float] = { $1 },
    samples: @Sendable (Int, [Model.Boundary]) throws -> [[UInt8]]
  ) throws -> [[Float]] {
    let progress = ProgressLine("integers", total: count)
    let size = Self.samplesPerSession
    var outputs: [[Float]] = []
    try OrderedWork.run(count: (count + size - 1) / size) { chunk in
      let model = try Model(blob)
      return try (chunk * size..<min((chunk + 1) * size, count)).map { sample in
        let bytes = try model(try samples(sample, model.inputs))[0]
        return reduce(sample, model.outputs[0].reals(bytes))
      }
    } consume: { _, chunk in
      outputs += chunk
      progress.advance(to: outputs.count)
    }
    return outputs
  }
}

extension Model.Boundary {
  /// What stored elements stand for.
  func reals(_ bytes: [UInt8]) -> [Float] {
    let codes: [Int] = bytes.withUnsafeBytes { raw in
      switch type {
      case .int16: (0..<raw.count / 2).map { Int(raw.loadUnaligned(fromByteOffset: 2 * $0, as: Int16.self)) }
      case .int32: (0..<raw.count / 4).map { Int(raw.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self)) }
      case .uint8: raw.map { Int($0) }
      default: raw.map { Int(Int8(bitPattern: $0)) }
      }
    }
    return codes.map { Float(Double($0 - zeroPoint) * scale) }
  }

  /// Real values as the elements that are to be stored.
  func bytes(_ values: [Float]) throws -> [UInt8] {
    try InputReader().split(NumericArray(floats: values, shape: [values.count]), name, self)[0]
  }

  /// Tokens and masks, which are numbers, not reals.
  func bytes(tokens: [Int]) throws -> [UInt8] {
    try tokens.flatMap { token in
      guard type == .int32, let token = Int32(exactly: token) else {
        throw PackError(.malformed, "input \"\(name)\" takes \(type), not tokens")
      }
      return withUnsafeBytes(of: token.littleEndian) { Array($0) }
    }
  }
}
