import Foundation

/// The folder of Abacus itself: firmware is built from the sources that lie in it.
public struct Project: Sendable {
  public let folder: URL

  public init(folder: URL) {
    self.folder = folder
  }

  /// The folder that ABACUS_HOME names, else the nearest one above this program, else the nearest
  /// one above the current directory.
  public static func located() throws(PackError) -> Project {
    let files = FileManager.default
    if let home = ProcessInfo.processInfo.environment["ABACUS_HOME"] {
      let project = Project(folder: URL(fileURLWithPath: home, isDirectory: true))
      guard project.isComplete else {
        throw PackError(.file, "ABACUS_HOME names \(home), which is not the folder of Abacus")
      }
      return project
    }
    let starts = [
      Bundle.main.executableURL?.resolvingSymlinksInPath().deletingLastPathComponent(),
      URL(fileURLWithPath: files.currentDirectoryPath, isDirectory: true),
    ]
    for case var folder? in starts {
      while true {
        let project = Project(folder: folder)
        if project.isComplete { return project }
        let parent = folder.deletingLastPathComponent().standardizedFileURL
        if parent.path == folder.path { break }
        folder = parent
      }
    }
    throw PackError(
      .file, "the folder of Abacus, with its boards in Targets, was not found; name it in ABACUS_HOME")
  }

  public var targets: URL { folder.appending(path: "Targets", directoryHint: .isDirectory) }

  /// What is built for one board lies here.
  func buildFolder(of board: Board) -> URL {
    folder.appending(path: ".build/abacus/\(board.name)", directoryHint: .isDirectory)
  }

  private var isComplete: Bool {
    ["Package.swift", "Targets/common/sections.ld"].allSatisfy {
      FileManager.default.fileExists(atPath: folder.appending(path: $0).path)
    }
  }
}
