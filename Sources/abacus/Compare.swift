import AbacusPack
import AbacusRuntime
import ArgumentParser
import Foundation

struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare a blob's outputs with expected ones.",
    discussion: """
      SAMPLES is an .npz archive with arrays inI_S and outI_S (input or output I of sample S). Or give
      batches: --input one .npy for each input, --expected one .npy for each output.

      Examples:
        abacus compare model.abm reference.npz
        abacus compare model.abm --input x.npy --expected y.npy --max-difference 8 --max-mean 0.5
      """)

  @Argument(help: "A packed model.")
  var blob: String

  @Argument(help: "An .npz archive with inputs and expected outputs.")
  var samples: String?

  @OptionGroup var inputs: InputOptions

  @Option(help: ArgumentHelp("Expected outputs, one .npy for each output.", valueName: "file"))
  var expected: [String] = []

  @Option(help: "Fail (exit code 8) where any value differs by more, in steps.")
  var maxDifference: Int?

  @Option(help: "Fail (exit code 8) where the mean difference of an output is larger, in steps.")
  var maxMean: Double?

  @Flag(help: "Print the comparison as JSON.")
  var json = false

  func run() throws {
    let (model, _, _) = try openModel(blob)
    let (given, wanted) = try load(model)
    var comparisons = model.outputs.map { OutputComparison(name: $0.name) }
    let progress = ProgressLine("comparing", total: given.count)
    for (index, sample) in given.enumerated() {
      let results = try model(sample)
      for output in results.indices {
        comparisons[output].add(
          model.outputs[output].codes(results[output]), model.outputs[output].codes(wanted[index][output]))
      }
      progress.advance(to: index + 1)
    }
    progress.finish()
    if json {
      try printJSON(comparisons)
    } else {
      print(comparisons.map(\.text).joined(separator: "\n"), terminator: "")
    }
    for comparison in comparisons {
      if let maxDifference, comparison.largest > maxDifference {
        throw PackError(
          .mismatch, "output \"\(comparison.name)\" differs by \(comparison.largest), more than \(maxDifference)")
      }
      if let maxMean, comparison.mean > maxMean {
        throw PackError(
          .mismatch, "output \"\(comparison.name)\" differs by \(short(comparison.mean)) on average, more than \(maxMean)")
      }
    }
  }

  /// Inputs and expected outputs of each sample.
  private func load(_ model: Model) throws -> ([[[UInt8]]], [[[UInt8]]]) {
    if let samples { return try archive(samples, model) }
    guard expected.count == model.outputs.count else {
      throw PackError(
        .file, "the model has \(model.outputs.count) output(s); --expected was given \(expected.count) times")
    }
    let given = try inputs.samples(for: model.inputs)
    let reader = InputReader()
    let columns = try zip(expected, model.outputs).map { try reader.samples($0, for: $1) }
    guard columns.allSatisfy({ $0.count == given.count }) else {
      throw PackError(
        .file, "\(given.count) samples of inputs, but \(columns.map(\.count)) of expected outputs")
    }
    return (given, given.indices.map { sample in columns.map { $0[sample] } })
  }

  private func archive(_ path: String, _ model: Model) throws -> ([[[UInt8]]], [[[UInt8]]]) {
    let archive = try NumPyArchive(path)
    let names = Set(archive.names)
    let count = (0...).first { !names.contains("in0_\($0)") } ?? 0
    guard count > 0 else { throw PackError(.file, "\(path) has no array in0_0") }
    let reader = InputReader()
    func column(_ prefix: String, _ sample: Int, _ boundaries: [Model.Boundary]) throws -> [[UInt8]] {
      try boundaries.enumerated().map { index, boundary in
        let name = "\(prefix)\(index)_\(sample)"
        let parts = try reader.split(try archive.array(name), "\(path), \(name)", boundary)
        guard parts.count == 1 else {
          throw PackError(.file, "\(path), \(name): \(parts.count) samples, expected one")
        }
        return parts[0]
      }
    }
    return (
      try (0..<count).map { try column("in", $0, model.inputs) },
      try (0..<count).map { try column("out", $0, model.outputs) }
    )
  }
}

/// How the values of one output differ from the expected ones.
struct OutputComparison: Encodable {
  var name: String
  var samples = 0
  var values = 0
  var mean = 0.0
  var largest = 0
  var sameTop = 0
  /// Number of values for each absolute difference.
  var histogram: [Int: Int] = [:]
  private var total = 0

  init(name: String) { self.name = name }

  private enum CodingKeys: String, CodingKey {
    case name, samples, values, mean, largest, sameTop, histogram
  }

  mutating func add(_ got: [Int], _ wanted: [Int]) {
    samples += 1
    values += got.count
    for (a, b) in zip(got, wanted) {
      let difference = abs(a - b)
      histogram[difference, default: 0] += 1
      largest = max(largest, difference)
      total += difference
    }
    mean = Double(total) / Double(max(values, 1))
    if topIndex(got) == topIndex(wanted) { sameTop += 1 }
  }

  var text: String {
    var table = Table([.init("difference", .right), .init("values", .right), .init("share", .right), .init("")])
    for (difference, count) in histogram.sorted(by: { $0.key < $1.key }) {
      let share = Double(count) / Double(values)
      table.add(
        "\(difference)", NumberText.grouped(count), String(format: "%.2f %%", 100 * share),
        String(repeating: "#", count: Int((40 * share).rounded(.up))))
    }
    return """
      output \(Terminal.harmless(name)): \(samples) samples, mean difference \(short(mean)), largest \(largest), \
      same top in \(sameTop)
      \(table.text)
      """
  }
}
