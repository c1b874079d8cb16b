import AbacusPack
import Foundation
import Testing

/// A folder with a packed classifier of clothes, in which a test runs the command.
struct CommandBench {
  let folder: URL

  static let photos = [
    "0-tshirt", "1-trouser", "2-pullover", "3-dress", "4-coat", "5-sandal", "6-shirt", "7-sneaker", "8-bag",
    "9-ankleboot",
  ].map { Paths.golden("fmnist-samples/\($0).png") }

  static let classifier = Paths.golden("models/dscnn-int8.tflite")

  /// Gives `body` a folder with `model.abm`, `zeros.npy` (one sample), `text.txt`, the file `empty`
  /// and the folder `folder`.
  static func use<Result>(_ body: (CommandBench) throws -> Result) throws -> Result {
    try withTemporaryFolder { folder in
      try Abacus.pack(into: folder)
      let zeros = try NumericArray(shape: [1, 28, 28, 1], type: .int8, bytes: [UInt8](repeating: 0, count: 784))
      try NumPyFile.write(zeros, to: folder.path(of: "zeros.npy"))
      try folder.write("no model, no picture\n", to: "text.txt")
      try folder.write("", to: "empty")
      for name in ["folder", "temporary"] {
        try FileManager.default.createDirectory(at: folder.appending(path: name), withIntermediateDirectories: false)
      }
      return try body(CommandBench(folder: folder))
    }
  }

  /// Every file of the folder with its content. The Swift compiler, where a firmware had to be built, may
  /// leave something among the temporary files; ours are called abacus-something.
  private var contents: [String: Data] {
    folder.contents.filter { !$0.key.hasPrefix("temporary/") || $0.key.hasPrefix("temporary/abacus-") }
  }

  /// The bytes of a file of the folder.
  func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: folder.appending(path: name)))
  }

  /// Runs the command in the folder; what it needs for a while goes to the folder `temporary`.
  func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Program.Outcome {
    let own = ["TMPDIR": folder.path(of: "temporary"), "ABACUS_HOME": Paths.file("")]
    // The first that emulates may have to build the firmware.
    return try Abacus.program().run(
      arguments, environment: own.merging(environment) { $1 }, in: folder, timeLimit: 600)
  }

  /// What the command prints; it must succeed and say nothing else.
  func answer(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
    let outcome = try run(arguments)
    try #require(outcome.succeeded, "\(arguments): \(outcome.report)", sourceLocation: sourceLocation)
    #expect(outcome.errors == "", "\(arguments)", sourceLocation: sourceLocation)
    return outcome.output
  }

  /// The command must refuse: one message with these words, the exit code, nothing printed, no file
  /// written, changed or left behind.
  func refuses(
    _ arguments: [String], _ kind: PackError.Kind, saying words: String..., environment: [String: String] = [:],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let before = contents
    let outcome = try run(arguments, environment: environment)
    let told: Comment = "\(arguments.joined(separator: " ")): \(outcome.report)"
    #expect(!outcome.crashed && outcome.status == kind.rawValue, told, sourceLocation: sourceLocation)
    #expect(outcome.output == "", told, sourceLocation: sourceLocation)
    #expect(
      outcome.errors.hasPrefix("error: ") && outcome.errors.hasSuffix("\n"), told, sourceLocation: sourceLocation)
    #expect(outcome.errors.lowercased().ranges(of: "error:").count == 1, told, sourceLocation: sourceLocation)
    for word in words { #expect(outcome.errors.contains(word), told, sourceLocation: sourceLocation) }
    for noise in ["Fatal", "Backtrace", "PackError", "NSCocoa", "Domain=", "\u{1B}"] {
      #expect(!outcome.errors.contains(noise), told, sourceLocation: sourceLocation)
    }
    #expect(contents == before, told, sourceLocation: sourceLocation)
  }

  /// The command must refuse wrong usage, and say what is right.
  func refusesUsage(
    _ arguments: [String], saying word: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let before = contents
    let outcome = try run(arguments)
    let told: Comment = "\(arguments.joined(separator: " ")): \(outcome.report)"
    #expect(!outcome.crashed && outcome.status == 64, told, sourceLocation: sourceLocation)
    #expect(outcome.output == "", told, sourceLocation: sourceLocation)
    #expect(outcome.errors.hasPrefix("Error: "), told, sourceLocation: sourceLocation)
    #expect(outcome.errors.contains(word), told, sourceLocation: sourceLocation)
    #expect(outcome.errors.contains("Usage: abacus"), told, sourceLocation: sourceLocation)
    #expect(contents == before, told, sourceLocation: sourceLocation)
  }
}

/// A model of other people's, for tests that run only where `Paths.shared` is.
func sharedModel(_ path: String) throws -> String {
  guard let shared = Paths.shared else { throw Missing(description: Paths.sharedIsMissing) }
  return "\(shared)/models/\(path)"
}
