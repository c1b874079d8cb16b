import Foundation
import Testing

/// A program that a test runs.
struct Program {
  struct Outcome {
    var status: Int32
    /// Ended by a signal, whose number is then the status.
    var crashed: Bool
    var output: String
    var errors: String

    var succeeded: Bool { status == 0 && !crashed }

    /// Everything, for the message of a failed expectation.
    var report: String { "status \(status)\(crashed ? " (signal)" : "")\n\(output)\(errors)" }
  }

  let path: String

  init(path: String) { self.path = path }

  /// The program of that name in PATH.
  init(named name: String) throws {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    guard let path = folders.map({ "\($0)/\(name)" }).first(where: FileManager.default.isExecutableFile) else {
      throw Missing(description: "\(name) is not in PATH; tools/setup build emulate test installs it")
    }
    self.path = path
  }

  /// Runs the program to its end. What it writes goes to files, which unlike pipes are never full.
  ///
  /// - Parameters:
  ///   - environment: Variables beside those of this process.
  ///   - timeLimit: Seconds after which the program is killed and the test fails.
  func run(
    _ arguments: [String], environment: [String: String] = [:], in folder: URL? = nil, input: [UInt8] = [],
    timeLimit: TimeInterval = 120
  ) throws -> Outcome {
    try withTemporaryFolder { files in
      try files.write(input, to: "input")
      try files.write("", to: "output")
      try files.write("", to: "errors")
      let process = Process()
      process.executableURL = URL(filePath: path)
      process.arguments = arguments
      process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
      process.currentDirectoryURL = folder
      process.standardInput = try FileHandle(forReadingFrom: files.appending(path: "input"))
      process.standardOutput = try FileHandle(forWritingTo: files.appending(path: "output"))
      process.standardError = try FileHandle(forWritingTo: files.appending(path: "errors"))
      let ended = DispatchSemaphore(value: 0)
      process.terminationHandler = { _ in ended.signal() }
      try process.run()
      let inTime = ended.wait(timeout: .now() + timeLimit) == .success
      if !inTime {
        kill(process.processIdentifier, SIGKILL)
        ended.wait()
      }
      func text(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: files.appending(path: name)), as: UTF8.self)
      }
      let outcome = Outcome(
        status: process.terminationStatus, crashed: process.terminationReason == .uncaughtSignal,
        output: try text("output"), errors: try text("errors"))
      guard inTime else {
        let call = ([path] + arguments).joined(separator: " ")
        throw Missing(description: "\(call) did not end within \(timeLimit) s\n\(outcome.output)\(outcome.errors)")
      }
      return outcome
    }
  }

  /// Runs the program, which must succeed, and returns what it printed.
  @discardableResult
  func callAsFunction(
    _ arguments: String..., in folder: URL? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> String {
    let outcome = try run(arguments, in: folder)
    try #require(
      outcome.succeeded, "\(path) \(arguments.joined(separator: " ")): \(outcome.report)",
      sourceLocation: sourceLocation)
    return outcome.output
  }
}

/// The command as users run it: the release build, or the one that ABACUS_COMMAND names.
enum Abacus {
  private static let named = ProcessInfo.processInfo.environment["ABACUS_COMMAND"]

  static func program() throws -> Program {
    let path = named ?? Paths.file(".build/release/abacus")
    guard FileManager.default.isExecutableFile(atPath: path) else {
      throw Missing(
        description: "\(path) is missing: run swift build -c release --product abacus first (tools/test does)")
    }
    return Program(path: path)
  }

  static func run(
    _ arguments: [String], environment: [String: String] = [:], in folder: URL? = nil
  ) throws -> Program.Outcome {
    // A command of this package finds the package itself.
    let home = named == nil ? [:] : ["ABACUS_HOME": Paths.file("")]
    return try program().run(arguments, environment: environment.merging(home) { $1 }, in: folder)
  }

  /// Packs the classifier of clothes, with its labels, as model.abm in a folder.
  @discardableResult
  static func pack(into folder: URL) throws -> String {
    let blob = folder.path(of: "model.abm")
    try program()(
      "pack", Paths.golden("models/dscnn-int8.tflite"), "-o", blob, "--labels", Paths.golden("fmnist-labels.txt"))
    return blob
  }
}
