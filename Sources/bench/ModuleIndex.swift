import Foundation

/// Which part of the runtime a symbol belongs to: the part whose sources declare the first name in it
/// that any of them declares.
struct ModuleIndex {
  /// Parts, by what their paths begin with; the first that fits counts.
  private static let parts: [(path: String, module: String)] = [
    ("Sources/AbacusRuntime/Kernels", "kernels"), ("Sources/AbacusRuntime/Checks", "checks"),
    ("Sources/AbacusRuntime/BlobVerifier.swift", "checks"), ("Sources/AbacusRuntime/Arithmetic", "arithmetic"),
    ("Targets/common/integers.c", "arithmetic"), ("Sources/AbacusRuntime", "session"),
    ("Sources/AbacusFormat", "session"), ("Sources/AbacusDispatch", "dispatch"), ("Targets", "firmware"),
  ]
  /// Of symbols that no source declares, such as specialised parts of the standard library.
  static let unknown = "other"

  private var modules: [String: String] = [:]

  /// - Parameter folder: of the package.
  init(_ folder: URL) {
    for (path, module) in Self.parts {
      let root = folder.appending(path: path)
      let below = FileManager.default.subpaths(atPath: root.path)?.sorted() ?? []
      let files = below.isEmpty ? [root] : below.map { root.appending(path: $0) }
      for file in files {
        guard let text = try? String(contentsOf: file, encoding: .utf8) else { continue }
        add(text, of: module, isSwift: file.pathExtension == "swift")
      }
    }
  }

  init() {}

  mutating func add(_ source: String, of module: String, isSwift: Bool) {
    let names = isSwift ? Self.swiftNames(source) : Self.cNames(source)
    for name in names where modules[name] == nil { modules[name] = module }
  }

  /// - Parameter symbol: as swift-demangle prints it.
  func module(of symbol: String) -> String {
    let words = symbol.matches(of: /[A-Za-z_][A-Za-z_0-9]*/).map { String($0.output) }
    return words.lazy.compactMap { modules[$0] }.first ?? Self.unknown
  }

  private static func swiftNames(_ source: String) -> [String] {
    source.matches(of: /(?:\b(?:func|struct|enum|class|protocol)\s+|@c\()([A-Za-z_][A-Za-z_0-9]*)/)
      .map { String($0.output.1) }
  }

  /// What begins a line with a type and is followed by a parenthesis, or is an object at the top.
  private static func cNames(_ source: String) -> [String] {
    source.replacing(/__attribute__\(\(.*?\)\)\s*/, with: "")
      .matches(of: /(?m)^[a-z_][A-Za-z_0-9 *]*?\b([A-Za-z_][A-Za-z_0-9]*)(?:\(|\[| =)/).map { String($0.output.1) }
  }
}
