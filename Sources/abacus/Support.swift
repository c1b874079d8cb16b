import AbacusPack
import AbacusRuntime
import ArgumentParser
import Foundation

// What several verbs share.

/// Where the inputs of a run come from.
struct InputOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "A .npy file, an image (PNG, PGM, PPM, BMP) or raw bytes; once for each input of the model, in order. "
        + "A batch runs sample by sample.", valueName: "file"))
  var input: [String] = []

  @Option(help: "Mean of the pixels (of 0...1), one or one a channel, for models that normalise images.")
  var mean: [Double] = []

  @Option(help: "Standard deviation of the pixels (of 0...1), one or one a channel.")
  var deviation: [Double] = []

  func validate() throws {
    guard mean.isEmpty == deviation.isEmpty, deviation.allSatisfy({ $0 > 0 }) else {
      throw ValidationError("--mean and --deviation go together, and a deviation is positive.")
    }
  }

  /// The bytes of each input of each sample.
  func samples(for inputs: [Model.Boundary]) throws -> [[[UInt8]]] {
    guard input.count == inputs.count else {
      let names = inputs.map { "\($0.name) \($0.shape) \($0.type)" }.joined(separator: ", ")
      throw PackError(
        .file, "the model has \(inputs.count) input(s): \(names); --input was given \(input.count) times")
    }
    let reader = InputReader(
      normalization: mean.isEmpty ? nil : .init(mean: mean, deviation: deviation))
    let columns = try zip(input, inputs).map { try reader.samples($0, for: $1) }
    guard let count = columns.first?.count, columns.allSatisfy({ $0.count == count }) else {
      throw PackError(.file, "the inputs hold different numbers of samples: \(columns.map(\.count))")
    }
    return (0..<count).map { sample in columns.map { $0[sample] } }
  }
}

/// Opens a packed model for the host.
func openModel(_ path: String) throws -> (model: Model, blob: [UInt8], description: BlobDescription) {
  let blob = try readFile(path)
  let description = try BlobDescription(blob, name: path)
  return (try Model(blob), blob, description)
}

/// Prints a value as JSON, keys sorted.
func printJSON(_ value: some Encodable) throws {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

/// Codes of one output as integers.
func integers(_ bytes: [UInt8], _ boundary: Model.Boundary) -> [Int] {
  bytes.withUnsafeBytes { raw in
    switch boundary.type {
    case .int16: (0..<raw.count / 2).map { Int(raw.loadUnaligned(fromByteOffset: 2 * $0, as: Int16.self)) }
    case .int32: (0..<raw.count / 4).map { Int(raw.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self)) }
    case .uint8: raw.map { Int($0) }
    default: raw.map { Int(Int8(bitPattern: $0)) }
    }
  }
}

/// The highest of some values, first of equals.
func topIndex(_ values: [Int]) -> Int {
  values.indices.max { (values[$0], -$0) < (values[$1], -$1) } ?? 0
}

/// A real number with a few significant digits.
func short(_ value: Double) -> String { String(format: "%.4g", value) }
