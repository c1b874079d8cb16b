import Foundation

/// Folders that tests read from, found from where this file lies.
enum Paths {
  static let package: URL = (0..<4).reduce(URL(filePath: #filePath)) { url, _ in
    url.deletingLastPathComponent()
  }

  /// Files that are part of the package: `Tests/Golden`.
  static func golden(_ path: String) -> String { file("Tests/Golden/\(path)") }

  static func file(_ path: String) -> String {
    package.appending(path: path).path(percentEncoded: false)
  }

  /// Models and data beside the package, or where ABACUS_SHARED says; nil where they are missing.
  static let shared: String? = {
    let folder =
      ProcessInfo.processInfo.environment["ABACUS_SHARED"]
      ?? package.deletingLastPathComponent().appending(path: "shared").path(percentEncoded: false)
    return FileManager.default.fileExists(atPath: folder + "/models") ? folder : nil
  }()

  /// Why a test that needs `shared` is skipped.
  static let sharedIsMissing: String =
    "other people's models are not here; name their folder in ABACUS_SHARED"

  /// What `tools/build-library linux` makes.
  static let library = file(".build/abacus/linux")
}

/// Something that a test needs and that is not there.
struct Missing: Error, CustomStringConvertible {
  let description: String
}

/// An empty folder that is removed afterwards.
func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory
    .appending(path: "abacus-test-\(UUID().uuidString)", directoryHint: .isDirectory)
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder.resolvingSymlinksInPath())
}

extension URL {
  /// The path of a file in this folder.
  func path(of name: String) -> String { appending(path: name).path(percentEncoded: false) }

  /// Puts a file into this folder and returns its path.
  @discardableResult
  func write(_ bytes: some Sequence<UInt8>, to name: String) throws -> String {
    try Data(bytes).write(to: appending(path: name))
    return path(of: name)
  }

  @discardableResult
  func write(_ text: String, to name: String) throws -> String { try write(text.utf8, to: name) }

  /// Every file below this folder, hidden ones too, with its content; folders are empty.
  var contents: [String: Data] {
    let names = FileManager.default.subpaths(atPath: path(percentEncoded: false)) ?? []
    return Dictionary(
      uniqueKeysWithValues: names.map { ($0, FileManager.default.contents(atPath: path(of: $0)) ?? Data()) })
  }
}
