import AbacusFormat
import Foundation

/// Builds the firmware of a board and keeps it until a source changes.
public struct FirmwareBuilder: Sendable {
  public let project: Project
  public let board: Board

  public init(board: Board) throws(PackError) { self.init(board: board, in: try .located()) }

  /// - Parameter project: whose sources are built.
  public init(board: Board, in project: Project) {
    self.project = project
    self.board = board
  }

  /// The firmware with every kernel; returns the file of its linked image.
  public func generic() throws(PackError) -> URL {
    let lock = try lockBuildFolder()
    defer { _ = close(lock) }
    let image = products.appending(path: "Firmware")
    let stamp = buildFolder.appending(path: "sources.stamp")
    let fingerprint = try sourceFingerprint()
    if (try? String(contentsOf: stamp, encoding: .utf8)) == fingerprint,
      FileManager.default.fileExists(atPath: image.path)
    {
      return image
    }
    // Boards have no dependencies: without the pinned versions, SwiftPM would delete Package.resolved.
    var arguments = [
      "build", "--configuration", "release", "--product", "Firmware", "--force-resolved-versions",
      "-debug-info-format", "none", "--package-path", project.folder.path, "--scratch-path", scratchFolder.path,
      "--toolset", toolset.path,
    ]
    if let triple = board.triple { arguments += ["--triple", triple] }
    try run(try swift(), arguments, environment: ["ABACUS_BOARD": board.name])
    do {
      try fingerprint.write(to: stamp, atomically: true, encoding: .utf8)
    } catch {
      throw PackError(.file, "\(stamp.path) cannot be written: \(error)")
    }
    return image
  }

  /// The firmware with the kernels of one model only, made in `folder`: the objects of the generic
  /// firmware, linked once more with the file that `abacus embed` writes in place of the default table.
  public func dedicated(to kernels: [NeededKernel], in folder: URL) throws(PackError) -> URL {
    _ = try generic()
    let toolchain = try toolchainFolder()
    let image = folder.appending(path: "firmware")
    let source = image.appendingPathExtension("c"), object = image.appendingPathExtension("o")
    try AtomicFile.write(EmbedWriter.kernels(kernels, name: "model"), to: source.path)
    try run(
      Tool(path: "\(toolchain)/clang"),
      ["--target=\(board.triple ?? "")", "-c", source.path, "-o", object.path] + (try options().cCompiler?.extraCLIOptions ?? []))
    let list = products.appending(path: "Firmware.product/Objects.LinkFileList")
    guard let objects = try? String(contentsOf: list, encoding: .utf8) else {
      throw PackError(.tool, "\(list.path) is missing; remove \(buildFolder.path) and try again")
    }
    let kept = objects.split(whereSeparator: \.isWhitespace).map { $0.trimmingCharacters(in: ["\"", "'"]) }
      .filter { !$0.contains("/AbacusDispatch.build/") }
    try run(
      Tool(path: "\(toolchain)/ld.lld"),
      [
        "--gc-sections", "--defsym", "main=Firmware_main", "-L", project.targets.appending(path: "common").path,
        "-T", project.targets.appending(path: "\(board.name)/linker.ld").path, "-o", image.path, object.path,
      ] + kept)
    return image
  }

  /// How the Swift code of the board is optimised: `-O`, or the option of its toolset that says otherwise.
  public func optimization() throws(PackError) -> String {
    try options().swiftCompiler?.extraCLIOptions.last { $0.hasPrefix("-O") } ?? "-O"
  }

  /// Names of Swift symbols as people read them; others stay as they are.
  public func demangled(_ symbols: [String]) throws(PackError) -> [String] {
    let outcome = try run(
      Tool(path: "\(try toolchainFolder())/swift-demangle"), ["--compact", "--simplified", "--"] + symbols)
    let names = outcome.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard names.count >= symbols.count else {
      throw PackError(.tool, "swift-demangle printed \(names.count) names for \(symbols.count) symbols")
    }
    return Array(names.prefix(symbols.count))
  }

  /// Waits until nobody else builds this board; the lock lasts until the descriptor is closed.
  private func lockBuildFolder() throws(PackError) -> Int32 {
    try? FileManager.default.createDirectory(at: buildFolder, withIntermediateDirectories: true)
    let descriptor = open(buildFolder.path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw PackError(.file, "\(buildFolder.path) cannot be made or opened") }
    while flock(descriptor, LOCK_EX) != 0 && errno == EINTR {}
    return descriptor
  }

  private var buildFolder: URL { project.buildFolder(of: board) }
  private var scratchFolder: URL { buildFolder.appending(path: "scratch") }
  private var products: URL { scratchFolder.appending(path: "release") }
  private var toolset: URL { project.targets.appending(path: "\(board.name)/toolset.json") }

  /// FNV-1a of the names and contents of everything that the firmware is made of.
  private func sourceFingerprint() throws(PackError) -> String {
    let roots = [
      "Package.swift", "Sources/CAbacus", "Sources/AbacusFormat", "Sources/AbacusRuntime", "Sources/AbacusDispatch",
      "Sources/AbacusVectors", "Sources/AbacusSDOT",
      "Targets/common", "Targets/firmware", "Targets/\(board.name)",
    ]
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    func add(_ bytes: some Sequence<UInt8>) {
      for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    }
    for root in roots {
      let url = project.folder.appending(path: root)
      let below = FileManager.default.subpaths(atPath: url.path)?.sorted() ?? []
      for path in [root] + below.map({ "\(root)/\($0)" }) {
        guard let data = FileManager.default.contents(atPath: project.folder.appending(path: path).path) else {
          continue  // A folder.
        }
        add(path.utf8)
        add(data)
      }
    }
    return String(hash, radix: 16)
  }

  /// What a toolset says about compilers.
  private struct Toolset: Decodable {
    struct Options: Decodable { var extraCLIOptions: [String] }
    var swiftCompiler: Options?
    var cCompiler: Options?
  }

  private func options() throws(PackError) -> Toolset {
    do {
      return try JSONDecoder().decode(Toolset.self, from: Data(contentsOf: toolset))
    } catch {
      throw PackError(.file, "\(toolset.path) cannot be read: \(error)")
    }
  }

  private func swift() throws(PackError) -> Tool {
    guard let tool = Tool(named: "swift") else {
      throw PackError(.tool, "building firmware needs swift 6.3 or later in PATH")
    }
    return tool
  }

  /// Where the clang and the lld of the Swift toolchain are: beside the swift that PATH finds may
  /// be another clang, so the compiler itself is asked.
  private func toolchainFolder() throws(PackError) -> String {
    struct Information: Decodable {
      struct Paths: Decodable { var runtimeResourcePath: String }
      var paths: Paths
    }
    let outcome = try run(try swift(), ["-print-target-info"])
    guard let information = try? JSONDecoder().decode(Information.self, from: Data(outcome.output.utf8)) else {
      throw PackError(.tool, "swift -print-target-info says nothing of its folder")
    }
    return URL(fileURLWithPath: "\(information.paths.runtimeResourcePath)/../../bin").standardized.path
  }

  @discardableResult
  private func run(
    _ tool: Tool, _ arguments: [String], environment: [String: String] = [:]
  ) throws(PackError) -> Tool.Outcome {
    let outcome = try tool.run(arguments, environment: environment)
    guard outcome.status == 0 else {
      throw PackError(
        .tool, "building the firmware of \(board.name) failed:\n\(outcome.output)\(outcome.errors)")
    }
    return outcome
  }
}
