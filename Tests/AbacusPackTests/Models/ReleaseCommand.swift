import Foundation
import Testing

@testable import AbacusPack

/// The command as users run it: tens of thousands of inferences want an optimised build.
enum ReleaseCommand {
  static let path =
    ProcessInfo.processInfo.environment["ABACUS_COMMAND"]
    ?? TestFolder.package.appending(path: ".build/release/abacus").path(percentEncoded: false)

  static let exists = FileManager.default.isExecutableFile(atPath: path)
  static let hint: Comment = "build the command first: swift build -c release --product abacus"

  /// What the command prints; fails the test where it ends with an error.
  @discardableResult
  static func run(_ arguments: String...) throws -> String { try run(arguments) }

  @discardableResult
  static func run(_ arguments: [String]) throws -> String {
    let outcome = try Tool(path: path).run(arguments, timeLimit: 300)
    try #require(outcome.status == 0, "\(arguments): \(outcome.errors)")
    return outcome.output
  }
}
