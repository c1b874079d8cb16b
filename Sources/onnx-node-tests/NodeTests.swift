import AbacusPack
import ArgumentParser
import Foundation

/// Runs ONNX's node tests through the importer and the float evaluator; tools/onnx-node-tests calls it.
@main struct NodeTests: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "onnx-node-tests", abstract: "Run ONNX's node tests, and count by operator what passes.")

  @Argument(help: "The folder with one folder for each test.")
  var folder: String

  @Option(help: "Only tests whose name contains this text.")
  var filter = ""

  @Flag(help: "Print why each test that does not pass does not.")
  var verbose = false

  @Flag(help: "Print the counts as JSON.")
  var json = false

  func run() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder)
      .filter { $0.hasPrefix("test_") && (filter.isEmpty || $0.contains(filter)) }.sorted()
    var counts: [String: Count] = [:]
    for name in names {
      let test = NodeTest(name: name, folder: URL(filePath: folder).appending(path: name))
      let subject = subject(of: test)
      let outcome = test.run()
      counts[subject, default: Count(subject: subject)].add(outcome)
      if verbose { report(test, outcome) }
    }
    let rows = counts.values.sorted { $0.subject < $1.subject }
    try json ? printJSON(rows) : print(Self.table(rows), terminator: "")
  }

  struct Count: Encodable {
    var subject: String
    var passed = 0
    var failed = 0
    var refused = 0
    /// The first reason of each kind.
    var failure: String?
    var refusal: String?

    init(subject: String) { self.subject = subject }

    mutating func add(_ outcome: NodeTest.Outcome) {
      switch outcome {
      case .passed: passed += 1
      case .failed(let reason):
        failed += 1
        failure = failure ?? reason
      case .refused(let reason):
        refused += 1
        refusal = refusal ?? reason
      }
    }
  }

  /// The operator that a test is about. Tests of operators written out in others are counted apart.
  private func subject(of test: NodeTest) -> String {
    if let range = test.name.range(of: "_expanded") {
      let whole = NodeTest(
        name: String(test.name[..<range.lowerBound]),
        folder: URL(filePath: folder).appending(path: String(test.name[..<range.lowerBound])))
      return operators(of: whole) + ", written out"
    }
    return operators(of: test)
  }

  private func operators(of test: NodeTest) -> String {
    let path = test.folder.appending(path: "model.onnx").path(percentEncoded: false)
    guard let bytes = try? readFile(path), let operators = try? ONNXTestModel(bytes).operators else {
      return "unreadable"
    }
    return Set(operators).count == 1 ? operators[0] : "several operators"
  }

  private func report(_ test: NodeTest, _ outcome: NodeTest.Outcome) {
    switch outcome {
    case .passed: break
    case .failed(let reason): print("\(test.name): failed: \(reason)")
    case .refused(let reason): print("\(test.name): refused: \(reason)")
    }
  }

  private func printJSON(_ rows: [Count]) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    print(String(decoding: try encoder.encode(rows), as: UTF8.self))
  }

  private static func table(_ rows: [Count]) -> String {
    func line(_ name: String, _ numbers: [String], _ note: String) -> String {
      let columns = numbers.map { String(repeating: " ", count: max(8 - $0.count, 1)) + $0 }.joined()
      let padded = name.padding(toLength: 42, withPad: " ", startingAt: 0)
      return (padded + columns + "  " + note.prefix(100)).trimmingCharacters(in: .whitespaces) + "\n"
    }
    var text = line("operator", ["passed", "failed", "refused"], "")
    for row in rows {
      text += line(row.subject, [row.passed, row.failed, row.refused].map(String.init), row.failure ?? row.refusal ?? "")
    }
    let sums = [rows.map(\.passed), rows.map(\.failed), rows.map(\.refused)].map { $0.reduce(0, +) }
    return text + line("all", sums.map(String.init), "")
  }
}
