import AbacusPack
import AbacusRuntime
import ArgumentParser
import Foundation

// What several verbs share.

/// Where the inputs of a run come from.
struct InputOptions: ParsableArguments {
  @Option(
    name: .shortAndLong, parsing: .upToNextOption,
    help: ArgumentHelp(
      "Files: .npy (one sample or a batch), images (PNG, PGM, PPM, BMP) or raw bytes. A model with one input "
        + "runs on all of them; one with several takes a file for each input, in order.", valueName: "files"))
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
    let reader = InputReader(
      normalization: mean.isEmpty ? nil : .init(mean: mean, deviation: deviation))
    if let only = inputs.first, inputs.count == 1, !input.isEmpty {
      return try input.flatMap { try reader.samples($0, for: only) }.map { [$0] }
    }
    guard input.count == inputs.count else {
      let names = inputs.map { "\($0.name) \($0.shape) \($0.type)" }.joined(separator: ", ")
      throw PackError(
        .file, "the model has \(inputs.count) input(s): \(names); --input names \(input.count) file(s)")
    }
    let columns = try zip(input, inputs).map { try reader.samples($0, for: $1) }
    guard let count = columns.first?.count, columns.allSatisfy({ $0.count == count }) else {
      throw PackError(.file, "the inputs hold different numbers of samples: \(columns.map(\.count))")
    }
    return (0..<count).map { sample in columns.map { $0[sample] } }
  }

  /// Inputs as pictures, where they are images.
  func pictures(of samples: [[[UInt8]]], _ inputs: [Model.Boundary]) throws -> [Image] {
    guard let input = inputs.first, input.type == .int8,
      let (height, width, channels) = InputReader.imageShape(input.shape)
    else {
      throw PackError(.file, "the input is not an image, so there is nothing to show")
    }
    return try samples.map { sample in
      let codes = sample[0].map { Int(Int8(bitPattern: $0)) }
      let (low, high) = (codes.min() ?? 0, codes.max() ?? 0)
      let pixels = codes.map { UInt8(($0 - low) * 255 / max(high - low, 1)) }
      return try Image(width: width, height: height, channels: channels, pixels: pixels, name: input.name)
    }
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

/// Says something on standard error that the user should know, and that no script must mistake for the answer.
func printWarning(_ message: String) {
  FileHandle.standardError.write(Data("warning: \(message)\n".utf8))
}

/// Pictures side by side, as many as fit the terminal, each over its caption.
func gallery(_ pictures: [Image], captions: [String]) throws -> String {
  let cell = min((pictures.map(\.width).max() ?? 1), 48)
  let terminal = Int(ProcessInfo.processInfo.environment["COLUMNS"] ?? "") ?? 100
  let across = max(terminal / (cell + 2), 1)
  var text = ""
  for start in stride(from: 0, to: pictures.count, by: across) {
    let row = start..<min(start + across, pictures.count)
    let blocks = try row.map { index in
      try TerminalImage.text(pictures[index], columns: cell)
        .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }
    for line in 0..<(blocks.map(\.count).max() ?? 0) {
      text += blocks.map { padded(line < $0.count ? $0[line] : "", to: cell + 2) }.joined() + "\n"
    }
    text += row.map { padded(captions[$0], to: cell + 2) }.joined() + "\n\n"
  }
  return text
}

/// Fills up with blanks; escape sequences take no room.
private func padded(_ text: String, to width: Int) -> String {
  let visible = text.replacing(/\u{1B}\[[0-9;]*m/, with: "").count
  return text + String(repeating: " ", count: max(width - visible, 0))
}

/// The highest of some values, first of equals.
func topIndex(_ values: [Int]) -> Int {
  values.indices.max { (values[$0], -$0) < (values[$1], -$1) } ?? 0
}

/// A real number with a few significant digits.
func short(_ value: Double) -> String { String(format: "%.4g", value) }
