import Foundation

/// A program that the packer calls: a compiler, an emulator.
struct Tool {
  struct Outcome {
    var status: Int32
    var output: String
    var errors: String
    var timedOut = false
  }

  let path: String

  /// How often, in seconds, the lines of a running program are looked at.
  private static let pollingInterval = 0.02

  /// The program of that name in PATH.
  init?(named name: String) {
    let folders = ProcessInfo.processInfo.environment["PATH"] ?? ""
    let paths = folders.split(separator: ":").map { "\($0)/\(name)" }
    guard let path = paths.first(where: FileManager.default.isExecutableFile) else { return nil }
    self.path = path
  }

  init(path: String) {
    self.path = path
  }

  /// Runs the program to its end, or to `timeLimit` seconds. Its output goes to files, which
  /// unlike pipes are never full; `eachErrorLine` gets the lines of its standard error while it runs.
  func run(
    _ arguments: [String], environment: [String: String] = [:], timeLimit: TimeInterval = .infinity,
    eachErrorLine: ((Substring) -> Void)? = nil
  ) throws(PackError) -> Outcome {
    do {
      return try TemporaryFolder.with { folder in
        let output = folder.appending(path: "output"), errors = folder.appending(path: "errors")
        try Data().write(to: output)
        try Data().write(to: errors)

        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        let ended = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in ended.signal() }
        try process.run()
        let deadline: DispatchTime = timeLimit.isFinite ? .now() + timeLimit : .distantFuture
        var isRunning = true
        if let eachErrorLine {
          var lines = GrowingLines(try FileHandle(forReadingFrom: errors))
          while isRunning && .now() < deadline {
            isRunning = ended.wait(timeout: min(.now() + Self.pollingInterval, deadline)) == .timedOut
            try lines.read().forEach(eachErrorLine)
          }
        } else {
          isRunning = ended.wait(timeout: deadline) == .timedOut
        }
        let timedOut = isRunning
        if timedOut {
          kill(process.processIdentifier, SIGKILL)
          ended.wait()
        }
        return try Outcome(
          status: process.terminationStatus,
          output: String(decoding: Data(contentsOf: output), as: UTF8.self),
          errors: String(decoding: Data(contentsOf: errors), as: UTF8.self),
          timedOut: timedOut)
      }
    } catch {
      throw PackError(.tool, "\(path) cannot be run: \(error)")
    }
  }
}

/// The lines of a file that grows.
private struct GrowingLines {
  private let file: FileHandle
  private var rest: [UInt8] = []

  init(_ file: FileHandle) { self.file = file }

  /// The lines that have ended since the last call.
  mutating func read() throws -> [Substring] {
    rest += try file.readToEnd() ?? Data()
    guard let end = rest.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
    defer { rest.removeFirst(end + 1) }
    return String(decoding: rest[..<end], as: UTF8.self).split(separator: "\n")
  }
}

/// A folder that is gone when its user is done.
public enum TemporaryFolder {
  public static func with<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "abacus-\(UUID().uuidString)", directoryHint: .isDirectory)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
  }
}
