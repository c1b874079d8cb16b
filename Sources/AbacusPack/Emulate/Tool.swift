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
  /// unlike pipes are never full.
  func run(
    _ arguments: [String], environment: [String: String] = [:], timeLimit: TimeInterval = .infinity
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
        let timedOut = ended.wait(timeout: timeLimit.isFinite ? .now() + timeLimit : .distantFuture) == .timedOut
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

/// A folder that is gone when its user is done.
enum TemporaryFolder {
  static func with<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "abacus-\(UUID().uuidString)", directoryHint: .isDirectory)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
  }
}
