import Foundation
import Testing

@testable import AbacusPack

/// No file of golden vectors and none of their cases is left out of what runs here and on every board.
@Suite struct GoldenCoverageTests {
  /// How many cases each file has.
  static let files = [
    "activation": 12, "add2": 6, "attention": 4, "exp2": 8, "isqrt": 2, "linear": 4, "norm": 16,
    "paper_layernorm": 8, "paper_shiftgelu": 7, "paper_shiftmax": 30, "requant": 15, "softmax": 43,
  ]

  private struct NamedCase: Decodable {
    let name: String
  }

  /// What GoldenAttentionTests and GoldenTransformerTests run, in programs that are named after their file.
  private func programs() throws -> [GoldenProgram] {
    try GoldenAttentionTests.programs.get() + GoldenTransformerTests.programs.get() + NormalizeTests.variances()
  }

  @Test func everyFileIsKnown() throws {
    let found = try FileManager.default.contentsOfDirectory(atPath: TestFolder.golden("vectors"))
    #expect(Set(found) == Set(Self.files.keys.map { "\($0).json" }))
  }

  @Test(arguments: files.keys.sorted())
  func everyCaseRuns(file: String) throws {
    let cases = try goldenCases(file, NamedCase.self).map(\.name)
    #expect(cases.count == Self.files[file] && Set(cases).count == cases.count)
    let labels = try programs().filter { $0.name.hasPrefix(file) }.flatMap { $0.expected.map(\.label) }
      .flatMap { $0.components(separatedBy: "; ") }
    for name in cases {
      #expect(
        labels.contains { $0 == name || $0.hasPrefix(name + ",") || $0.hasPrefix(name + " ") }, "\(file): \(name)")
    }
  }

  /// Those in the repository are those that the reference wrote.
  @Test(.enabled(if: TestFolder.shared != nil, "the reference's own vectors are not here"), arguments: files.keys.sorted())
  func vectorsAreTheReferences(file: String) throws {
    let shared = try #require(TestFolder.shared)
    let original = FileManager.default.contents(atPath: "\(shared)/golden/\(file).json")
    #expect(original != nil && original == FileManager.default.contents(atPath: TestFolder.golden("vectors/\(file).json")))
  }
}
