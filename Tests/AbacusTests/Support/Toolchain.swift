import AbacusPack
import Foundation
import Testing

/// The compilers and binary tools that come with Swift.
enum Toolchain {
  static func program(_ name: String) throws -> Program { Program(path: try folder.get() + "/" + name) }

  private static let folder = Result {
    struct Information: Decodable {
      struct Paths: Decodable { var runtimeResourcePath: String }
      var paths: Paths
    }
    let text = try Program(named: "swift")("-print-target-info")
    let information = try JSONDecoder().decode(Information.self, from: Data(text.utf8))
    return URL(filePath: information.paths.runtimeResourcePath + "/../../bin").standardized.path(percentEncoded: false)
  }

  /// How the C files of a board are compiled: the triple and the options of its toolset.
  static func compilerOptions(of board: Board) throws -> [String] {
    struct Toolset: Decodable {
      struct Options: Decodable { var extraCLIOptions: [String] }
      var cCompiler: Options?
    }
    let file = Paths.package.appending(path: "Targets/\(board.name)/toolset.json")
    let toolset = try JSONDecoder().decode(Toolset.self, from: Data(contentsOf: file))
    return (board.triple.map { ["--target=\($0)"] } ?? ["-O2"]) + (toolset.cCompiler?.extraCLIOptions ?? [])
  }
}
