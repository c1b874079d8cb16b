import AbacusPack
import Foundation

/// Another runtime in a process of its own, with one model loaded (tools/bench_peers.py).
final class PeerProcess {
  enum Runtime: String {
    case liteRT = "litert"
    case onnxruntime
  }

  private static let python = ".build/venv/bin/python"
  private let process = Process()
  private let requests = Pipe()
  private let answers = Pipe()
  private var received: [UInt8] = []

  /// Loads a model.
  ///
  /// - Throws: where there is no such runtime here, or it refuses the model.
  init(_ runtime: Runtime, model: String) throws {
    guard FileManager.default.fileExists(atPath: model) else { throw PackError(.file, "\(model) is not here") }
    guard FileManager.default.isExecutableFile(atPath: Self.python) else {
      throw PackError(.tool, "\(Self.python) is not here; tools/fetch-peers installs it")
    }
    process.executableURL = URL(filePath: Self.python)
    process.arguments = ["tools/bench_peers.py", runtime.rawValue, model]
    process.standardInput = requests
    process.standardOutput = answers
    process.standardError = FileHandle.nullDevice
    // One that dies is an error here, not the end.
    signal(SIGPIPE, SIG_IGN)
    try process.run()
    let greeting = try line()
    guard greeting == "ready" else { throw PackError(.tool, greeting) }
  }

  /// Runs the model and says how long each run took, in microseconds.
  func run(_ count: Int) throws -> [Double] {
    try requests.fileHandleForWriting.write(contentsOf: Data("\(count)\n".utf8))
    let times = try line().split(separator: " ").compactMap { Double($0) }
    guard times.count == count else { throw PackError(.tool, "tools/bench_peers.py gave \(times.count) times, not \(count)") }
    return times
  }

  /// The next line of what the process says.
  private func line() throws -> String {
    while true {
      if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
        defer { received.removeFirst(end + 1) }
        return String(decoding: received[..<end], as: UTF8.self)
      }
      let more = answers.fileHandleForReading.availableData
      guard !more.isEmpty else { throw PackError(.tool, "tools/bench_peers.py ended early") }
      received += more
    }
  }

  deinit {
    // The process ends with its input.
    try? requests.fileHandleForWriting.close()
    process.waitUntilExit()
  }
}
